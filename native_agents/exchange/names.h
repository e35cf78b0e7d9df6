/* SPDX-License-Identifier: Apache-2.0 */
/* The paths under which things are stored: /@EXCHANGE/<service>/<storage group>/<database>/<file>. */
#ifndef EXCHANGE_NAMES_H
#define EXCHANGE_NAMES_H

#include <stdbool.h>

#include "esebcli2.h"

#define ROOT_PATH "/@EXCHANGE"
#define DESCRIPTION ".filed-group"
#define DESCRIPTION_OBJECT ".filed-group-object" /* the same as a restore object: no two entries share a name */

enum { DEPTH_ROOT, DEPTH_SERVICE, DEPTH_GROUP, DEPTH_DATABASE, DEPTH_FILE, MAX_DEPTH = DEPTH_FILE };

/* A path taken apart. parts[DEPTH_SERVICE] to parts[depth] are set, each one part as it stands in the path. */
typedef struct stored_name {
  char    *parts[MAX_DEPTH + 1];
  unsigned depth;
} stored_name;

/* False: none of ours, or no memory. Slashes at the end do no harm. */
bool name_parse(stored_name *name, const char *path, size_t len);
void name_free(stored_name *name);

/* `<directory>/<part>`; NULL: no memory. */
char *name_join(const char *directory, const char *part);

/* The part under which a database's file number `index` is stored: its name without directories; a second file of the same
 * name has its number before it. NULL: no memory, or no such file. */
char *stream_part(const ese_char *streams, uint32_t units, uint32_t index);

/* The list's name number `index`; NULL: it has no more. end: as in wide_next. */
const ese_char *stream_path(const ese_char *streams, const ese_char *end, uint32_t index);

#endif
