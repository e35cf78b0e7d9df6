/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite opens by name, and so whatever has that name by then: somebody who may rename in the directory can give it another
 * database, or another's log. While a guard is up, each file that SQLite opens for a database, on this thread, is looked at
 * before SQLite has it. As root SQLite would also give the logs it opens to the owner of the database, whosever they were.
 */
#ifndef SQLITE_GUARD_H
#define SQLITE_GUARD_H

#include "library.h"

typedef struct guard {
  const char *path;    /* of the database */
  int object;          /* the database that is meant, an O_PATH descriptor */
  int opened;          /* it was opened */
  const char *refused; /* why something was not; else NULL */
} guard;

void guard_raise(const sqlite_library *sqlite, guard *guard);
void guard_lower(const sqlite_library *sqlite);

#endif
