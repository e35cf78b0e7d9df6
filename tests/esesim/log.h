/* SPDX-License-Identifier: Apache-2.0 */
/* The log stream: one current log, closed logs with their generation in the name, all of one signature, each naming the
 * creation time of the one before.
 *
 * A log is a header of 4096 bytes and records up to the file's fixed size. Offsets of the header, as in the real engine:
 *   0 checksum u32 of bytes 4..4095 | 4 generation u32 | 16 created, 8 bytes | 24 created of the previous generation, 8 bytes
 *   44 signature, 28 bytes: random u32, created, computer name 16 | 667 file type u32
 * and one of ours: 1024 the transaction that comes next, u64.
 * A record: mark u32, checksum u32 of what follows, transaction u64, database u32, page u32, length u32, 0 u32, content padded
 * to 8. The last record of a closed log is an end mark.
 */
#ifndef ESESIM_LOG_H
#define ESESIM_LOG_H

#include "store.h"

#define LOG_HEADER 4096u
#define LOG_RECORD 32u
#define LOG_TIME 8u
#define LOG_SIGNATURE 28u

typedef struct log_header {
  uint32_t generation;
  uint8_t created[LOG_TIME], previous[LOG_TIME], signature[LOG_SIGNATURE];
  uint64_t next_transaction;
} log_header;

typedef struct log_record {
  uint64_t transaction;
  uint32_t database, page, length;
  const uint8_t *content;
} log_record;

typedef ese_result (*log_visit)(void *arg, const log_record *record);

typedef struct log_end {
  uint32_t offset; /* where the next record goes */
  uint64_t next_transaction;
  bool closed; /* has its end mark */
} log_end;

typedef struct log_range {
  uint32_t oldest, newest; /* closed generations on disk; 0, 0: none */
  bool gap;                /* one between them is missing */
} log_range;

/* Seven fields of a byte: second, minute, hour, day, month, year - 1900, 0; and one 0. */
void log_time(int64_t shift_s, uint8_t out[LOG_TIME]);
uint32_t checksum(const void *data, size_t size);

/* generation 0: the current log. */
void log_path(const group *of, uint32_t generation, char *out);
/* The generation in the name of a closed log of this group, or 0. */
uint32_t log_generation(const group *of, const char *name);
ese_result log_ranges(const group *of, const char *directory, log_range *out);

/* A new stream, with a new signature, that begins with `generation`. */
ese_result log_start(const group *of, uint32_t generation, uint64_t next_transaction);
ese_result log_read_header(const char *path, log_header *out);
/* visit may be NULL. */
ese_result log_scan(const char *path, log_header *header, log_visit visit, void *arg, log_end *end);
/* The record gets the next transaction, or its own when that is later. *full: nothing was written, roll first. */
ese_result log_append(const group *of, log_record *record, bool *full);
ese_result log_roll(const group *of);
/* The header of the current log, which a crash in the middle of a roll may have left to be made. */
ese_result log_current(const group *of, log_header *header, log_end *end);

#endif
