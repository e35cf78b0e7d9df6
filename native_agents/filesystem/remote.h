/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts whose server, or whose program, may not answer: a look at such a mount point can hang for ever. They are known from
 * the kernel's list, which can be read without a look at them.
 */
#ifndef FILESYSTEM_REMOTE_H
#define FILESYSTEM_REMOTE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct remote {
  char    *path, *type;
  uint64_t dev;
} remote;

typedef struct remotes {
  remote *all;
  size_t count;
} remotes;

/* As of now. False: no memory. A list that cannot be read is an empty one. */
bool remotes_read(remotes *m);

/* NULL: no such mount at this path. */
const remote *remotes_at(const remotes *m, const char *path);

/* Is there one below this directory, which is given with a slash at its end? */
bool remotes_reach_below(const remotes *m, const char *directory, size_t len);

void remotes_free(remotes *m);

#endif
