/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool batch_init(batch *b)
{
  memset(b, 0, sizeof *b);
  b->n_slots = 262144; /* a power of two, more than twice BATCH_MOST */
  b->items = malloc(BATCH_MOST * sizeof *b->items);
  b->slots = calloc(b->n_slots, sizeof *b->slots);
  return b->items && b->slots;
}

static uint32_t hash_of(uint32_t fs, const uint8_t *key, uint32_t len, bool object)
{
  uint64_t hash = 1469598103934665603u ^ fs ^ (object ? 0x9e37u : 0u);
  for (uint32_t i = 0; i < len; i++)
    hash = (hash ^ key[i]) * 1099511628211u;
  return (uint32_t)(hash ^ (hash >> 32));
}

/* Room for `len` more bytes of keys. */
static bool reserve(batch *b, uint32_t len)
{
  uint32_t cap = b->keys_cap ? b->keys_cap : 1u << 20;
  uint8_t *larger;
  while (cap - b->keys_used < len)
    cap *= 2;
  if (cap == b->keys_cap)
    return true;
  larger = realloc(b->keys, cap);
  if (!larger)
    return false;
  b->keys = larger;
  b->keys_cap = cap;
  return true;
}

bool batch_note(batch *b, uint32_t fs, const void *handle, uint32_t handle_len, const void *name, uint32_t name_len)
{
  uint32_t len = handle_len + name_len, at;
  bool object = name == NULL;
  touched *item;
  uint8_t *key;
  if (!reserve(b, len))
    return false;
  key = b->keys + b->keys_used; /* stays there when it is a new one */
  memcpy(key, handle, handle_len);
  if (name_len)
    memcpy(key + handle_len, name, name_len);
  for (at = hash_of(fs, key, len, object) & (b->n_slots - 1); b->slots[at]; at = (at + 1) & (b->n_slots - 1)) {
    item = &b->items[b->slots[at] - 1];
    if (item->fs == fs && item->object == object && item->handle_len == handle_len && item->key_len == len
        && !memcmp(b->keys + item->key, key, len)) {
      item->number = ++b->number;
      return true;
    }
  }
  if (b->count == BATCH_MOST)
    return false;
  item = &b->items[b->count++];
  *item = (touched){ .number = ++b->number, .fs = fs, .key = b->keys_used, .handle_len = handle_len, .key_len = len,
                     .object = object };
  b->slots[at] = b->count;
  b->keys_used += len;
  return true;
}

void batch_gap(batch *b, uint32_t fs, const char *why)
{
  b->number++; /* beyond what anybody has seen */
  if (!b->gap[fs][0])
    snprintf(b->gap[fs], WHY_BYTES, "%s", why);
}

void batch_drop(batch *b)
{
  memset(b->slots, 0, b->n_slots * sizeof *b->slots);
  b->count = b->keys_used = 0;
}

void batch_clear(batch *b)
{
  batch_drop(b);
  memset(b->gap, 0, sizeof b->gap);
}
