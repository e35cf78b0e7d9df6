/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 of the disk and of the driver, UTF-16 of the interface. */
#ifndef ESESIM_TEXT_H
#define ESESIM_TEXT_H

#include <stdbool.h>

#include "esebcli2.h"

size_t text_units(const ese_char *text); /* without the NUL */
/* The units needed with the NUL; writes them when `out` is not NULL. 0: not UTF-8. */
size_t text_to_utf16(const char *text, ese_char *out);
/* False when it does not fit or has lone surrogates. */
bool text_to_utf8(const ese_char *text, char *out, size_t cap);

/* Strings one after the other, each ended by NUL, an empty one at the end: what the interface calls a multi-string. */
typedef struct text_list {
  ese_char *units; /* malloc'ed */
  size_t length, capacity;
} text_list;

bool text_list_add(text_list *list, const char *text);
/* Adds NULs until `extra` stand behind the last string. */
bool text_list_end(text_list *list, unsigned extra);
void text_list_free(text_list *list);

#endif
