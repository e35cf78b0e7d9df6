/* SPDX-License-Identifier: Apache-2.0 */
/* One database: how large it is, a consistent copy of it, and whether its pages fit together. */
#ifndef SQLITE_DATABASE_H
#define SQLITE_DATABASE_H

#include "bplugin_sdk.h"
#include "library.h"

typedef struct databases {
  const sqlite_library *sqlite;
  const bp_host_api *host;
  const char *scratch;    /* the directory for copies */
  unsigned wait_s;        /* for others' locks */
  int64_t  waited_from_ms;
} databases;

/* object: the database that `path` named when it was listed, an O_PATH descriptor. Whatever else has that name now is refused. */

/* Bytes of the database, its log included; 0 with the reason in why[BP_TEXT_MAX]. */
uint64_t database_size(databases *all, const char *path, int object, char *why);

/* A copy of `path`, as of one moment, checked, in a file without a name: its descriptor. -1 with the reason in why. */
int database_copy(databases *all, const char *path, int object, char *why);

/* Is it sound? PRAGMA integrity_check, or its quick form. False with the reason in why. */
int database_check(databases *all, int descriptor, int quick, char *why);

/* Removes the copies that a killed Job left in scratch. */
void database_sweep(const char *scratch);

#endif
