/* SPDX-License-Identifier: Apache-2.0 */
#include "inodes.h"

#include <stdlib.h>

static uint64_t key_of(const struct stat *st)
{
  uint64_t key = (uint64_t)st->st_ino * 0x9E3779B97F4A7C15u ^ (uint64_t)st->st_dev * 0xC2B2AE3D27D4EB4Fu;
  return key ? key : 1;
}

static void put(uint64_t *keys, size_t cap, uint64_t key)
{
  size_t i = (size_t)(key >> 20) & (cap - 1);
  while (keys[i] && keys[i] != key)
    i = (i + 1) & (cap - 1);
  keys[i] = key;
}

bool inodes_add(inodes *set, const struct stat *st)
{
  if (set->count * 4 >= set->cap * 3) {
    size_t cap = set->cap ? set->cap * 2 : 1024;
    uint64_t *keys = calloc(cap, sizeof *keys);
    if (!keys)
      return false;
    for (size_t i = 0; i < set->cap; i++)
      if (set->keys[i])
        put(keys, cap, set->keys[i]);
    free(set->keys);
    set->keys = keys;
    set->cap = cap;
  }
  put(set->keys, set->cap, key_of(st));
  set->count++; /* at most one too many for a key that was there */
  return true;
}

bool inodes_has(const inodes *set, const struct stat *st)
{
  uint64_t key = key_of(st);
  if (!set->cap)
    return false;
  for (size_t i = (size_t)(key >> 20) & (set->cap - 1); set->keys[i]; i = (i + 1) & (set->cap - 1))
    if (set->keys[i] == key)
      return true;
  return false;
}

void inodes_free(inodes *set)
{
  free(set->keys);
  *set = (inodes){ 0 };
}
