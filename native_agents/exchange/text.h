/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and the two ways to write any bytes into it: percent-encoded as a part of a path, and as hex. */
#ifndef EXCHANGE_TEXT_H
#define EXCHANGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: empty. `failed`: memory ran out, what follows is dropped; ask once at the end. Always ends in a NUL not counted. */
typedef struct text {
  char  *at;
  size_t len, cap;
  bool   failed;
} text;

void text_add(text *t, const void *bytes, size_t len);
void text_put(text *t, const char *string);
void text_number(text *t, int64_t number);
void text_hex(text *t, const void *bytes, size_t len);
void text_free(text *t);

/* One part of a path: `/`, `\`, `%` and controls as %XX; so is the first byte of `.`, `..`; an empty one is `%`. */
void text_part(text *t, const char *utf8);

/* The same as a string of its own; NULL: no memory. */
char *part_of(const char *utf8);

/* What text_part wrote, undone, in place. False: nothing that text_part writes. */
bool part_decode(char *part);

/* Reads exactly `len` bytes of hex at `hex`; false when they are not there. */
bool hex_decode(const char *hex, void *bytes, size_t len);

#endif
