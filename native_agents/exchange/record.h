/* SPDX-License-Identifier: Apache-2.0 */
/* What a Job has saved of a storage group, as a value and as text.
 *
 * The text is the agent's state (all groups of a Job) and a group's description on the Volume, `.filed-group`:
 *
 *     filed-exchange 1
 *     group <name>                                  each name: UTF-8, percent-encoded as in paths
 *     service <annotation>
 *     instance <id>
 *     job <unique name>
 *     saved databases|logs                          what kind of set this Job has
 *     logs <base> <lowest> <highest>                generations, decimal, of an unbroken run; `- 0 0` when none
 *     last <hex>                                    creation time of the highest, as it stands in the log
 *     signature <hex>
 *     truncated yes|no                              was truncation intended at commit
 *     database <GUID> <generation> <streams> <name> one line each: the first log its last set needs, 0 when the FileSet left
 *     end                                           it out; the list of its files as Exchange gave it, UTF-16 in hex
 */
#ifndef EXCHANGE_RECORD_H
#define EXCHANGE_RECORD_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "esebcli2.h"
#include "loghead.h"
#include "text.h"

enum { RECORD_FORMAT = 1 };

typedef struct database_record {
  ese_guid  guid;
  char     *part;             /* its name as in paths */
  ese_char *streams;          /* as Exchange gave it: a list within `units`, and two NULs of ours behind */
  uint32_t  units;
  uint32_t  needs;            /* the first log that its set needs; 0: left out of it */
} database_record;

typedef struct group_record {
  char    *part, *service;    /* as in paths */
  char    *job;
  int64_t  instance;
  bool     has_databases;     /* this Job has a set of its own, with databases */
  bool     truncated;
  char     log_base[LOG_BASE_MAX + 1];
  uint32_t low, high;
  uint8_t  high_created[LOG_TIME_BYTES];
  uint8_t  signature[LOG_SIGNATURE_BYTES];
  database_record *databases;
  uint32_t n_databases;
} group_record;

typedef struct records {
  group_record *at;
  uint32_t      count;
} records;

/* A zeroed one at the end; NULL: no memory. */
group_record *records_add(records *all);
/* The one of this group, NULL: none. */
const group_record *records_find(const records *all, const char *service, const char *part);
void records_free(records *all);
void record_free(group_record *record);

/* Copies what it is given. False: no memory. */
bool record_add_database(group_record *record, const ese_guid *guid, const char *part, const ese_char *streams, uint32_t units,
                         uint32_t needs);
const database_record *record_database(const group_record *record, const char *part);

void record_start(text *t);
void record_write(text *t, const group_record *record);

/* All that stand in the text, appended to `all`. NULL; or what is wrong with it. */
const char *records_read(records *all, const char *bytes, uint64_t len);

#endif
