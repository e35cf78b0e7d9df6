/* SPDX-License-Identifier: Apache-2.0 */
/* What mailboxes and time do to a group: transactions, rolled logs, checkpoints. They go on while a backup runs. */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "esesim.h"
#include "replay.h"

#define PAGES 24u /* random transactions fall on so many pages of a database */

ese_result esesim_put(const char *root, const char *name, const char *database_name, uint32_t page, const char *content,
                      uint32_t flush)
{
  group of;
  const database *one;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  one = group_database(&of, database_name);
  result = one && one->mounted ? stream_write(&of, one, page, content, (uint32_t)strlen(content), flush) : ESE_E_DATABASE_NOT_FOUND;
  group_unguard(guard);
  return result;
}

static uint32_t next_random(uint32_t *state)
{
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

ese_result esesim_write(const char *root, const char *name, uint32_t count, uint32_t seed, uint32_t flush_percent)
{
  group of;
  const database *mounted[DATABASES_MOST];
  uint32_t n, databases = 0, state = seed;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  for (n = 0; n < of.database_count; n++)
    if (of.databases[n].mounted)
      mounted[databases++] = &of.databases[n];
  for (n = 0; databases && n < count && result >= 0; n++) {
    const database *one = mounted[next_random(&state) % databases];
    uint32_t page = next_random(&state) % PAGES;
    bool flush = next_random(&state) % 100 < flush_percent;
    char content[48];
    int length = snprintf(content, sizeof content, "seed %u, write %u: %06x", (unsigned)seed, (unsigned)n,
                          (unsigned)next_random(&state) & 0xFFFFFFu);
    result = stream_write(&of, one, page, content, (uint32_t)length, flush);
  }
  group_unguard(guard);
  return result;
}

ese_result esesim_roll(const char *root, const char *name)
{
  group of;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  result = stream_roll(&of);
  group_unguard(guard);
  return result;
}

ese_result esesim_checkpoint(const char *root, const char *name, uint32_t lag)
{
  group of;
  log_header header;
  log_end end;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  result = log_current(&of, &header, &end);
  if (result >= 0)
    result = checkpoint_move(&of, header.generation > lag ? header.generation - lag : 1);
  group_unguard(guard);
  return result;
}

ese_result esesim_stretch(const char *root, const char *name, const char *database_name, int64_t size)
{
  group of;
  const database *one;
  ese_result result;
  char path[PATH_CAP];
  int file, guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  one = group_database(&of, database_name);
  if (one) {
    database_path(&of, one, 0, path);
    file = files_open(path, &result);
    if (file >= 0)
      result = size > files_size(file) ? files_set_size(file, size) : ESE_E_INVALID_PARAMETER;
    files_close(file);
  } else
    result = ESE_E_DATABASE_NOT_FOUND;
  group_unguard(guard);
  return result;
}
