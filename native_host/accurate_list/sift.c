/*
 * Which entries of a page are as the list has them: those that filed/job/select/accurate.py would leave out, without anything else to do
 * about them. All others, and whatever is out of the ordinary, are left to Python.
 */
#include <stdlib.h>
#include <string.h>

#include "bplugin.h"
#include "stat.h"
#include "table.h"

enum { MOST_ENTRIES = 1 << 14 };

/* Letters of the FileSet's `accurate`, as bits. DIGEST: one of those for which content is read. */
enum { LETTER_M = 1, LETTER_C = 2, LETTER_S = 4, LETTER_D = 8, LETTER_I = 16, LETTER_P = 32, LETTER_N = 64, LETTER_U = 128,
       LETTER_G = 256, LETTER_A = 512, LETTER_DIGEST = 1024 };

API int accurate_sift(table *t, const uint8_t *records, uint32_t count, uint32_t stride, const uint8_t *heap, uint64_t heap_len,
                      uint32_t low, uint32_t letters, const uint8_t *candidates, uint8_t *unchanged);

typedef struct page { const uint8_t *records, *heap; uint32_t count, stride, low; } page;

static bp_entry entry_of(const page *p, uint32_t i)
{
  bp_entry e;
  memcpy(&e, p->records + (size_t)i * p->stride, sizeof e);
  return e;
}

/* Does anything on the page need to be looked at beside the others? */
static bool is_plain(const page *p, uint64_t heap_len)
{
  for (uint32_t i = 0; i < p->count; i++) {
    bp_entry e = entry_of(p, i);
    if (e.change || e.name_off < p->low || !e.name_len || (uint64_t)e.name_off - p->low + e.name_len > heap_len
        || p->heap[e.name_off - p->low + e.name_len - 1] == '/')
      return false;
  }
  return true;
}

static uint64_t hash(const uint8_t *name, uint32_t length, bool directory)
{
  uint64_t h = directory ? 0x9e3779b97f4a7c15u : 0xcbf29ce484222325u;
  for (; length >= 8; name += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, name, 8);
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    h ^= h >> 29;
  }
  for (; length; name++, length--)
    h = (h ^ *name) * 0x100000001b3u;
  return h ^ h >> 32;
}

/* 1: each path is there once; 0: one is there twice; < 0: an error. */
static int are_different(const page *p)
{
  uint32_t room = 1024, *slots;
  int different = 1;
  while (room < p->count * 2)
    room *= 2;
  slots = calloc(room, sizeof *slots);
  if (!slots)
    return NO_MEMORY;
  for (uint32_t i = 0; i < p->count && different; i++) {
    bp_entry e = entry_of(p, i);
    const uint8_t *name = p->heap + (e.name_off - p->low);
    bool directory = e.type == BP_TYPE_DIRECTORY;
    uint64_t at = hash(name, e.name_len, directory);
    while (slots[at & (room - 1)]) {
      bp_entry other = entry_of(p, slots[at & (room - 1)] - 1);
      if (other.name_len == e.name_len && (other.type == BP_TYPE_DIRECTORY) == directory
          && !memcmp(p->heap + (other.name_off - p->low), name, e.name_len)) {
        different = 0;
        break;
      }
      at++;
    }
    slots[at & (room - 1)] = i + 1;
  }
  free(slots);
  return different;
}

static bool is_ordinary(const bp_entry *e)
{
  return !(e->flags & ~BP_ENTRY_REREAD) && e->type != BP_TYPE_OBJECT && e->valid & BP_HAS_MTIME
         && (e->nlink <= 1 || e->type == BP_TYPE_DIRECTORY);
}

static uint64_t low_bits(const number *n)
{
  return n->negative ? -n->magnitude : n->magnitude;
}

static bool is_smaller(const bp_entry *e, const number *size)
{
  return !(size->negative && size->magnitude) && e->size < size->magnitude;
}

static bool differs(const bp_entry *e, const number was[STAT_FIELDS], uint32_t letters)
{
  bool size_counts = e->type == BP_TYPE_REGULAR || e->type == BP_TYPE_SYMLINK;
  int64_t chtime = e->valid & BP_HAS_CHTIME ? e->chtime.sec : e->mtime.sec;
  bool empty = !e->size && is_unsigned(&was[STAT_SIZE], 0);
  return (letters & LETTER_M && !is_signed(&was[STAT_MTIME], e->mtime.sec))
         || (letters & LETTER_C && !is_signed(&was[STAT_CTIME], chtime))
         || (letters & LETTER_S && size_counts && !is_unsigned(&was[STAT_SIZE], e->size))
         || (letters & LETTER_D && size_counts && is_smaller(e, &was[STAT_SIZE]))
         || (letters & LETTER_I && e->valid & BP_HAS_INO && !is_unsigned(&was[STAT_INO], e->ino))
         || (letters & LETTER_P && e->valid & BP_HAS_MODE && (low_bits(&was[STAT_MODE]) & 07777) != (e->mode & 07777))
         || (letters & LETTER_N && e->valid & BP_HAS_NLINK && !is_unsigned(&was[STAT_NLINK], e->nlink))
         || (letters & LETTER_U && e->valid & BP_HAS_OWNER && !is_unsigned(&was[STAT_UID], e->uid))
         || (letters & LETTER_G && e->valid & BP_HAS_OWNER && !is_unsigned(&was[STAT_GID], e->gid))
         || (letters & LETTER_A && e->valid & BP_HAS_ATIME && !is_signed(&was[STAT_ATIME], e->atime.sec))
         || (letters & LETTER_DIGEST && e->type == BP_TYPE_REGULAR && !empty);
}

/* 1: unchanged, and marked as seen; 0: not; < 0: an error. */
static int sift_one(table *t, const page *p, const bp_entry *e, uint32_t letters)
{
  const uint8_t *path = p->heap + (e->name_off - p->low);
  uint32_t length = e->name_len;
  number was[STAT_FIELDS];
  uint64_t place;
  record r;
  int found;
  if (e->type == BP_TYPE_DIRECTORY) {
    if (!make_room((void **)&t->bytes, &t->bytes_room, (uint64_t)length + 1))
      return NO_MEMORY;
    memcpy(t->bytes, path, length);
    t->bytes[length++] = '/';
    path = t->bytes;
  }
  found = table_find(t, path, length, &r, &place);
  if (found <= 0)
    return found;
  if (!stat_read(r.stat, r.stat_len, was) || differs(e, was, letters))
    return 0;
  set_seen(t, place);
  return 1;
}

/*
 * A page that was checked. candidates: NULL, or which entries the FileSet keeps by the options with these letters. unchanged: one byte for
 * each entry, 1 or 0. Returns how many are; 0, too, where the page is out of the ordinary; < 0: an error.
 */
int accurate_sift(table *t, const uint8_t *records, uint32_t count, uint32_t stride, const uint8_t *heap, uint64_t heap_len,
                  uint32_t low, uint32_t letters, const uint8_t *candidates, uint8_t *unchanged)
{
  page p = { records, heap, count, stride, low };
  int total = 0, different;
  memset(unchanged, 0, count);
  if (count > MOST_ENTRIES || stride < sizeof(bp_entry) || !is_plain(&p, heap_len))
    return 0;
  different = are_different(&p);
  if (different <= 0)
    return different;
  for (uint32_t i = 0; i < count; i++) {
    bp_entry e = entry_of(&p, i);
    int same = (!candidates || candidates[i]) && is_ordinary(&e) ? sift_one(t, &p, &e, letters) : 0;
    if (same < 0)
      return same;
    unchanged[i] = (uint8_t)same;
    total += same;
  }
  return total;
}
