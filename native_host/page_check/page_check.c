/*
 * Does a page of entries surely keep all rules of the contract? The checks of filed/agents/page.py for the pages that agents send day by
 * day: no entry that is gone, renamed or failed. `no` says nothing; Python then looks, and names the rule.
 *
 * The page is a copy of the agent's: nobody writes into it any more.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bplugin.h"

#define API __attribute__((visibility("default")))

enum { NSEC_PER_S = 1000000000, FIRST_SLOTS = 1024 };


API int page_is_sound(const uint8_t *records, uint32_t count, uint32_t stride, const uint8_t *heap, uint32_t low, uint32_t cap,
                      uint64_t streams, uint64_t valid, uint32_t flags);

API void first_and_last(const uint8_t *records, uint32_t count, uint32_t stride, const uint8_t *heap, uint32_t low,
                        uint32_t places[2]);

static bool lies_in(uint32_t offset, uint32_t length, uint32_t low, uint32_t cap)
{
  return offset >= low && (uint64_t)offset + length <= cap;
}

/* Absolute, without a NUL, without an empty part, . or .. */
static bool is_proper(const uint8_t *name, uint32_t length)
{
  if (*name != '/' || memchr(name, 0, length))
    return false;
  for (const uint8_t *part = name, *end = name + length; part < end;) {
    const uint8_t *next = memchr(part + 1, '/', (size_t)(end - part - 1));
    size_t size = (size_t)((next ? next : end) - part - 1);
    if (!size || (part[1] == '.' && (size == 1 || (size == 2 && part[2] == '.'))))
      return false;
    part = next ? next : end;
  }
  return true;
}

static bool is_sound(const bp_entry *e, const uint8_t *heap, uint32_t low, uint32_t cap, uint64_t streams, uint64_t valid,
                     uint32_t flags)
{
  const uint64_t most = INT64_MAX;
  bool known = e->type == BP_TYPE_REGULAR || e->type == BP_TYPE_DIRECTORY || e->type == BP_TYPE_SYMLINK
               || (e->type >= BP_TYPE_FIFO && e->type <= BP_TYPE_OBJECT);
  return known && e->change == BP_CHANGE_NONE && !(e->streams & ~streams) && !(e->valid & ~valid) && !(e->flags & ~flags)
         && e->atime.nsec < NSEC_PER_S && e->mtime.nsec < NSEC_PER_S && e->chtime.nsec < NSEC_PER_S
         && e->btime.nsec < NSEC_PER_S && e->size <= most && e->blocks <= most
         && e->name_len && lies_in(e->name_off, e->name_len, low, cap) && is_proper(heap + (e->name_off - low), e->name_len)
         && !e->old_name_len
         && (e->type != BP_TYPE_SYMLINK || e->link_len)
         && (!e->link_len || (lies_in(e->link_off, e->link_len, low, cap) && !memchr(heap + (e->link_off - low), 0, e->link_len)))
         && (!e->inline_off || (lies_in(e->inline_off, e->inline_len, low, cap) && e->streams & BP_STREAM_BIT(BP_STREAM_DATA)))
         && (!e->tlv_len || (lies_in(e->tlv_off, e->tlv_len, low, cap) && !(e->tlv_off % 8)));
}

/* Is no cookie there twice? Mostly they rise. */
static bool are_different(const uint64_t *cookies, uint32_t count)
{
  uint32_t room = FIRST_SLOTS, *slots, i = 1;
  bool different = true;
  while (i < count && cookies[i] > cookies[i - 1])
    i++;
  if (i >= count)
    return true;
  while (room / 2 < count)
    room *= 2;
  slots = calloc(room, sizeof *slots);
  if (!slots)
    return false;
  for (i = 0; i < count && different; i++) {
    uint64_t at = cookies[i] * 0x9e3779b97f4a7c15u >> 32;
    while (slots[at & (room - 1)] && cookies[slots[at & (room - 1)] - 1] != cookies[i])
      at++;
    different = !slots[at & (room - 1)];
    slots[at & (room - 1)] = i + 1;
  }
  free(slots);
  return different;
}

/* heap: from offset `low` of the page on, to `cap`. streams, valid, flags: the bits that this version knows. */
int page_is_sound(const uint8_t *records, uint32_t count, uint32_t stride, const uint8_t *heap, uint32_t low, uint32_t cap,
                  uint64_t streams, uint64_t valid, uint32_t flags)
{
  uint64_t *cookies;
  bool sound = low <= cap && stride >= sizeof(bp_entry);
  if (!count || count > UINT32_MAX / 16 || !(cookies = malloc(count * sizeof *cookies)))
    return 0;
  for (uint32_t i = 0; i < count && sound; i++) {
    bp_entry e;
    memcpy(&e, records + (size_t)i * stride, sizeof e);
    cookies[i] = e.cookie;
    sound = is_sound(&e, heap, low, cap, streams, valid, flags);
  }
  sound = sound && are_different(cookies, count);
  free(cookies);
  return sound;
}

/* Which of the names comes first, and which last? Of a page that was checked. */
void first_and_last(const uint8_t *records, uint32_t count, uint32_t stride, const uint8_t *heap, uint32_t low, uint32_t places[2])
{
  bp_entry ends[2];
  places[0] = places[1] = 0;
  for (uint32_t i = 0; i < count; i++) {
    bp_entry e;
    memcpy(&e, records + (size_t)i * stride, sizeof e);
    for (int last = 0; last < 2; last++) {
      const bp_entry *end = &ends[last];
      uint32_t shorter = !i ? 0 : e.name_len < end->name_len ? e.name_len : end->name_len;
      int order = !i ? 0 : memcmp(heap + (e.name_off - low), heap + (end->name_off - low), shorter);
      order = order || !i ? order : e.name_len < end->name_len ? -1 : e.name_len > end->name_len;
      if (!i || (last ? order > 0 : order < 0)) {
        ends[last] = e;
        places[last] = i;
      }
    }
  }
}
