/* SPDX-License-Identifier: Apache-2.0 */
/* Text made of lines: a buffer that grows, and `key=value` read back from it. */
#ifndef ESESIM_LINES_H
#define ESESIM_LINES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lines {
  char *text; /* malloc'ed; NULL when nothing was added, or memory ran out */
  size_t length, capacity;
  bool failed;
} lines;

#ifdef __MINGW32__
__attribute__((format(gnu_printf, 2, 3)))
#else
__attribute__((format(printf, 2, 3)))
#endif
void lines_add(lines *out, const char *format, ...);
void lines_free(lines *out);

/* Cuts the next `key=value` out of *cursor, which it writes NULs into; false at the end. Other lines are passed over. */
bool lines_next(char **cursor, char **key, char **value);

#endif
