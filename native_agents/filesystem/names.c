/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "names.h"

#define FIRST_BYTES 4096u
#define RECORD_MOST (2u + NAME_MAX)

/* By the bytes of the names, that of a directory with a slash at its end. */
static int compare(const uint8_t *a, const uint8_t *b)
{
  uint32_t shorter = a[1] < b[1] ? a[1] : b[1];
  int order = memcmp(a + 2, b + 2, shorter);
  int ends_a, ends_b;
  if (order)
    return order;
  ends_a = a[1] > shorter ? a[2 + shorter] : a[0] == DT_DIR ? '/' : 0;
  ends_b = b[1] > shorter ? b[2 + shorter] : b[0] == DT_DIR ? '/' : 0;
  return ends_a != ends_b ? ends_a - ends_b : a[1] - b[1];
}

static int compare_at(const void *a, const void *b, void *text)
{
  return compare((uint8_t *)text + *(const uint32_t *)a, (uint8_t *)text + *(const uint32_t *)b);
}

static void sort(names *n)
{
  uint32_t i = 1;
  while (i < n->count && compare(n->text + n->order[i - 1], n->text + n->order[i]) <= 0)
    i++;
  if (i < n->count)
    qsort_r(n->order, n->count, sizeof *n->order, compare_at, n->text);
}

static bool grow(void **memory, uint32_t *size, uint32_t needed, uint32_t least)
{
  uint32_t wanted = *size ? *size : least;
  void *grown;
  while (wanted < needed)
    wanted *= 2;
  if (wanted == *size)
    return true;
  grown = realloc(*memory, wanted);
  if (!grown)
    return false;
  *memory = grown;
  *size = wanted;
  return true;
}

/* Keeps the first half, in its order; no later name comes in that lies behind it. */
static bool halve(names *n)
{
  uint32_t kept = n->count / 2, used = 0;
  uint8_t *text;
  sort(n);
  text = malloc(n->text_size);
  if (!text)
    return false;
  for (uint32_t i = 0; i < kept; i++) {
    const uint8_t *record = n->text + n->order[i];
    memcpy(text + used, record, 2u + record[1]);
    n->order[i] = used;
    used += 2u + record[1];
  }
  free(n->text);
  n->text = text;
  n->used = used;
  n->count = kept;
  n->more = true;
  return true;
}

void names_begin(names *n)
{
  n->count = n->next = n->used = 0;
  n->more = false;
}

bool names_add(names *n, const struct dirent64 *entry, uint32_t most)
{
  uint8_t record[RECORD_MOST];
  size_t length = strlen(entry->d_name);
  if (!length || length > NAME_MAX)
    return true;
  record[0] = entry->d_type;
  record[1] = (uint8_t)length;
  memcpy(record + 2, entry->d_name, length);
  if (n->bound[1] && compare(record, n->bound) <= 0)
    return true; /* of a reading before */
  if (n->more && compare(record, n->text + n->order[n->next]) > 0)
    return true; /* of one to come */
  if (n->count > 1 && n->used + 2 + length + (n->count + 1) * sizeof *n->order > most) {
    if (!halve(n))
      return false;
    n->next = n->count - 1; /* the largest that is kept */
    if (compare(record, n->text + n->order[n->next]) > 0)
      return true;
  }
  if (!grow((void **)&n->text, &n->text_size, n->used + RECORD_MOST, FIRST_BYTES)
      || !grow((void **)&n->order, &n->order_size, (n->count + 1) * (uint32_t)sizeof *n->order, FIRST_BYTES / 8))
    return false;
  memcpy(n->text + n->used, record, 2 + length);
  n->order[n->count++] = n->used;
  n->used += 2 + (uint32_t)length;
  return true;
}

bool names_end(names *n)
{
  uint8_t *text;
  uint32_t *order;
  sort(n);
  n->next = 0;
  if (!n->count) {
    names_free(n);
    return true;
  }
  text = realloc(n->text, n->used);
  order = realloc(n->order, n->count * sizeof *n->order);
  n->text = text ? text : n->text;
  n->order = order ? order : n->order;
  n->text_size = n->used;
  n->order_size = n->count * (uint32_t)sizeof *n->order;
  return text && order;
}

const char *names_next(names *n, unsigned char *type, char name[NAME_MAX + 1])
{
  const uint8_t *record;
  if (n->next == n->count)
    return NULL;
  record = n->text + n->order[n->next++];
  memcpy(n->bound, record, 2u + record[1]);
  *type = record[0];
  memcpy(name, record + 2, record[1]);
  name[record[1]] = 0;
  return name;
}

uint32_t names_bytes(const names *n)
{
  return n->text_size + n->order_size;
}

void names_free(names *n)
{
  free(n->text);
  free(n->order);
  n->text = NULL;
  n->order = NULL;
  n->count = n->next = n->used = n->text_size = n->order_size = 0;
}
