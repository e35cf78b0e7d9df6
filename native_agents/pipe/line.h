/* SPDX-License-Identifier: Apache-2.0 */
/* A Plugin line `bpipe:/path/name:reader:writer`, and which commands may be run. Text alone: nothing is started here. */
#ifndef PIPE_LINE_H
#define PIPE_LINE_H

#include "bplugin_sdk.h"

/* The parts point into `text`, which `line_free` frees. The writer may hold colons, and may be empty. */
typedef struct line {
  char *text;
  const char *path, *reader, *writer;
} line;

/* The one Plugin line of bp_begin.fileset. BP_E_INVAL, with the reason told, when there is none or it makes no sense. */
bp_status line_read(line *out, const bp_host_api *host, const char *fileset);
void line_free(line *line);

/* The value of `restore_command="..."` in what a console has made of bpipe's restore object, to be freed; NULL: it has none. */
char *line_restore_command(const char *config, size_t len);

/* Patterns of the commands that may run, in the order given. */
typedef struct allowed {
  char   **patterns;
  unsigned count;
} allowed;

bp_status allowed_add(allowed *list, const char *pattern);
void allowed_free(allowed *list);

/* Is `command` one of them? In a pattern `*` stands for letters, digits and _.,:=@%+- (none too), `\*` for a star; a
 * pattern `**` is any command. */
int allowed_has(const allowed *list, const char *command);

/* The writer with %w, %r and %% replaced, to be freed. NULL with *status BP_E_ACCESS: `where` would mean something to
 * the shell; BP_E_NOMEM. */
char *line_expand(const char *writer, const char *where, char replace, bp_status *status);

#endif
