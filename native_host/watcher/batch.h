/* SPDX-License-Identifier: Apache-2.0 */
/* Events of the last milliseconds, each name and each object once, with the number of the last event. */
#ifndef WATCHER_BATCH_H
#define WATCHER_BATCH_H
#include <stdbool.h>
#include <stdint.h>

#include "watcher.h"

#define BATCH_MOST 100000u /* names and objects: about 16 MiB */

/* key: handle, and for a name the bytes of the name behind it. */
typedef struct touched {
  uint64_t number;
  uint32_t fs, key, handle_len, key_len; /* key: offset into `keys` */
  bool     object;
} touched;

typedef struct batch {
  touched  *items;
  uint32_t *slots; /* index + 1 into items, by hash */
  uint8_t  *keys;
  uint32_t  count, n_slots;
  uint32_t  keys_used, keys_cap;
  uint64_t  number;                   /* of the last event */
  char      gap[WATCHED_MAX][WHY_BYTES]; /* "": none */
} batch;

bool batch_init(batch *b); /* false: no memory */

/* false: no memory, or it is full. name NULL: an object. */
bool batch_note(batch *b, uint32_t fs, const void *handle, uint32_t handle_len, const void *name, uint32_t name_len);

void batch_gap(batch *b, uint32_t fs, const char *why);

void batch_drop(batch *b);  /* forget its events; the number stays */
void batch_clear(batch *b); /* and its gaps */

#endif
