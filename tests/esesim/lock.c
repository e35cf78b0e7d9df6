/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Contexts of this process that hold a lock: another process of our number may have left one behind. */
static uint64_t own[GROUPS_MOST * 2];

static uint64_t *own_slot(uint64_t context)
{
  size_t n;
  for (n = 0; n < sizeof own / sizeof *own; n++)
    if (own[n] == context)
      return &own[n];
  return NULL;
}

bool lock_held(const group *of, session_lock *out)
{
  char path[PATH_CAP], *text;
  bool read;
  if (path_join(path, of->directory, "lock") < 0 || files_read_all(path, &text) < 0)
    return false;
  read = sscanf(text, "%" SCNu32 " %" SCNu64 " %" SCNu32, &out->pid, &out->context, &out->low) == 3;
  free(text);
  if (!read)
    return false;
  return out->pid == process_self() ? own_slot(out->context) != NULL : process_alive(out->pid);
}

ese_result lock_take(const group *of, uint64_t context, uint32_t low)
{
  char path[PATH_CAP], text[64];
  session_lock other;
  uint64_t *slot = own_slot(0);
  ese_result result = path_join(path, of->directory, "lock");
  int length = snprintf(text, sizeof text, "%" PRIu32 " %" PRIu64 " %" PRIu32 "\n", process_self(), context, low);
  if (result < 0)
    return result;
  if (lock_held(of, &other))
    return ESE_E_BACKUP_IN_PROGRESS;
  if (!slot)
    return ESE_E_NOT_ENOUGH_MEMORY;
  result = files_replace(path, text, (size_t)length);
  if (result >= 0)
    *slot = context;
  return result;
}

void lock_release(const group *of, uint64_t context)
{
  char path[PATH_CAP];
  uint64_t *slot = own_slot(context);
  if (slot)
    *slot = 0;
  if (path_join(path, of->directory, "lock") >= 0)
    files_remove(path);
}
