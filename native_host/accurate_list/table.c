#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "table.h"

record record_at(const uint8_t *data)
{
  uint32_t lengths[3];
  record r;
  memcpy(lengths, data, sizeof lengths);
  r.path = data + HEAD_BYTES;
  r.path_len = lengths[0];
  r.stat = r.path + r.path_len;
  r.stat_len = lengths[1];
  r.digest = r.stat + r.stat_len;
  r.digest_len = lengths[2];
  return r;
}

int compare_paths(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
  int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
  return order ? order : (a_len > b_len) - (a_len < b_len);
}

bool make_room(void **memory, uint64_t *room, uint64_t needed)
{
  uint64_t wanted = *room ? *room : 4096;
  void *grown;
  while (wanted < needed)
    wanted *= 2;
  if (wanted == *room)
    return true;
  grown = realloc(*memory, wanted);
  if (!grown)
    return false;
  *memory = grown;
  *room = wanted;
  return true;
}

static int read_whole(int fd, uint8_t *data, uint64_t size, uint64_t at)
{
  while (size) {
    ssize_t n = pread(fd, data, size, (off_t)at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n ? -errno : NO_IO; /* shorter than it was written */
    data += n;
    size -= (uint64_t)n;
    at += (uint64_t)n;
  }
  return 0;
}

/* Cuts what was read of a block into records. false: it is not what was written. */
static bool cut(held *h, const block *b, uint64_t end)
{
  uint64_t count = end - b->first, room = (uint64_t)h->room * sizeof *h->offsets;
  uint32_t at = 0;
  if (!make_room((void **)&h->offsets, &room, count * sizeof *h->offsets))
    return false;
  h->room = (uint32_t)(room / sizeof *h->offsets);
  for (uint64_t i = 0; i < count; i++) {
    record r;
    uint64_t size;
    if (b->size - at < HEAD_BYTES)
      return false;
    r = record_at(h->data + at);
    size = (uint64_t)HEAD_BYTES + r.path_len + r.stat_len + r.digest_len;
    if (size > b->size - at)
      return false;
    h->offsets[i] = at;
    at += (uint32_t)size;
  }
  h->count = (uint32_t)count;
  return at == b->size;
}

/* NULL: *error says why. */
static held *hold(table *t, uint64_t number, int *error)
{
  const block *b = &t->blocks[number];
  held *h = &t->cache[0];
  uint64_t room;
  for (uint32_t i = 0; i < BLOCKS_HELD; i++) {
    if (t->cache[i].block == (int64_t)number) {
      t->cache[i].used = ++t->clock;
      return &t->cache[i];
    }
    if (t->cache[i].used < h->used)
      h = &t->cache[i];
  }
  h->block = -1;
  h->next = 0;
  room = h->size;
  if (!make_room((void **)&h->data, &room, b->size)) {
    *error = NO_MEMORY;
    return NULL;
  }
  h->size = (uint32_t)room;
  *error = read_whole(t->fd, h->data, b->size, b->at);
  if (!*error && !cut(h, b, number + 1 < t->n_blocks ? t->blocks[number + 1].first : t->count))
    *error = NO_IO;
  if (*error)
    return NULL;
  h->block = (int64_t)number;
  h->used = ++t->clock;
  return h;
}

static int compare_key(const table *t, uint64_t number, const uint8_t *path, uint32_t length)
{
  return compare_paths(t->keys + t->blocks[number].key, t->blocks[number].key_len, path, length);
}

/* The block that has the path, if any has: the last one that does not begin behind it, or the first. */
static uint64_t block_of(const table *t, const uint8_t *path, uint32_t length)
{
  uint64_t low = 0, high = t->n_blocks;
  if (t->last && t->last->block >= 0) { /* mostly one after the other */
    uint64_t here = (uint64_t)t->last->block;
    if (compare_key(t, here, path, length) <= 0) {
      low = here;
      if (here + 1 == t->n_blocks || compare_key(t, here + 1, path, length) > 0)
        return here;
    } else {
      high = here;
    }
  }
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    if (compare_key(t, middle, path, length) <= 0)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* The first record of a block that is not before the path; *same: it is the path's. */
static uint32_t place_in(held *h, const uint8_t *path, uint32_t length, bool *same)
{
  uint32_t low = 0, high = h->count;
  if (h->next < h->count) {
    record r = record_at(h->data + h->offsets[h->next]);
    int order = compare_paths(r.path, r.path_len, path, length);
    *same = !order;
    if (!order)
      return h->next;
    if (order < 0)
      low = h->next + 1;
    else
      high = h->next;
  }
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    record r = record_at(h->data + h->offsets[middle]);
    int order = compare_paths(r.path, r.path_len, path, length);
    if (!order) {
      *same = true;
      return middle;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *same = false;
  return low;
}

/* The block where the path is or would be, now the last one used; NULL: none, *error says whether that is a failure. */
static held *reach(table *t, const uint8_t *path, uint32_t length, uint32_t *place, bool *same, int *error)
{
  held *h = t->count ? hold(t, block_of(t, path, length), error) : NULL;
  if (!h)
    return NULL;
  t->last = h;
  *place = place_in(h, path, length, same);
  return h;
}

int table_find(table *t, const uint8_t *path, uint32_t length, record *found, uint64_t *number)
{
  int error = 0;
  bool same;
  uint32_t place;
  held *h = reach(t, path, length, &place, &same, &error);
  if (!h)
    return error;
  h->next = place + same;
  if (!same)
    return 0;
  *found = record_at(h->data + h->offsets[place]);
  *number = t->blocks[h->block].first + place;
  return 1;
}

/* ---- for Python ---------------------------------------------------------------------------------------------------- */

uint64_t accurate_count(const table *t)
{
  return t->count;
}

static int answer_with(table *t, answer *a, const record *r, uint64_t number)
{
  uint64_t size = (uint64_t)r->path_len + r->stat_len + r->digest_len;
  if (!make_room((void **)&t->bytes, &t->bytes_room, t->bytes_used + size))
    return NO_MEMORY;
  memcpy(t->bytes + t->bytes_used, r->path, size);
  *a = (answer){ .number = (int64_t)number, .at = t->bytes_used, .path_len = r->path_len, .stat_len = r->stat_len,
                 .digest_len = r->digest_len };
  t->bytes_used += size;
  return 0;
}

int accurate_lookup(table *t, const uint8_t *paths, const uint32_t *lengths, uint32_t count, const answer **answers,
                    const uint8_t **bytes)
{
  t->bytes_used = 0;
  if (!make_room((void **)&t->answers, &t->answers_room, ((uint64_t)count + 1) * sizeof *t->answers))
    return NO_MEMORY;
  for (uint32_t i = 0; i < count; i++) {
    record r;
    uint64_t number;
    int found = table_find(t, paths, lengths[i], &r, &number);
    paths += lengths[i];
    if (found > 0)
      found = answer_with(t, &t->answers[i], &r, number);
    else
      t->answers[i] = (answer){ .number = -1 };
    if (found < 0)
      return found;
  }
  *answers = t->answers;
  *bytes = t->bytes;
  return (int)(t->bytes_used > INT32_MAX ? NO_MEMORY : (int64_t)t->bytes_used);
}

int accurate_lower(table *t, const uint8_t *path, uint32_t length, uint64_t *number)
{
  int error = 0;
  bool same;
  uint32_t place;
  held *h = reach(t, path, length, &place, &same, &error);
  *number = h ? t->blocks[h->block].first + place : 0;
  return error;
}

int accurate_next(table *t, uint64_t from, uint32_t seen, const answer **found, const uint8_t **bytes)
{
  uint64_t low = 0, high = t->n_blocks;
  int error = 0;
  record r;
  held *h;
  while (from < t->count && is_seen(t, from) != !!seen) {
    uint64_t word = seen ? t->seen[from >> 6] : ~t->seen[from >> 6];
    from = word >> (from & 63) ? from + 1 : (from | 63) + 1;
  }
  if (from >= t->count)
    return 0;
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    if (t->blocks[middle].first <= from)
      low = middle;
    else
      high = middle;
  }
  h = hold(t, low, &error);
  if (!h)
    return error;
  r = record_at(h->data + h->offsets[from - t->blocks[low].first]);
  t->bytes_used = 0;
  if (!make_room((void **)&t->answers, &t->answers_room, sizeof *t->answers))
    return NO_MEMORY;
  error = answer_with(t, &t->answers[0], &r, from);
  *found = t->answers;
  *bytes = t->bytes;
  return error ? error : 1;
}

void accurate_mark(table *t, uint64_t number, uint32_t seen)
{
  if (number >= t->count)
    return;
  if (seen)
    set_seen(t, number);
  else
    t->seen[number >> 6] &= ~((uint64_t)1 << (number & 63));
}

void accurate_free(table *t)
{
  if (!t)
    return;
  for (uint32_t i = 0; i < BLOCKS_HELD; i++) {
    free(t->cache[i].data);
    free(t->cache[i].offsets);
  }
  free(t->blocks);
  free(t->keys);
  free(t->seen);
  free(t->answers);
  free(t->bytes);
  free(t);
}
