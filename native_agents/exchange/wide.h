/* SPDX-License-Identifier: Apache-2.0 */
/* Text in the library's form (UTF-16, a name or a list of names) and in the host's (UTF-8). */
#ifndef EXCHANGE_WIDE_H
#define EXCHANGE_WIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "esebcli2.h"

size_t wide_len(const ese_char *text);
bool   wide_same(const ese_char *a, const ese_char *b);

/* A copy of `units` units and a NUL behind them; NULL when there is no memory, or no text. */
ese_char *wide_copy(const ese_char *text, size_t units);

/* As UTF-8; a lone surrogate is encoded the same way, so that every text comes back as it was. malloc'ed; NULL: no memory. */
char *wide_to_utf8(const ese_char *text);

/* The reverse. NULL: no memory, or no UTF-8. */
ese_char *wide_of_utf8(const char *utf8);

/* A list is names, each ended by NUL, up to an empty one; `end` is where it stops in any case, NULL: nothing else does. */
const ese_char *wide_next(const ese_char *name, const ese_char *end);
bool            wide_more(const ese_char *name, const ese_char *end);

/* What stands behind the last / or \ of a path. */
const ese_char *wide_file_name(const ese_char *path);

#endif
