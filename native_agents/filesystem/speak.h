/* SPDX-License-Identifier: Apache-2.0 */
/* How a path is shown to people. */
#ifndef FILESYSTEM_SPEAK_H
#define FILESYSTEM_SPEAK_H
#include <stddef.h>

#define SHOWN_MAX 1900

typedef struct shown { char text[SHOWN_MAX]; } shown;

/*
 * `path` as UTF-8 on one line: what is no UTF-8, no letter to print or a backslash becomes \ooo or \\, so that a hostile
 * name can neither forge a line of a log nor break its encoding. A long one loses its middle. Returns out->text.
 */
const char *show(shown *out, const char *path, size_t len);

#endif
