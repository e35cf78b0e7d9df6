/* SPDX-License-Identifier: Apache-2.0 */
/* Finds databases below directories, one after the other. Its names are the paths with /@SQLITE in front. */
#ifndef SQLITE_WALK_H
#define SQLITE_WALK_H

#include <fts.h>
#include <limits.h>

#include "database.h"

#define PREFIX "/@SQLITE"
enum { MAX_ROOTS = 1000, PREFIX_LEN = sizeof PREFIX - 1 };

typedef struct walk {
  const bp_host_api *host;
  char    *roots[MAX_ROOTS]; /* as they were named */
  unsigned n_roots, root;    /* root: the one at work */
  char    *real;             /* that one without symbolic links: what is opened */
  FTS     *files;
} walk;

typedef struct found {
  bp_entry entry;            /* FAILED when it cannot be saved; the reason is reported */
  char     name[PATH_MAX], path[PATH_MAX]; /* on the Volume; to be opened */
  uint32_t len;              /* of the name */
  int      object;           /* the database itself, an O_PATH descriptor; -1: none */
} found;

void found_forget(found *found);

/* One more directory, or one database. BP_E_INVAL: not an absolute, plain path; or too many. */
bp_status walk_add(walk *walk, const char *root);

/* BP_OK: the next one, in place of the one in *found. BP_END: that was all. BP_E_CANCELLED, BP_E_NOMEM, BP_E_HOST. */
bp_status walk_next(walk *walk, databases *all, found *found);

void walk_end(walk *walk);

#endif
