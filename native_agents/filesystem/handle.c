/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "handle.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

void handle_use_path(handle *h, int path_fd)
{
  h->fd = path_fd;
  h->path_only = true;
  snprintf(h->proc, sizeof h->proc, "/proc/self/fd/%d", path_fd);
}

void handle_close(handle *h)
{
  if (h->fd >= 0 && !h->borrowed)
    close(h->fd);
  h->fd = -1;
}

ssize_t handle_list(const handle *h, char *names, size_t cap)
{
  return h->path_only ? listxattr(h->proc, names, cap) : flistxattr(h->fd, names, cap);
}

ssize_t handle_get(const handle *h, const char *name, void *value, size_t cap)
{
  return h->path_only ? getxattr(h->proc, name, value, cap) : fgetxattr(h->fd, name, value, cap);
}

int handle_set(const handle *h, const char *name, const void *value, size_t len)
{
  return h->path_only ? setxattr(h->proc, name, value, len, 0) : fsetxattr(h->fd, name, value, len, 0);
}

int handle_remove(const handle *h, const char *name)
{
  return h->path_only ? removexattr(h->proc, name) : fremovexattr(h->fd, name);
}

int handle_chmod(const handle *h, mode_t mode)
{
  return h->path_only ? chmod(h->proc, mode) : fchmod(h->fd, mode);
}
