/* SPDX-License-Identifier: Apache-2.0 */
/* One storage group in one restore: its session with the service, where its files go, and its recovery.
 *
 * Databases are written where the service says. Logs are staged in a directory below the session's log path, since only at
 * the end it is known which are needed: those from the first that the restored databases' sets need. They are announced then,
 * and moved within the volume.
 */
#ifndef EXCHANGE_TARGET_H
#define EXCHANGE_TARGET_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "library.h"
#include "loghead.h"
#include "record.h"
#include "settings.h"

typedef struct target_database {
  char     *part;
  ese_char *destinations;     /* the library's list of paths */
  uint32_t  needs;            /* the first log */
  uint8_t   signature[LOG_SIGNATURE_BYTES];
} target_database;

typedef struct staged_log {
  ese_char *name;             /* without directory */
  bool      is_log;           /* else a patch file */
  bool      whole, placed;    /* all of it came; it is announced, and where the service looks */
  uint32_t  generation;
  log_head  head;
} staged_log;

typedef struct target {
  const bp_host_api *host;
  const ese_library *library;
  const settings    *settings;
  char     *service, *part;   /* as in paths */
  records   known;            /* its descriptions, in the order of the Jobs */
  ese_context context;
  bool      open, reopened;
  bool      failed;           /* something of it is missing or damaged: not recovered */
  bool      torn;             /* a file of a database was begun and is not whole: that one has no header */
  bool      mixed;            /* of Jobs whose logs do not meet: not to be recovered by further logs */
  ese_char *log_path, *staging;
  target_database *databases;
  uint32_t  n_databases;
  staged_log *logs;
  uint32_t  n_logs;
} target;

/* Where this file of a database is to be written; *path lives as long as the target. Announces it to the service. */
bp_status target_database_file(target *t, const char *database, const char *file, const ese_char **path);

/* Where this log is to be staged; *path is the caller's to free, *log its index. */
bp_status target_log_file(target *t, const char *file, ese_char **path, uint32_t *log);

/* Announces the logs, saves the session, and recovers if the settings say so. */
bp_status target_commit(target *t);

/* Frees it. A session still open is left such that the recovery can be done by hand; how, is said. One with a torn database is not. */
void target_free(target *t);

#endif
