/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock.h"

typedef struct replaying {
  replay_target *targets;
  uint32_t count;
} replaying;

ese_result replay_open(replay_target *out, uint32_t index, uint32_t streams, char paths[][PATH_CAP])
{
  ese_result result = ESE_OK;
  uint32_t stream;
  out->index = index;
  out->streams = streams;
  for (stream = 0; stream < STREAMS_MOST; stream++)
    out->files[stream] = -1;
  for (stream = 0; stream < streams && result >= 0; stream++)
    out->files[stream] = files_open(paths[stream], &result);
  if (result < 0)
    replay_close(out);
  return result;
}

void replay_close(replay_target *target)
{
  uint32_t stream;
  for (stream = 0; stream < STREAMS_MOST; stream++) {
    files_close(target->files[stream]);
    target->files[stream] = -1;
  }
}

static ese_result apply(void *arg, const log_record *record)
{
  replaying *to = arg;
  uint32_t n, stream;
  for (n = 0; n < to->count; n++) {
    replay_target *target = &to->targets[n];
    page now;
    int64_t at;
    ese_result result;
    if (target->index != record->database)
      continue;
    if (record->length > PAGE_CONTENT)
      return ESE_E_LOG_FILE_CORRUPT;
    at = page_place(target->streams, record->page, &stream);
    if ((result = page_read(target->files[stream], at, &now)) < 0)
      return result;
    if (now.transaction >= record->transaction)
      return ESE_OK;
    now.number = record->page;
    now.transaction = record->transaction;
    now.length = record->length;
    memcpy(now.content, record->content, record->length);
    return page_write(target->files[stream], at, &now);
  }
  return ESE_OK;
}

ese_result replay_log(const char *path, replay_target *targets, uint32_t count, uint64_t *next, bool *closed)
{
  replaying to = {targets, count};
  log_header header;
  log_end end;
  ese_result result = log_scan(path, &header, apply, &to, &end);
  if (result >= 0) {
    *next = end.next_transaction;
    if (closed)
      *closed = end.closed;
  }
  return result;
}

ese_result replay_newest(const replay_target *target, uint64_t *newest)
{
  uint32_t stream;
  *newest = 0;
  for (stream = 0; stream < target->streams; stream++) {
    int64_t size = files_size(target->files[stream]), at;
    for (at = HEADER_PAGES * PAGE_SIZE; at < size; at += PAGE_SIZE) {
      page one;
      ese_result result = page_read(target->files[stream], at, &one);
      if (result < 0)
        return result;
      if (one.transaction > *newest)
        *newest = one.transaction;
    }
  }
  return ESE_OK;
}

typedef struct checkpoint {
  uint32_t checksum, generation;
  uint8_t signature[LOG_SIGNATURE];
} checkpoint;

static ese_result checkpoint_path(const group *of, char *out)
{
  char name[BASE_CAP + 8];
  snprintf(name, sizeof name, "%s.chk", of->base);
  return path_join(out, of->directory, name);
}

ese_result checkpoint_write(const group *of, uint32_t generation)
{
  char path[PATH_CAP];
  checkpoint written = {0, generation, {0}};
  log_header header;
  log_end end;
  ese_result result = log_current(of, &header, &end);
  if (result < 0 || (result = checkpoint_path(of, path)) < 0)
    return result;
  memcpy(written.signature, header.signature, LOG_SIGNATURE);
  written.checksum = checksum(&written.generation, sizeof written - 4);
  return files_replace(path, &written, sizeof written);
}

ese_result checkpoint_read(const group *of, uint32_t *generation)
{
  char path[PATH_CAP];
  checkpoint read;
  log_header header;
  log_end end;
  size_t got = 0;
  int file;
  ese_result result = log_current(of, &header, &end);
  if (result < 0 || (result = checkpoint_path(of, path)) < 0)
    return result;
  file = files_open(path, &result);
  if (file >= 0)
    result = files_read_at(file, 0, &read, sizeof read, &got);
  files_close(file);
  if (result < 0)
    return result;
  if (got != sizeof read || read.checksum != checksum(&read.generation, sizeof read - 4) || memcmp(read.signature, header.signature, LOG_SIGNATURE))
    return ESE_E_LOG_FILE_CORRUPT;
  *generation = read.generation;
  return ESE_OK;
}

