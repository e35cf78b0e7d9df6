/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "small.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_BYTES = 8, KEPT_BYTES = 1 << 20 };

static bool reserve(small *s, uint64_t more)
{
  size_t cap = s->cap ? s->cap : 4096;
  uint8_t *bytes;
  if (more > SMALL_MAX - s->used)
    return false;
  while (cap < s->used + more)
    cap *= 2;
  if (cap == s->cap)
    return true;
  bytes = realloc(s->bytes, cap);
  if (!bytes)
    return false;
  s->bytes = bytes;
  s->cap = cap;
  return true;
}

void small_clear(small *s)
{
  if (s->cap > KEPT_BYTES) /* one huge entry must not cost for the rest of the Job */
    small_free(s);
  s->used = s->open = 0;
}

bool small_start(small *s, uint32_t stream)
{
  uint32_t head[2] = { stream, 0 };
  if (!reserve(s, HEAD_BYTES))
    return false;
  s->open = s->used;
  memcpy(s->bytes + s->used, head, HEAD_BYTES);
  s->used += HEAD_BYTES;
  return true;
}

bool small_write(small *s, const void *data, uint64_t len)
{
  uint32_t total;
  size_t end;
  memcpy(&total, s->bytes + s->open + 4, sizeof total);
  end = s->open + HEAD_BYTES + total;
  if (len > SMALL_MAX || !reserve(s, len + 8))
    return false;
  memcpy(s->bytes + end, data, len);
  total += (uint32_t)len;
  memcpy(s->bytes + s->open + 4, &total, sizeof total);
  end += len;
  for (s->used = end; s->used % 8; s->used++)
    s->bytes[s->used] = 0;
  return true;
}

void small_free(small *s)
{
  free(s->bytes);
  *s = (small){ 0 };
}
