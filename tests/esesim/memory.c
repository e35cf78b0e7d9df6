/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esesim.h"
#include "files.h"
#include "text.h"

typedef struct piece {
  struct piece *next;
} piece;

typedef struct block {
  struct block *next;
  piece *pieces;
  enum memory_kind kind;
  uint32_t count;
  void *data; /* of its own, so that a sanitizer guards its end */
} block;

static const char *const freed_by[MEMORY_KINDS] = {"ESEBackupFreeInstanceInfo", "ESEBackupFree", "ESERestoreFreeEnvironment",
                                                   "ESEBackupRestoreFreeNodes", "ESEBackupRestoreFreeRegisteredInfo"};

static block *given;
static uint32_t wrong;

/* A line in ESESIM_ACCOUNT: it outlives a process that leaves without exit handlers. */
static void note(char sign, const char *call)
{
  const char *path = getenv("ESESIM_ACCOUNT");
  char line[64];
  if (path) {
    int length = snprintf(line, sizeof line, "%c %s\n", sign, call);
    files_append(path, line, (size_t)length);
  }
}

void *memory_give(enum memory_kind kind, size_t size, uint32_t count)
{
  block *made = calloc(1, sizeof *made);
  if (!made || !(made->data = calloc(1, size ? size : 1))) {
    free(made);
    return NULL;
  }
  made->kind = kind;
  made->count = count;
  made->next = given;
  given = made;
  note('+', freed_by[kind]);
  return made->data;
}

static block **find(const void *data)
{
  block **at = &given;
  while (*at && (*at)->data != data)
    at = &(*at)->next;
  return at;
}

void *memory_more(void *data, size_t size)
{
  block *of = *find(data);
  piece *more = calloc(1, sizeof *more + (size ? size : 1));
  if (!more)
    return NULL;
  more->next = of->pieces;
  of->pieces = more;
  return more + 1;
}

ese_char *memory_text(void *data, const char *text)
{
  size_t units = text_to_utf16(text, NULL);
  ese_char *out = units ? memory_more(data, units * sizeof *out) : NULL;
  if (out)
    text_to_utf16(text, out);
  return out;
}

static void release(block **at)
{
  block *gone = *at;
  *at = gone->next;
  note('-', freed_by[gone->kind]);
  while (gone->pieces) {
    piece *next = gone->pieces->next;
    free(gone->pieces);
    gone->pieces = next;
  }
  free(gone->data);
  free(gone);
}

void memory_take_back(enum memory_kind kind, void *data, uint32_t count)
{
  block **at = find(data);
  if (!data)
    return;
  if (*at && (*at)->kind == kind && (*at)->count == count) {
    release(at);
    return;
  }
  wrong++;
  note('!', freed_by[kind]);
}

void memory_drop(void *data)
{
  block **at = find(data);
  if (data && *at)
    release(at);
}

uint32_t esesim_unfreed(void)
{
  uint32_t count = 0;
  block *at;
  for (at = given; at; at = at->next)
    count++;
  return count;
}

uint32_t esesim_wrong_frees(void)
{
  return wrong;
}
