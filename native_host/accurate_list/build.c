/*
 * A list file becomes a table: read once, cut into runs that fit into memory, each sorted, then merged. A list that comes in order, as the
 * catalog of a Director mostly has it, is one run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stat.h"
#include "table.h"

enum { IN_BYTES = 1 << 20, MOST_PACKET_BYTES = 1 << 20, MERGE_BYTES = 64 << 10, BAD_ENTRY = 1 };

/* A file read from its beginning, or a stretch of it. */
typedef struct source { int fd; uint64_t at, end; uint8_t *data; uint64_t room; uint32_t have, used, piece; } source;

typedef struct run { uint64_t begin, end; } run;

typedef struct builder {
  table    *t;
  int       scratch;
  uint64_t  run_bytes;
  /* the run that is being collected */
  uint8_t  *records;
  uint64_t  used, room;
  uint32_t *offsets;
  uint64_t  count, offsets_room;
  /* those that were written */
  run      *runs;
  uint64_t  n_runs, runs_room, written;
  uint8_t  *last;            /* path that ends the last run */
  uint64_t  last_len, last_room;
  /* the table's block that is being filled */
  uint8_t  *block;
  uint64_t  block_used, block_room, block_first, file_used;
  uint8_t  *pending;         /* the last record: another one of its path takes its place */
  uint64_t  pending_size, pending_room;
} builder;

