/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a database: 4096 bytes each. A stream (.edb, .stm) begins with the header and its shadow; page n of the
 * database is page n / streams of stream n % streams, behind those two.
 *
 *   page:   checksum u32 of the rest | number u32 | last transaction applied u64 | length u32 | 0 u32 | content
 *   header: checksum u32 of the rest | magic u32 | database_header
 * A page of zeros was never written.
 */
#ifndef ESESIM_PAGES_H
#define ESESIM_PAGES_H

#include "log.h"

#define PAGE_SIZE 4096u
#define PAGE_HEAD 24u
#define PAGE_CONTENT (PAGE_SIZE - PAGE_HEAD)
#define HEADER_PAGES 2u

enum database_state {
  DATABASE_DIRTY = 1, /* mounted: the logs have more than the pages */
  DATABASE_CLEAN = 2,
  DATABASE_COPY = 3, /* what a backup session reads: worth nothing without its logs */
};

enum record_kind { RECORD_FULL, RECORD_INCREMENTAL, RECORD_COPY, RECORD_DIFFERENTIAL, RECORD_KINDS };

typedef struct backup_record {
  uint8_t time[LOG_TIME];
  uint32_t generation, offset; /* where the log stood */
  uint32_t gen_low, gen_high;  /* gen_high 0: never */
} backup_record;

typedef struct database_header {
  ese_guid guid;
  uint8_t signature[LOG_SIGNATURE];
  uint8_t log_signature[LOG_SIGNATURE];
  uint32_t state, index;
  backup_record records[RECORD_KINDS];
  uint32_t copy_low;  /* of a copy: the first log that it needs */
  uint32_t copy_high; /* the log current when the copy began: it needs this one and perhaps later ones */
} database_header;

typedef struct page {
  uint32_t number, length;
  uint64_t transaction;
  uint8_t content[PAGE_CONTENT];
} page;

/* Where page `number` is. */
int64_t page_place(uint32_t streams, uint32_t number, uint32_t *stream);
/* A page never written, or behind the end, comes as transaction 0. ESE_E_READ_VERIFY_FAILURE: its checksum is wrong. */
ese_result page_read(int file, int64_t at, page *out);
ese_result page_write(int file, int64_t at, const page *in);
/* Raw checks for whoever moves pages unread. */
bool page_bytes_good(const uint8_t bytes[PAGE_SIZE]);

/* From the shadow when the header is bad. */
ese_result header_read(const char *path, database_header *out);
ese_result header_write(const char *path, const database_header *header);
void header_bytes(const database_header *header, uint8_t out[PAGE_SIZE]);

/* Header of all streams of one database. */
ese_result database_write_header(const group *of, const database *one, const database_header *header);
ese_result database_read_header(const group *of, const database *one, database_header *header);

#endif
