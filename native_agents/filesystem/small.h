/* SPDX-License-Identifier: Apache-2.0 */
/* The small streams of one entry while it is restored: u32 stream, u32 length, bytes, padded to 8, as in a page. */
#ifndef FILESYSTEM_SMALL_H
#define FILESYSTEM_SMALL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct small {
  uint8_t *bytes;
  size_t   used, cap, open; /* open: where the stream being written starts */
} small;

/* Longest of all of an entry's together: far above what any file system keeps. */
#define SMALL_MAX (64u << 20)

void small_clear(small *s);
bool small_start(small *s, uint32_t stream); /* false: no memory, or too much */
bool small_write(small *s, const void *data, uint64_t len);
void small_free(small *s);

#endif
