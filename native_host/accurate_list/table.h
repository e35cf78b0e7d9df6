/*
 * The entries of a Director's accurate list, sorted by path, each once: the last of a path counts. On the disk, but for the first
 * path of each block, and a bit for each entry: was it seen?
 *
 *   block:   record, record, ... at least BLOCK_BYTES, as the next record does not fit; a longer record has a block of its own
 *   record:  u32 length of path | u32 of stat | u32 of digest | path | stat | digest, as the Director wrote them
 *
 * Every number of an entry is its place in the order of paths.
 */
#ifndef ACCURATE_TABLE_H
#define ACCURATE_TABLE_H
#include <stdbool.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))

enum { BLOCK_BYTES = 16 << 10, HEAD_BYTES = 12, BLOCKS_HELD = 8, NO_MEMORY = -12, NO_IO = -5 };

typedef struct record { const uint8_t *path, *stat, *digest; uint32_t path_len, stat_len, digest_len; } record;

typedef struct block { uint64_t at, first, key; uint32_t size, key_len; } block;

typedef struct held { int64_t block; uint8_t *data; uint32_t *offsets; uint32_t size, count, room, next; uint64_t used; } held;

/* An answer for Python: where the parts lie in `bytes`; number -1: there is none. */
typedef struct answer { int64_t number; uint64_t at; uint32_t path_len, stat_len, digest_len, reserved; } answer;

typedef struct table {
  int       fd;
  block    *blocks;
  uint64_t  n_blocks, blocks_room;
  uint8_t  *keys;
  uint64_t  keys_used, keys_room;
  uint64_t  count;           /* entries */
  uint64_t *seen;
  held      cache[BLOCKS_HELD];
  held     *last;            /* of the last look-up */
  uint64_t  clock;
  answer   *answers;
  uint8_t  *bytes;
  uint64_t  answers_room, bytes_used, bytes_room;
} table;

static inline uint32_t record_size(const record *r)
{
  return HEAD_BYTES + r->path_len + r->stat_len + r->digest_len;
}

record record_at(const uint8_t *data);
int compare_paths(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len);

/* Makes room for `needed` bytes. false: no memory. */
bool make_room(void **memory, uint64_t *room, uint64_t needed);

/* 1: found, with its number; 0: not; < 0: an error. */
int table_find(table *t, const uint8_t *path, uint32_t length, record *found, uint64_t *number);

static inline bool is_seen(const table *t, uint64_t number)
{
  return t->seen[number >> 6] >> (number & 63) & 1;
}

static inline void set_seen(table *t, uint64_t number)
{
  t->seen[number >> 6] |= (uint64_t)1 << (number & 63);
}

/* A list file, as filed/job/select/accurate_list.py keeps it, becomes a table. build.c */
API int accurate_build(int list, int file, int scratch, uint64_t run_bytes, table **out, uint64_t *bad_at);
API void accurate_free(table *t);

API uint64_t accurate_count(const table *t);
API int accurate_lookup(table *t, const uint8_t *paths, const uint32_t *lengths, uint32_t count, const answer **answers,
                        const uint8_t **bytes);
API int accurate_lower(table *t, const uint8_t *path, uint32_t length, uint64_t *number);
API int accurate_next(table *t, uint64_t from, uint32_t seen, const answer **found, const uint8_t **bytes);
API void accurate_mark(table *t, uint64_t number, uint32_t seen);

#endif
