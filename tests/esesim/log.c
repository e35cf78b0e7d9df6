/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MARK_RECORD 0x31434552u /* "REC1" */
#define MARK_END 0x444E4545u    /* "EEND" */
#define FILE_TYPE_LOG 3u

uint32_t checksum(const void *data, size_t size)
{
  const uint8_t *byte = data, *end = byte + size;
  uint32_t sum = 2166136261u;
  while (byte < end)
    sum = (sum ^ *byte++) * 16777619u;
  return sum;
}

void log_time(int64_t shift_s, uint8_t out[LOG_TIME])
{
  time_t now = (time_t)(time(NULL) + shift_s);
  struct tm parts = *gmtime(&now);
  memset(out, 0, LOG_TIME);
  out[0] = (uint8_t)parts.tm_sec;
  out[1] = (uint8_t)parts.tm_min;
  out[2] = (uint8_t)parts.tm_hour;
  out[3] = (uint8_t)parts.tm_mday;
  out[4] = (uint8_t)(parts.tm_mon + 1);
  out[5] = (uint8_t)parts.tm_year;
}

void log_path(const group *of, uint32_t generation, char *out)
{
  char name[BASE_CAP + 16];
  if (generation)
    snprintf(name, sizeof name, "%s%0*X.log", of->base, (int)of->digits, (unsigned)generation);
  else
    snprintf(name, sizeof name, "%s.log", of->base);
  if (path_join(out, of->directory, name) < 0)
    *out = 0;
}

uint32_t log_generation(const group *of, const char *name)
{
  size_t base = strlen(of->base), digit;
  if (strlen(name) != base + of->digits + 4 || strncmp(name, of->base, base) || strcmp(name + base + of->digits, ".log"))
    return 0;
  for (digit = 0; digit < of->digits; digit++)
    if (!isxdigit((unsigned char)name[base + digit]))
      return 0;
  return (uint32_t)strtoul(name + base, NULL, 16);
}

typedef struct counting {
  const group *of;
  log_range range;
  uint32_t count;
} counting;

static void count_log(void *arg, const char *name)
{
  counting *seen = arg;
  uint32_t generation = log_generation(seen->of, name);
  if (!generation)
    return;
  seen->count++;
  if (!seen->range.oldest || generation < seen->range.oldest)
    seen->range.oldest = generation;
  if (generation > seen->range.newest)
    seen->range.newest = generation;
}

ese_result log_ranges(const group *of, const char *directory, log_range *out)
{
  counting seen = {of, {0, 0, false}, 0};
  ese_result result = files_list(directory, count_log, &seen);
  seen.range.gap = seen.count && seen.count != seen.range.newest - seen.range.oldest + 1;
  *out = seen.range;
  return result;
}

static ese_result create(const group *of, const log_header *header)
{
  uint8_t block[LOG_HEADER] = {0};
  char fresh[PATH_CAP], path[PATH_CAP], name[BASE_CAP + 16];
  uint32_t type = FILE_TYPE_LOG, sum;
  ese_result result;
  int file;
  snprintf(name, sizeof name, "%stmp.log", of->base);
  if ((result = path_join(fresh, of->directory, name)) < 0)
    return result;
  memcpy(block + 4, &header->generation, 4);
  memcpy(block + 16, header->created, LOG_TIME);
  memcpy(block + 24, header->previous, LOG_TIME);
  memcpy(block + 44, header->signature, LOG_SIGNATURE);
  memcpy(block + 667, &type, 4);
  memcpy(block + 1024, &header->next_transaction, 8);
  sum = checksum(block + 4, sizeof block - 4);
  memcpy(block, &sum, 4);
  files_remove(fresh); /* of a roll that a crash cut short */
  file = files_create(fresh, &result);
  if (file < 0)
    return result;
  result = files_write_at(file, 0, block, sizeof block);
  if (result >= 0)
    result = files_set_size(file, of->log_size);
  files_close(file);
  log_path(of, 0, path);
  return result < 0 ? result : files_rename(fresh, path);
}

ese_result log_start(const group *of, uint32_t generation, uint64_t next_transaction)
{
  log_header header = {.generation = generation, .next_transaction = next_transaction};
  log_time(of->clock_s, header.created);
  random_bytes(header.signature, 4);
  memcpy(header.signature + 4, header.created, LOG_TIME);
  memcpy(header.signature + 12, "ESESIM", 6);
  return create(of, &header);
}

static ese_result parse_header(const uint8_t *block, log_header *out)
{
  uint32_t sum, type;
  memcpy(&sum, block, 4);
  memcpy(&type, block + 667, 4);
  if (sum != checksum(block + 4, LOG_HEADER - 4) || type != FILE_TYPE_LOG)
    return ESE_E_LOG_FILE_CORRUPT;
  memcpy(&out->generation, block + 4, 4);
  memcpy(out->created, block + 16, LOG_TIME);
  memcpy(out->previous, block + 24, LOG_TIME);
  memcpy(out->signature, block + 44, LOG_SIGNATURE);
  memcpy(&out->next_transaction, block + 1024, 8);
  return ESE_OK;
}

ese_result log_read_header(const char *path, log_header *out)
{
  uint8_t block[LOG_HEADER];
  size_t got = 0;
  ese_result result;
  int file = files_open(path, &result);
  if (file < 0)
    return result;
  result = files_read_at(file, 0, block, sizeof block, &got);
  files_close(file);
  if (result < 0)
    return result;
  return got < sizeof block ? ESE_E_LOG_FILE_CORRUPT : parse_header(block, out);
}