static int write_whole(int fd, const uint8_t *data, uint64_t size, uint64_t at)
{
  while (size) {
    ssize_t n = pwrite(fd, data, size, (off_t)at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n ? -errno : NO_IO;
    data += n;
    size -= (uint64_t)n;
    at += (uint64_t)n;
  }
  return 0;
}

/* At least `wanted` bytes of a source, at data + used. 1: they are there; 0: it ends before; < 0: an error. */
static int fill(source *s, uint32_t wanted)
{
  if (s->have - s->used >= wanted)
    return 1;
  if (s->have)
    memmove(s->data, s->data + s->used, s->have - s->used);
  s->have -= s->used;
  s->used = 0;
  if (!make_room((void **)&s->data, &s->room, wanted > s->piece ? wanted : s->piece))
    return NO_MEMORY;
  while (s->have < wanted && s->at < s->end) {
    uint64_t most = s->room - s->have < s->end - s->at ? s->room - s->have : s->end - s->at;
    ssize_t n = pread(s->fd, s->data + s->have, most, (off_t)s->at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    if (!n)
      break;
    s->have += (uint32_t)n;
    s->at += (uint64_t)n;
  }
  return s->have >= wanted;
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

static int end_block(builder *b)
{
  int error = write_whole(b->t->fd, b->block, b->block_used, b->file_used);
  record first;
  block *made;
  if (error || !b->block_used)
    return error;
  first = record_at(b->block);
  if (!make_room((void **)&b->t->blocks, &b->t->blocks_room, (b->t->n_blocks + 1) * sizeof *b->t->blocks)
      || !make_room((void **)&b->t->keys, &b->t->keys_room, b->t->keys_used + first.path_len))
    return NO_MEMORY;
  made = &b->t->blocks[b->t->n_blocks++];
  *made = (block){ .at = b->file_used, .first = b->block_first, .key = b->t->keys_used, .size = (uint32_t)b->block_used,
                   .key_len = first.path_len };
  memcpy(b->t->keys + b->t->keys_used, first.path, first.path_len);
  b->t->keys_used += first.path_len;
  b->file_used += b->block_used;
  b->block_used = 0;
  b->block_first = b->t->count;
  return 0;
}

static int put_pending(builder *b)
{
  int error = 0;
  if (!b->pending_size)
    return 0;
  if (b->block_used && b->block_used + b->pending_size > BLOCK_BYTES)
    error = end_block(b);
  if (error)
    return error;
  if (!make_room((void **)&b->block, &b->block_room, b->block_used + b->pending_size))
    return NO_MEMORY;
  memcpy(b->block + b->block_used, b->pending, b->pending_size);
  b->block_used += b->pending_size;
  b->pending_size = 0;
  b->t->count++;
  return 0;
}

/* In the order of paths, those of one path in the order in which they came. */
static int emit(builder *b, const uint8_t *data)
{
  record r = record_at(data), before;
  int error = 0;
  if (b->pending_size) {
    before = record_at(b->pending);
    if (compare_paths(before.path, before.path_len, r.path, r.path_len))
      error = put_pending(b);
  }
  if (error)
    return error;
  if (!make_room((void **)&b->pending, &b->pending_room, record_size(&r)))
    return NO_MEMORY;
  memcpy(b->pending, data, record_size(&r));
  b->pending_size = record_size(&r);
  return 0;
}

/* ---- runs ---------------------------------------------------------------------------------------------------------- */

static int compare_records(const uint8_t *a, const uint8_t *b)
{
  record x = record_at(a), y = record_at(b);
  return compare_paths(x.path, x.path_len, y.path, y.path_len);
}

static int compare_offsets(const void *a, const void *b, void *records)
{
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  int order = compare_records((uint8_t *)records + x, (uint8_t *)records + y);
  return order ? order : (x > y) - (x < y);
}

static void sort(builder *b)
{
  uint64_t i = 1;
  while (i < b->count && compare_records(b->records + b->offsets[i - 1], b->records + b->offsets[i]) <= 0)
    i++;
  if (i < b->count)
    qsort_r(b->offsets, b->count, sizeof *b->offsets, compare_offsets, b->records);
}

/* Sorts what was collected, and writes it; behind the run before, where that ends before this begins. */
static int end_run(builder *b)
{
  uint64_t buffered = 0, begin = b->written;
  uint8_t *buffer = NULL;
  record first, last;
  int error = 0;
  if (!b->count)
    return 0;
  sort(b);
  first = record_at(b->records + b->offsets[0]);
  last = record_at(b->records + b->offsets[b->count - 1]);
  buffer = malloc(IN_BYTES);
  if (!buffer)
    return NO_MEMORY;
  for (uint64_t i = 0; i < b->count && !error; i++) {
    const uint8_t *data = b->records + b->offsets[i];
    record r = record_at(data);
    if (buffered + record_size(&r) > IN_BYTES) {
      error = write_whole(b->scratch, buffer, buffered, b->written);
      b->written += buffered;
      buffered = 0;
    }
    if (error)
      break;
    if (record_size(&r) > IN_BYTES) {
      error = write_whole(b->scratch, data, record_size(&r), b->written);
      b->written += record_size(&r);
    } else {
      memcpy(buffer + buffered, data, record_size(&r));
      buffered += record_size(&r);
    }
  }
  if (!error)
    error = write_whole(b->scratch, buffer, buffered, b->written);
  b->written += buffered;
  free(buffer);
  if (error)
    return error;
  if (b->n_runs && compare_paths(b->last, (uint32_t)b->last_len, first.path, first.path_len) <= 0) {
    b->runs[b->n_runs - 1].end = b->written;
  } else {
    if (!make_room((void **)&b->runs, &b->runs_room, (b->n_runs + 1) * sizeof *b->runs))
      return NO_MEMORY;
    b->runs[b->n_runs++] = (run){ begin, b->written };
  }
  if (!make_room((void **)&b->last, &b->last_room, last.path_len))
    return NO_MEMORY;
  memcpy(b->last, last.path, last.path_len);
  b->last_len = last.path_len;
  b->used = b->count = 0;
  return 0;
}

/* One packet: path NUL stat [NUL digest [NUL ...]]. */
static int add(builder *b, const uint8_t *packet, uint32_t length)
{
  const uint8_t *end = packet + length, *stat, *after, *digest, *rest;
  const uint8_t *nul = memchr(packet, 0, length);
  number fields[STAT_FIELDS];
  uint32_t lengths[3];
  uint64_t size;
  int error;
  if (!nul || nul == packet)
    return BAD_ENTRY;
  stat = nul + 1;
  after = memchr(stat, 0, (size_t)(end - stat));
  after = after ? after : end;
  if (!stat_read(stat, (uint32_t)(after - stat), fields))
    return BAD_ENTRY;
  digest = after < end ? after + 1 : end;
  rest = memchr(digest, 0, (size_t)(end - digest));
  rest = rest ? rest : end;
  lengths[0] = (uint32_t)(nul - packet);
  lengths[1] = (uint32_t)(after - stat);
  lengths[2] = (uint32_t)(rest - digest);
  size = (uint64_t)HEAD_BYTES + lengths[0] + lengths[1] + lengths[2];
  if (b->count && b->used + size + (b->count + 1) * sizeof *b->offsets > b->run_bytes && (error = end_run(b)))
    return error;
  if (!make_room((void **)&b->records, &b->room, b->used + size)
      || !make_room((void **)&b->offsets, &b->offsets_room, (b->count + 1) * sizeof *b->offsets))
    return NO_MEMORY;
  b->offsets[b->count++] = (uint32_t)b->used;
  memcpy(b->records + b->used, lengths, sizeof lengths);
  b->used += HEAD_BYTES;
  memcpy(b->records + b->used, packet, lengths[0]);
  memcpy(b->records + b->used + lengths[0], stat, lengths[1]);
  memcpy(b->records + b->used + lengths[0] + lengths[1], digest, lengths[2]);
  b->used += size - HEAD_BYTES;
  return 0;
}

static int read_list(builder *b, int list, uint64_t *bad_at)
{
  source s = { .fd = list, .end = INT64_MAX, .piece = IN_BYTES };
  int error = 0;
  *bad_at = 0;
  while (!error) {
    uint32_t length = 0;
    int there = fill(&s, 4);
    if (there <= 0) {
      error = there < 0 ? there : s.have > s.used ? BAD_ENTRY : 0;
      break;
    }
    for (int i = 0; i < 4; i++)
      length = length << 8 | s.data[s.used + i];
    there = length > MOST_PACKET_BYTES ? 0 : fill(&s, 4 + length);
    error = there < 0 ? there : !there ? BAD_ENTRY : add(b, s.data + s.used + 4, length);
    if (!error) {
      s.used += 4 + length;
      *bad_at += 4 + length;
    }
  }
  free(s.data);
  return error;
}

/* ---- merging ------------------------------------------------------------------------------------------------------- */

/* The whole record at a source's beginning. 1: it is there; 0: the source is at its end; < 0: an error. */
static int next_record(source *s)
{
  int there = fill(s, HEAD_BYTES);
  record r;
  if (there <= 0)
    return there;
  r = record_at(s->data + s->used);
  there = fill(s, record_size(&r));
  return there ? there : NO_IO;
}

/* Which of two sources, of `s`, comes first? Of one path, the earlier run. */
static bool comes_first(const source *s, uint32_t a, uint32_t b)
{
  int order = compare_records(s[a].data + s[a].used, s[b].data + s[b].used);
  return order ? order < 0 : a < b;
}

static void sink(const source *s, uint32_t *heap, uint32_t count, uint32_t at)
{
  for (;;) {
    uint32_t child = 2 * at + 1, moved = heap[at];
    if (child >= count)
      return;
    if (child + 1 < count && comes_first(s, heap[child + 1], heap[child]))
      child++;
    if (!comes_first(s, heap[child], moved))
      return;
    heap[at] = heap[child];
    heap[child] = moved;
    at = child;
  }
}

static int merge_sources(builder *b, source *s, uint32_t *heap)
{
  uint32_t count = 0;
  int there;
  for (uint32_t i = 0; i < b->n_runs; i++) {
    there = next_record(&s[i]);
    if (there < 0)
      return there;
    heap[count] = i;
    count += (uint32_t)there;
  }
  for (uint32_t i = count / 2; i > 0; i--)
    sink(s, heap, count, i - 1);
  while (count) {
    source *first = &s[heap[0]];
    record r = record_at(first->data + first->used);
    int error = emit(b, first->data + first->used);
    if (error)
      return error;
    first->used += record_size(&r);
    there = next_record(first);
    if (there < 0)
      return there;
    if (!there)
      heap[0] = heap[--count];
    sink(s, heap, count, 0);
  }
  return 0;
}

static int merge(builder *b)
{
  source *s = calloc(b->n_runs, sizeof *s);
  uint32_t *heap = calloc(b->n_runs, sizeof *heap);
  int error = s && heap && b->n_runs <= UINT32_MAX ? 0 : NO_MEMORY;
  for (uint64_t i = 0; i < b->n_runs && !error; i++)
    s[i] = (source){ .fd = b->scratch, .at = b->runs[i].begin, .end = b->runs[i].end, .piece = MERGE_BYTES };
  if (!error)
    error = merge_sources(b, s, heap);
  for (uint64_t i = 0; i < b->n_runs && s; i++)
    free(s[i].data);
  free(s);
  free(heap);
  return error;
}

static int make_table(builder *b)
{
  int error = 0;
  if (!b->n_runs) { /* all of it fits into memory */
    sort(b);
    for (uint64_t i = 0; i < b->count && !error; i++)
      error = emit(b, b->records + b->offsets[i]);
  } else if (!(error = end_run(b))) {
    free(b->records);
    b->records = NULL;
    error = merge(b);
  }
  error = error ? error : put_pending(b);
  error = error ? error : end_block(b);
  if (error)
    return error;
  b->t->seen = calloc(b->t->count / 64 + 1, sizeof *b->t->seen);
  return b->t->seen ? 0 : NO_MEMORY;
}

/* 0; 1: what stands at *bad_at of the list is no entry; < 0: an error of the system. run_bytes: of records sorted in memory. */
int accurate_build(int list, int file, int scratch, uint64_t run_bytes, table **out, uint64_t *bad_at)
{
  builder b = { .t = calloc(1, sizeof(table)), .scratch = scratch, .run_bytes = run_bytes };
  int error = b.t ? 0 : NO_MEMORY;
  *out = NULL;
  if (!error) {
    b.t->fd = file;
    for (uint32_t i = 0; i < BLOCKS_HELD; i++)
      b.t->cache[i].block = -1;
    error = read_list(&b, list, bad_at);
  }
  error = error ? error : make_table(&b);
  free(b.records);
  free(b.offsets);
  free(b.runs);
  free(b.last);
  free(b.block);
  free(b.pending);
  if (error)
    accurate_free(b.t);
  else
    *out = b.t;
  return error;
}