static ese_result open_database(replay_target *out, const group *of, const database *one)
{
  char paths[STREAMS_MOST][PATH_CAP];
  uint32_t stream;
  for (stream = 0; stream < of->streams; stream++)
    database_path(of, one, stream, paths[stream]);
  return replay_open(out, one->index, of->streams, paths);
}

/* Applies the logs from the checkpoint to before `end`, at most the current one, to these databases. */
static ese_result bring_up(const group *of, const database *const *which, uint32_t count, uint32_t end)
{
  replay_target targets[DATABASES_MOST];
  log_header header;
  log_end tail;
  uint32_t generation, opened = 0;
  uint64_t next;
  ese_result result = log_current(of, &header, &tail);
  if (result >= 0)
    result = checkpoint_read(of, &generation);
  if (end > header.generation)
    end = header.generation + 1;
  while (result >= 0 && opened < count) {
    result = open_database(&targets[opened], of, which[opened]);
    opened += result >= 0;
  }
  for (; result >= 0 && generation < end; generation++) {
    char path[PATH_CAP];
    log_path(of, generation == header.generation ? 0 : generation, path);
    result = replay_log(path, targets, count, &next, NULL);
  }
  while (opened)
    replay_close(&targets[--opened]);
  return result;
}

/* Circular: what lies below the checkpoint goes, but nothing that a running backup will read. */
static ese_result drop_circular(const group *of, uint32_t keep_from)
{
  log_range range;
  session_lock held;
  ese_result result = log_ranges(of, of->directory, &range);
  if (lock_held(of, &held) && held.low < keep_from)
    keep_from = held.low;
  while (result >= 0 && range.oldest && range.oldest < keep_from && range.oldest <= range.newest) {
    char path[PATH_CAP];
    log_path(of, range.oldest++, path);
    result = files_remove(path);
  }
  return result;
}

ese_result checkpoint_move(const group *of, uint32_t generation)
{
  const database *mounted[DATABASES_MOST];
  uint32_t count = 0, n, now;
  ese_result result = checkpoint_read(of, &now);
  for (n = 0; n < of->database_count; n++)
    if (of->databases[n].mounted)
      mounted[count++] = &of->databases[n];
  if (result >= 0 && generation > now) {
    result = bring_up(of, mounted, count, generation);
    if (result >= 0)
      result = checkpoint_write(of, generation);
    now = generation;
  }
  return result >= 0 && of->circular ? drop_circular(of, now) : result;
}

ese_result database_flush(const group *of, const database *one)
{
  return bring_up(of, &one, 1, UINT32_MAX);
}

ese_result stream_roll(const group *of)
{
  log_header header;
  log_end end;
  ese_result result = log_roll(of);
  if (result < 0 || (result = log_current(of, &header, &end)) < 0)
    return result;
  return checkpoint_move(of, header.generation > of->lag ? header.generation - of->lag : 1);
}

/* Into the log, the current one or a new one. */
static ese_result append(const group *of, log_record *record)
{
  bool full;
  ese_result result = log_append(of, record, &full);
  if (result < 0 || !full)
    return result;
  result = stream_roll(of);
  return result < 0 ? result : log_append(of, record, &full);
}

ese_result stream_pass(const group *of, const database *one)
{
  log_record nothing = {0};
  replay_target target;
  ese_result result = open_database(&target, of, one);
  if (result < 0)
    return result;
  result = replay_newest(&target, &nothing.transaction);
  replay_close(&target);
  return result < 0 || !nothing.transaction ? result : append(of, &nothing);
}

ese_result stream_write(const group *of, const database *one, uint32_t number, const void *content, uint32_t length, bool flush)
{
  log_record record = {0, one->index, number, length, content};
  char path[PATH_CAP];
  page changed;
  uint32_t stream;
  int64_t at;
  int file;
  ese_result result = length > PAGE_CONTENT ? ESE_E_INVALID_PARAMETER : append(of, &record);
  if (result < 0 || !flush)
    return result;
  at = page_place(of->streams, number, &stream);
  database_path(of, one, stream, path);
  file = files_open(path, &result);
  if (file < 0)
    return result;
  memset(&changed, 0, sizeof changed);
  changed.number = number;
  changed.transaction = record.transaction;
  changed.length = length;
  memcpy(changed.content, content, length);
  result = page_write(file, at, &changed);
  files_close(file);
  return result;
}
