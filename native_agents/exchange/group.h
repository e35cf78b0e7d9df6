/* SPDX-License-Identifier: Apache-2.0 */
/* One storage group in one backup: which set it gets, its session, what was read, and what is known of it afterwards. */
#ifndef EXCHANGE_GROUP_H
#define EXCHANGE_GROUP_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "library.h"
#include "loghead.h"
#include "record.h"
#include "session.h"
#include "settings.h"
#include "store.h"

enum { NO_DATABASE = UINT32_MAX };

/* A file that this Job reads: of a database, or a log. */
typedef struct saved_file {
  ese_char *path;           /* as the library opens it */
  char     *name;           /* the path of its entry */
  uint32_t  database;       /* index in store_group.databases; NO_DATABASE: a log, or a patch file */
  bool      is_log;
  bool      unwanted;       /* a log that the base has: not listed */
  bool      whole;          /* read to its end */
  char      log_base[LOG_BASE_MAX + 1];
  uint32_t  generation;     /* a log's, by its name */
  log_head  head;           /* a log's, unless `unwanted` */
} saved_file;

/* Why and from where a Job continues; the same for all its groups. */
typedef struct backup_cause {
  uint32_t    level;        /* BP_LEVEL_* */
  uint32_t    state_why;    /* BP_STATE_* */
  int64_t     since;        /* when the base began, by the Director; 0: none */
  char       *job, *base_job;
  records     base;         /* what it left */
} backup_cause;

typedef struct group {
  const bp_host_api  *host;
  const settings     *settings;
  const backup_cause *cause;
  const store        *store;
  const store_group  *info;
  char  *path;              /* /@EXCHANGE/<service>/<group> */
  bool  *taken;             /* per database */
  bool   all_taken;         /* no mounted one is left out */
  session session;
  bool   has_databases;     /* the set: databases and logs, or logs alone */
  bool   self_contained;    /* has databases, though the level asks for logs alone */
  saved_file *files;
  uint32_t n_files;
  uint32_t reading;         /* the file that is open */
  uint64_t position;
  uint8_t  start[LOG_HEAD_BYTES]; /* of it, as it passes by */
  group_record record;      /* after group_finish */
  bool   recorded, truncates;
} group;

/* Opens the session and lists what comes first: the databases, or the logs alone when they continue the base. */
bp_status group_begin(group *g);
/* Lists the logs behind the databases. When the host wanted no database there are none, and the session ends. */
bp_status group_list_logs(group *g);
/* All wanted files were read, or dropped by the host: makes the record. */
bp_status group_finish(group *g);
/* The Job is safe: truncates where it may, tells the service of success. */
void group_commit(group *g);
void group_free(group *g);

bp_status group_open_file(group *g, uint32_t file, uint64_t *size);
bp_status group_read(group *g, void *buf, uint64_t cap, bp_chunk *chunk);
bp_status group_close_file(group *g);

#endif
