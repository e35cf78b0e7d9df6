/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "lock.h"

static session *sessions;

ese_result session_new(const char *root, session **out)
{
  session *made = calloc(1, sizeof *made);
  ese_result result = made ? store_load(&made->now, root) : ESE_E_NOT_ENOUGH_MEMORY;
  *out = NULL;
  if (result < 0) {
    free(made);
    return result;
  }
  memcpy(made->root, made->now.root, sizeof made->root);
  made->next = sessions;
  sessions = made;
  *out = made;
  return ESE_OK;
}

void session_free(session *gone)
{
  session **at = &sessions;
  session_leave_group(gone);
  while (*at != gone)
    at = &(*at)->next;
  *at = gone->next;
  free(gone);
}

ese_result session_enter(ese_context context, const char *call, session **out)
{
  session *at;
  ese_result result;
  for (at = sessions; at && at != context; at = at->next)
    continue;
  *out = at;
  if (!at)
    return ESE_E_NO_BACKUP;
  result = store_load(&at->now, at->root);
  return result < 0 ? result : fault_call(&at->now, call);
}

void session_leave_group(session *of)
{
  while (of->readers)
    reader_close(of, of->readers);
  if (of->set_up)
    lock_release(&of->of, (uintptr_t)of);
  free(of->log_read);
  of->log_read = NULL;
  of->set_up = of->listed = of->truncated = false;
  memset(of->streams_read, 0, sizeof of->streams_read);
}

bool session_has_database(const session *of, uint32_t number)
{
  return of->streams_read[number] == (1u << of->of.streams) - 1;
}

/* A database by one of its streams, mounted; else a log that was offered. */
static ese_result find(session *of, const char *path, reader *out)
{
  char known[PATH_CAP];
  uint32_t n, stream, generation;
  for (n = 0; n < of->of.database_count; n++)
    for (stream = 0; stream < of->of.streams; stream++) {
      database_path(&of->of, &of->of.databases[n], stream, known);
      if (strcmp(known, path) || !of->of.databases[n].mounted)
        continue;
      out->which = n;
      out->stream = stream;
      return of->listed || of->type == ESE_BACKUP_LOGS_ONLY ? ESE_E_INVALID_BACKUP_SEQUENCE : ESE_OK;
    }
  generation = log_generation(&of->of, path_base(path));
  log_path(&of->of, generation, known);
  if (!generation || strcmp(known, path))
    return ESE_E_FILE_NOT_FOUND;
  if (!of->listed)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  out->is_log = true;
  out->which = generation;
  return generation < of->offered_low || generation > of->offered_high ? ESE_E_FILE_NOT_FOUND : ESE_OK;
}

ese_result reader_open(session *of, const char *path, reader **out, int64_t *size)
{
  reader *made = calloc(1, sizeof *made);
  ese_result result = made ? find(of, path, made) : ESE_E_NOT_ENOUGH_MEMORY;
  if (result >= 0)
    made->file = files_open(path, &result);
  if (result < 0) {
    free(made);
    return result;
  }
  made->next = of->readers;
  of->readers = made;
  *size = files_size(made->file);
  *out = made;
  return ESE_OK;
}

/* The header as a copy has it: which logs it needs is in it. */
static ese_result copy_header(const session *of, const reader *from, uint8_t bytes[PAGE_SIZE])
{
  database_header header;
  ese_result result = database_read_header(&of->of, &of->of.databases[from->which], &header);
  if (result < 0)
    return result;
  header.state = DATABASE_COPY;
  header.copy_low = of->low;
  header.copy_high = of->high;
  header_bytes(&header, bytes);
  return ESE_OK;
}

static ese_result refill(const session *of, reader *from)
{
  size_t got = 0;
  int tries;
  ese_result result = ESE_OK;
  from->used = from->held = 0;
  if (!from->is_log && from->at < (int64_t)HEADER_PAGES * PAGE_SIZE) {
    result = copy_header(of, from, from->buffer);
    got = result < 0 ? 0 : PAGE_SIZE;
  } else
    for (tries = 0; tries < 5; tries++) { /* a writer may be in the middle of the page */
      result = files_read_at(from->file, from->at, from->buffer, PAGE_SIZE, &got);
      if (result < 0 || from->is_log || got < PAGE_SIZE || page_bytes_good(from->buffer))
        break;
      result = ESE_E_READ_VERIFY_FAILURE;
    }
  if (result < 0)
    return result;
  from->held = (uint32_t)got;
  from->at += (int64_t)got;
  return ESE_OK;
}

static void read_to_end(session *of, const reader *from)
{
  if (from->is_log)
    of->log_read[from->which - of->offered_low] = true;
  else
    of->streams_read[from->which] |= 1u << from->stream;
}

ese_result reader_read(session *of, reader *from, void *out, uint32_t size, uint32_t *got)
{
  uint8_t *to = out;
  ese_result result = ESE_OK;
  *got = 0;
  size = fault_shorten(&of->now, size);
  while (*got < size) {
    uint32_t piece;
    if (from->used == from->held && (result = refill(of, from)) < 0)
      return result;
    piece = from->held - from->used;
    if (!piece)
      break;
    if (piece > size - *got)
      piece = size - *got;
    memcpy(to + *got, from->buffer + from->used, piece);
    from->used += piece;
    *got += piece;
  }
  if (from->used == from->held && from->at >= files_size(from->file))
    read_to_end(of, from);
  return ESE_OK;
}

bool reader_known(const session *of, const reader *one)
{
  const reader *at = of->readers;
  while (at && at != one)
    at = at->next;
  return at != NULL;
}

ese_result reader_close(session *of, reader *gone)
{
  reader **at = &of->readers;
  while (*at && *at != gone)
    at = &(*at)->next;
  if (!*at)
    return ESE_E_INVALID_PARAMETER;
  *at = gone->next;
  files_close(gone->file);
  free(gone);
  return ESE_OK;
}
