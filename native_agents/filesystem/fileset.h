/* SPDX-License-Identifier: Apache-2.0 */
/* What a Job is to save: the File lines, in order, and what belongs to their Include blocks. */
#ifndef FILESYSTEM_FILESET_H
#define FILESYSTEM_FILESET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bplugin.h"

typedef struct fileset_include {
  char   **markers; /* "Exclude Dir Containing": names whose presence leaves a directory out */
  uint32_t n_markers;
} fileset_include;

typedef struct fileset_item {
  char    *path; /* absolute, no empty, "." or ".." component, no trailing slash; "/" itself is "" */
  uint32_t len;
  uint32_t include; /* index */
  bool     slash;   /* written with a slash at its end: a link that leads to a directory means that directory */
} fileset_item;

typedef struct fileset {
  fileset_include *includes;
  fileset_item    *items;  /* each path once, in the order of the File lines */
  fileset_item   **sorted; /* by path */
  uint32_t         n_includes, n_items;
} fileset;

/*
 * Reads bp_begin.fileset. A File line that cannot be used (relative) is reported and counted; one that repeats an earlier one is
 * dropped. BP_OK, BP_E_NOMEM, BP_E_INVAL (lines that are none; fail() has been told).
 */
bp_status fileset_read(fileset *set, const bp_host_api *host, const char *text);

/* Is exactly this path an item? */
bool fileset_names(const fileset *set, const char *path, uint32_t len);

/* Is there an item below this directory, which is given with a slash at its end? */
bool fileset_reaches_below(const fileset *set, const char *directory, uint32_t len);

void fileset_free(fileset *set);

#endif
