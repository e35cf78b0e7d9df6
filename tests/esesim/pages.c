/* SPDX-License-Identifier: Apache-2.0 */
#include "pages.h"

#include <string.h>

#define HEADER_MAGIC 0x89ABCDEFu
#define READ_TRIES 5

int64_t page_place(uint32_t streams, uint32_t number, uint32_t *stream)
{
  *stream = number % streams;
  return ((int64_t)(number / streams) + HEADER_PAGES) * PAGE_SIZE;
}

bool page_bytes_good(const uint8_t bytes[PAGE_SIZE])
{
  static const uint8_t zeros[PAGE_SIZE];
  uint32_t sum;
  memcpy(&sum, bytes, 4);
  return sum == checksum(bytes + 4, PAGE_SIZE - 4) || !memcmp(bytes, zeros, PAGE_SIZE);
}

ese_result page_read(int file, int64_t at, page *out)
{
  uint8_t bytes[PAGE_SIZE] = {0};
  size_t got;
  int tries;
  for (tries = 0; tries < READ_TRIES; tries++) { /* a writer may have been in the middle of it */
    ese_result result = files_read_at(file, at, bytes, sizeof bytes, &got);
    if (result < 0)
      return result;
    if (page_bytes_good(bytes)) {
      memcpy(&out->number, bytes + 4, 4);
      memcpy(&out->transaction, bytes + 8, 8);
      memcpy(&out->length, bytes + 16, 4);
      memcpy(out->content, bytes + PAGE_HEAD, PAGE_CONTENT);
      return out->length > PAGE_CONTENT ? ESE_E_READ_VERIFY_FAILURE : ESE_OK;
    }
  }
  return ESE_E_READ_VERIFY_FAILURE;
}

ese_result page_write(int file, int64_t at, const page *in)
{
  uint8_t bytes[PAGE_SIZE] = {0};
  uint32_t sum;
  memcpy(bytes + 4, &in->number, 4);
  memcpy(bytes + 8, &in->transaction, 8);
  memcpy(bytes + 16, &in->length, 4);
  memcpy(bytes + PAGE_HEAD, in->content, in->length);
  sum = checksum(bytes + 4, PAGE_SIZE - 4);
  memcpy(bytes, &sum, 4);
  return files_write_at(file, at, bytes, sizeof bytes);
}

void header_bytes(const database_header *header, uint8_t out[PAGE_SIZE])
{
  uint32_t magic = HEADER_MAGIC, sum;
  memset(out, 0, PAGE_SIZE);
  memcpy(out + 4, &magic, 4);
  memcpy(out + 8, header, sizeof *header);
  sum = checksum(out + 4, PAGE_SIZE - 4);
  memcpy(out, &sum, 4);
}

ese_result header_read(const char *path, database_header *out)
{
  uint8_t bytes[PAGE_SIZE];
  uint32_t magic, copy;
  size_t got;
  bool good = false;
  ese_result result;
  int file = files_open(path, &result);
  if (file < 0)
    return result;
  for (copy = 0; copy < HEADER_PAGES && result >= 0 && !good; copy++) {
    result = files_read_at(file, (int64_t)copy * PAGE_SIZE, bytes, sizeof bytes, &got);
    memcpy(&magic, bytes + 4, 4);
    good = result >= 0 && got == sizeof bytes && page_bytes_good(bytes) && magic == HEADER_MAGIC;
  }
  files_close(file);
  if (result >= 0 && !good)
    return ESE_E_READ_VERIFY_FAILURE;
  if (good)
    memcpy(out, bytes + 8, sizeof *out);
  return result;
}

ese_result header_write(const char *path, const database_header *header)
{
  uint8_t bytes[PAGE_SIZE];
  uint32_t copy;
  ese_result result;
  int file = files_open(path, &result);
  if (file < 0)
    return result;
  header_bytes(header, bytes);
  for (copy = 0; copy < HEADER_PAGES && result >= 0; copy++)
    result = files_write_at(file, (int64_t)copy * PAGE_SIZE, bytes, sizeof bytes);
  files_close(file);
  return result;
}

ese_result database_write_header(const group *of, const database *one, const database_header *header)
{
  char path[PATH_CAP];
  uint32_t stream;
  ese_result result = ESE_OK;
  for (stream = 0; stream < of->streams && result >= 0; stream++) {
    database_path(of, one, stream, path);
    result = header_write(path, header);
  }
  return result;
}

ese_result database_read_header(const group *of, const database *one, database_header *header)
{
  char path[PATH_CAP];
  database_path(of, one, 0, path);
  return header_read(path, header);
}
