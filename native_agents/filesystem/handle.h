/* SPDX-License-Identifier: Apache-2.0 */
/* Something opened, for its attributes: by a descriptor that can be read, or by one that only names it. */
#ifndef FILESYSTEM_HANDLE_H
#define FILESYSTEM_HANDLE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct handle {
  int  fd;
  bool path_only; /* O_PATH: nothing happens to a FIFO or a device; calls that refuse it go through /proc/self/fd */
  bool borrowed;  /* somebody else closes it */
  char proc[32];  /* its name there, when path_only */
} handle;

void handle_use_path(handle *h, int path_fd);
void handle_close(handle *h);

/* listxattr, getxattr, setxattr, removexattr, chmod: by whichever way the handle allows; errno as theirs. */
ssize_t handle_list(const handle *h, char *names, size_t cap);
ssize_t handle_get(const handle *h, const char *name, void *value, size_t cap);
int handle_set(const handle *h, const char *name, const void *value, size_t len);
int handle_remove(const handle *h, const char *name);
int handle_chmod(const handle *h, mode_t mode);

#endif
