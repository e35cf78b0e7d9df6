/* SPDX-License-Identifier: Apache-2.0 */
/* Where a restored database goes: never through a symbolic link below `where`, and whole or not at all. */
#ifndef SQLITE_PLACE_H
#define SQLITE_PLACE_H

#include "bplugin_sdk.h"

typedef struct place {
  const bp_host_api *host;
  char *where;            /* trusted, with what leads to it */
  int   directory;        /* that the database goes to; -1: none */
  char  name[256], temporary[64];
} place;

void place_init(place *place, const bp_host_api *host, const char *where);
void place_leave(place *place);

/* Opens a temporary file in dest's directory, which is made; or answers SKIP. */
bp_status place_begin(place *place, const char *dest, const bp_entry *entry, uint32_t replace, uint32_t *action, int *file);

/* Gives the file its attributes and its name, or, when it is not good, that name and `.corrupt`. */
bp_status place_finish(place *place, int file, const bp_entry *entry, int good);

#endif
