/* SPDX-License-Identifier: Apache-2.0 */
/* What of the service do the lines of a FileSet ask for? */
#ifndef EXCHANGE_CHOICE_H
#define EXCHANGE_CHOICE_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "names.h"
#include "settings.h"

#define USUAL_SERVICE "Microsoft Information Store"

typedef struct chosen_path {
  stored_name name;
  char *path;
  bool  is_file_line;
} chosen_path;

typedef struct choice {
  chosen_path *at;
  uint32_t count;
} choice;

/* Reads bp_begin.fileset: F lines `/@EXCHANGE[/service[/group[/database]]]`, P lines the same behind `exchange:`, with
 * `:notrunconfull`, `:truncate=<...>`, `:on-gap=<...>` behind, which change `settings`. BP_OK; or what was said. `out` is to
 * be freed in both cases. */
bp_status choice_read(choice *out, settings *settings, const bp_host_api *host, const char *fileset);
void      choice_free(choice *c);

const char *chosen_service(const chosen_path *path);

/* Is any of it wanted, or all? NULL as database: the group as such. */
bool choice_wants(const choice *c, const char *service, const char *group, const char *database);

/* Does a File line name exactly this; does it lie at or below what any line names? */
bool choice_names(const choice *c, const char *path);
bool choice_covers(const choice *c, const char *path);

#endif