static uint32_t padded(uint32_t length)
{
  return (length + 7u) & ~7u;
}

/* The record at `offset`: its mark, or 0 when there is none. */
static uint32_t parse_record(const uint8_t *log, uint32_t size, uint32_t offset, log_record *out)
{
  uint32_t head[2];
  if (offset + LOG_RECORD > size)
    return 0;
  memcpy(head, log + offset, 8);
  memcpy(&out->transaction, log + offset + 8, 8);
  memcpy(&out->database, log + offset + 16, 4);
  memcpy(&out->page, log + offset + 20, 4);
  memcpy(&out->length, log + offset + 24, 4);
  out->content = log + offset + LOG_RECORD;
  if (head[0] != MARK_RECORD && head[0] != MARK_END)
    return 0;
  if (out->length > size - offset - LOG_RECORD || head[1] != checksum(log + offset + 8, LOG_RECORD - 8 + out->length))
    return 0;
  return head[0];
}

ese_result log_scan(const char *path, log_header *header, log_visit visit, void *arg, log_end *end)
{
  ese_result result;
  uint8_t *log = NULL;
  size_t got = 0;
  log_record record;
  uint32_t mark;
  int file = files_open(path, &result);
  int64_t size = file < 0 ? 0 : files_size(file);
  if (file < 0)
    return result;
  log = size >= LOG_HEADER ? malloc((size_t)size) : NULL;
  result = log ? files_read_at(file, 0, log, (size_t)size, &got) : ESE_E_LOG_FILE_CORRUPT;
  files_close(file);
  if (result >= 0)
    result = parse_header(log, header);
  end->offset = LOG_HEADER;
  end->next_transaction = header->next_transaction;
  end->closed = false;
  while (result >= 0 && !end->closed && (mark = parse_record(log, (uint32_t)got, end->offset, &record)) != 0) {
    if (mark == MARK_END) {
      end->closed = true;
      break;
    }
    end->offset += LOG_RECORD + padded(record.length);
    end->next_transaction = record.transaction + 1;
    if (visit)
      result = visit(arg, &record);
  }
  free(log);
  return result;
}

ese_result log_current(const group *of, log_header *header, log_end *end)
{
  char path[PATH_CAP];
  log_range range;
  log_path(of, 0, path);
  if (!files_exists(path)) { /* a crash after the rename in log_roll */
    log_header last;
    ese_result result = log_ranges(of, of->directory, &range);
    if (result < 0 || !range.newest)
      return result < 0 ? result : ESE_E_FILE_NOT_FOUND;
    log_path(of, range.newest, path);
    if ((result = log_scan(path, &last, NULL, NULL, end)) < 0)
      return result;
    last.generation++;
    memcpy(last.previous, last.created, LOG_TIME);
    log_time(of->clock_s, last.created);
    last.next_transaction = end->next_transaction;
    if ((result = create(of, &last)) < 0)
      return result;
    log_path(of, 0, path);
  }
  return log_scan(path, header, NULL, NULL, end);
}

static ese_result write_record(const group *of, uint32_t mark, const log_record *record, uint32_t offset)
{
  uint32_t size = LOG_RECORD + padded(record->length), sum;
  uint8_t *bytes = calloc(1, size);
  char path[PATH_CAP];
  ese_result result;
  int file;
  if (!bytes)
    return ESE_E_NOT_ENOUGH_MEMORY;
  memcpy(bytes, &mark, 4);
  memcpy(bytes + 8, &record->transaction, 8);
  memcpy(bytes + 16, &record->database, 4);
  memcpy(bytes + 20, &record->page, 4);
  memcpy(bytes + 24, &record->length, 4);
  if (record->length)
    memcpy(bytes + LOG_RECORD, record->content, record->length);
  sum = checksum(bytes + 8, LOG_RECORD - 8 + record->length);
  memcpy(bytes + 4, &sum, 4);
  log_path(of, 0, path);
  file = files_open(path, &result);
  if (file >= 0)
    result = files_write_at(file, offset, bytes, size);
  files_close(file);
  free(bytes);
  return result;
}

ese_result log_append(const group *of, log_record *record, bool *full)
{
  log_header header;
  log_end end;
  ese_result result = log_current(of, &header, &end);
  uint32_t needed = LOG_RECORD + padded(record->length) + LOG_RECORD; /* the end mark must still fit */
  *full = false;
  if (result < 0)
    return result;
  if (LOG_HEADER + needed > of->log_size)
    return ESE_E_INVALID_PARAMETER;
  if (record->transaction < end.next_transaction)
    record->transaction = end.next_transaction;
  *full = end.closed || end.offset + needed > of->log_size;
  return *full ? ESE_OK : write_record(of, MARK_RECORD, record, end.offset);
}

ese_result log_roll(const group *of)
{
  char current[PATH_CAP], closed[PATH_CAP];
  log_header header;
  log_end end;
  log_record mark = {0};
  ese_result result = log_current(of, &header, &end);
  if (result < 0)
    return result;
  mark.transaction = end.next_transaction;
  if (!end.closed && (result = write_record(of, MARK_END, &mark, end.offset)) < 0)
    return result;
  log_path(of, 0, current);
  log_path(of, header.generation, closed);
  result = files_rename(current, closed);
  return result < 0 ? result : log_current(of, &header, &end);
}
