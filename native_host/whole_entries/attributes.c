#include <string.h>

#include "attributes.h"

enum { MOST_DECIMALS = 10, MOST_TYPE_DECIMALS = 4, NANOSECOND_DIGITS = 9 };
enum { RESTORED = BP_HAS_MODE | BP_HAS_OWNER | BP_HAS_INO | BP_HAS_NLINK | BP_HAS_RDEV | BP_HAS_ATIME | BP_HAS_MTIME | BP_HAS_CHTIME };
enum { FORMAT = 0170000, FIFO = 0010000, CHARACTERS = 0020000, BLOCKS = 0060000 };

typedef struct cursor { const uint8_t *at, *end; } cursor;

static bool up_to(cursor *c, uint8_t mark, text *found)
{
  const uint8_t *stop = memchr(c->at, mark, (size_t)(c->end - c->at));
  if (!stop)
    return false;
  *found = (text){ c->at, (uint32_t)(stop - c->at) };
  c->at = stop + 1;
  return true;
}

static bool is_decimal(text t, uint32_t most)
{
  if (!t.length || t.length > most)
    return false;
  for (uint32_t i = 0; i < t.length; i++)
    if (t.at[i] < '0' || t.at[i] > '9')
      return false;
  return true;
}

bool attributes_read(const uint8_t *record, uint32_t size, attributes *found)
{
  cursor c = { record, record + size };
  text index, delta;
  if (!up_to(&c, ' ', &index) || !up_to(&c, ' ', &found->type_digits) || !up_to(&c, 0, &found->path) || !up_to(&c, 0, &found->stat)
      || !up_to(&c, 0, &found->link) || !up_to(&c, 0, &found->extended) || !up_to(&c, 0, &delta))
    return false;
  if (c.at != c.end || delta.length != 1 || *delta.at != '0')
    return false;
  /* a path may hold spaces, but no NUL may come before it */
  if (!is_decimal(index, MOST_DECIMALS) || !is_decimal(found->type_digits, MOST_TYPE_DECIMALS) || !found->path.length)
    return false;
  found->type = 0;
  for (uint32_t i = 0; i < found->type_digits.length; i++)
    found->type = found->type * 10 + (uint32_t)(found->type_digits.at[i] - '0');
  return stat_read(found->stat.at, found->stat.length, found->fields);
}

static bool digits(cursor *c, uint32_t *value)
{
  const uint8_t *begin = c->at;
  *value = 0;
  for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
    if (c->at - begin == NANOSECOND_DIGITS)
      return false;
    *value = *value * 10 + (uint32_t)(*c->at - '0');
  }
  return c->at > begin;
}

static bool literal(cursor *c, const char *expected)
{
  size_t length = strlen(expected);
  if ((size_t)(c->end - c->at) < length || memcmp(c->at, expected, length))
    return false;
  c->at += length;
  return true;
}

/* Our own <extended>: the parts of a second, and letters of what was saved; all 0 for any other. */
static void extended_read(text t, uint32_t nanoseconds[3], uint64_t *streams)
{
  cursor c = { t.at, t.at + t.length };
  uint32_t found[3];
  uint64_t letters = 0;
  memset(nanoseconds, 0, 3 * sizeof *nanoseconds);
  *streams = 0;
  if (!literal(&c, "ns:") || !digits(&c, &found[0]) || !literal(&c, ",") || !digits(&c, &found[1]) || !literal(&c, ",")
      || !digits(&c, &found[2]))
    return;
  if (literal(&c, ";"))
    for (; c.at < c.end && *c.at >= 'a' && *c.at <= 'z'; c.at++)
      letters |= *c.at == 'a' ? BP_STREAM_BIT(BP_STREAM_ACL_ACCESS) | BP_STREAM_BIT(BP_STREAM_ACL_DEFAULT)
                 : *c.at == 'x' ? BP_STREAM_BIT(BP_STREAM_XATTR)
                                : 0;
  if (literal(&c, "|"))
    while (c.at < c.end && ((*c.at >= '0' && *c.at <= '9') || (*c.at >= 'a' && *c.at <= 'f')))
      c.at++;
  if (c.at != c.end)
    return;
  memcpy(nanoseconds, found, sizeof found);
  *streams = letters;
}

static uint64_t bits(const number *n)
{
  return n->negative ? -n->magnitude : n->magnitude;
}

static bool fits_signed(const number *n)
{
  return n->magnitude <= (n->negative ? (uint64_t)1 << 63 : INT64_MAX);
}

int64_t attributes_size(const attributes *a)
{
  return a->fields[STAT_SIZE].negative && a->fields[STAT_SIZE].magnitude ? -1 : (int64_t)a->fields[STAT_SIZE].magnitude;
}

static uint32_t kind_of(const attributes *a)
{
  switch (a->type) {
  case TYPE_HARD_LINK: return BP_TYPE_HARDLINK;
  case TYPE_EMPTY:
  case TYPE_REGULAR: return BP_TYPE_REGULAR;
  case TYPE_SYMLINK: return BP_TYPE_SYMLINK;
  case TYPE_DIRECTORY: return BP_TYPE_DIRECTORY;
  case TYPE_SPECIAL: break;
  default: return 0;
  }
  switch (bits(&a->fields[STAT_MODE]) & FORMAT) {
  case FIFO: return BP_TYPE_FIFO;
  case CHARACTERS: return BP_TYPE_CHARDEV;
  case BLOCKS: return BP_TYPE_BLOCKDEV;
  default: return 0;
  }
}

bool attributes_restored(const attributes *a, bp_entry *made)
{
  const number *f = a->fields;
  uint32_t nanoseconds[3];
  uint64_t streams;
  if (!fits_signed(&f[STAT_SIZE]) || !fits_signed(&f[STAT_ATIME]) || !fits_signed(&f[STAT_MTIME]) || !fits_signed(&f[STAT_CTIME]))
    return false;
  made->type = kind_of(a);
  if (!made->type)
    return false;
  extended_read(a->extended, nanoseconds, &streams);
  made->streams = made->type == BP_TYPE_DIRECTORY ? streams : 0;
  made->valid = RESTORED;
  if (attributes_size(a) >= 0) {
    made->valid |= BP_HAS_SIZE;
    made->size = (uint64_t)attributes_size(a);
  }
  made->ino = bits(&f[STAT_INO]);
  made->dev = bits(&f[STAT_DEV]);
  made->rdev = bits(&f[STAT_RDEV]);
  made->atime = (bp_time){ (int64_t)bits(&f[STAT_ATIME]), nanoseconds[0], 0 };
  made->mtime = (bp_time){ (int64_t)bits(&f[STAT_MTIME]), nanoseconds[1], 0 };
  made->chtime = (bp_time){ (int64_t)bits(&f[STAT_CTIME]), nanoseconds[2], 0 };
  made->mode = (uint32_t)bits(&f[STAT_MODE]) & 07777;
  made->nlink = (uint32_t)bits(&f[STAT_NLINK]);
  made->uid = (uint32_t)bits(&f[STAT_UID]);
  made->gid = (uint32_t)bits(&f[STAT_GID]);
  return true;
}
