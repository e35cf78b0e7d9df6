/* SPDX-License-Identifier: Apache-2.0 */
/* What storage groups and databases does the service have? A copy, which owes the library nothing. */
#ifndef EXCHANGE_STORE_H
#define EXCHANGE_STORE_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "esebcli2.h"
#include "library.h"

typedef struct store_database {
  ese_guid  guid;
  char     *name, *part;   /* for people; as in paths */
  ese_char *streams;       /* its files: a list within `units`, and two NULs of ours behind */
  uint32_t  units;
  bool      mounted;
} store_database;

typedef struct store_group {
  int64_t   id;
  char     *name, *part;
  store_database *databases;
  uint32_t  n_databases;
} store_group;

typedef struct store {
  char     *part;          /* the service, as in paths */
  ese_char *annotation;    /* and as the library knows it */
  store_group *groups;
  uint32_t  n_groups;
} store;

/* BP_OK, or what was said. `out` has to be freed in both cases. */
bp_status store_list(store *out, const ese_library *library, const bp_host_api *host, const ese_char *server, const char *part);
void      store_free(store *s);

#endif
