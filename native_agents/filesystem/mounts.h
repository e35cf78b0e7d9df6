/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted, and which files change without an event while they are open. */
#ifndef FILESYSTEM_MOUNTS_H
#define FILESYSTEM_MOUNTS_H
#include <stdbool.h>
#include <stdint.h>

#include "state.h"

/* A number that is another one when something else is mounted at, above or below this path. 0: it cannot be known. */
uint64_t mounts_around(const char *path, uint32_t len);

/* Wants all files that are mapped shared and writable, back a loop device, or are swapped to. *all: every process could be looked at.
   false: the state failed. */
bool mounts_want_hot(state *s, bool *all);

#endif
