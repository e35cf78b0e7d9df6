/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LIST_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
#define LEAST_OPEN 4u

void dirs_init(dirs *all, uint32_t limit)
{
  *all = (dirs){ .limit = limit < LEAST_OPEN ? LEAST_OPEN : limit };
}

static void unlink_from_list(dirs *all, dir *d)
{
  *(d->newer ? &d->newer->older : &all->newest) = d->older;
  *(d->older ? &d->older->newer : &all->oldest) = d->newer;
  d->newer = d->older = NULL;
  all->open--;
}

static void link_as_newest(dirs *all, dir *d)
{
  d->older = all->newest;
  d->newer = NULL;
  *(all->newest ? &all->newest->newer : &all->oldest) = d;
  all->newest = d;
  all->open++;
}

static void close_one(dirs *all, dir *d)
{
  unlink_from_list(all, d);
  close(d->fd);
  d->fd = -1;
}

static void adopt(dirs *all, dir *d, int fd)
{
  while (all->open >= all->limit)
    close_one(all, all->oldest);
  d->fd = fd;
  d->generation++;
  link_as_newest(all, d);
}

static dir *make(dir *up, const char *name, uint64_t dev, uint64_t ino)
{
  size_t size = strlen(name) + 1;
  dir *d = malloc(sizeof *d + size);
  if (!d) {
    errno = ENOMEM;
    return NULL;
  }
  *d = (dir){ .up = up, .refs = 1, .fd = -1, .dev = dev, .ino = ino };
  memcpy(d->name, name, size);
  return d;
}

dir *dirs_anchor(dirs *all, int fd)
{
  dir *d = make(NULL, "", 0, 0);
  (void)all;
  if (d)
    d->fd = fd;
  else
    close(fd);
  return d;
}

/* Opens, without moving atime where that is allowed: for the owner and for those who may act as one. */
static int open_for_listing(int parent, const char *name)
{
  int fd = openat(parent, name, LIST_FLAGS | O_NOATIME);
  return fd < 0 && errno == EPERM ? openat(parent, name, LIST_FLAGS) : fd;
}

/* -1 with ESTALE, and closed, unless it is this very directory. */
static int only_if_same(int fd, uint64_t dev, uint64_t ino)
{
  struct statx st;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) == 0 && st.stx_ino == ino
      && makedev(st.stx_dev_major, st.stx_dev_minor) == dev)
    return fd;
  close(fd);
  errno = ESTALE;
  return -1;
}

/* The process has no more descriptors: others need them as well, so we do with half of what we have. `parent` is the newest. */
static int open_making_room(dirs *all, int parent, const char *name)
{
  int fd = open_for_listing(parent, name);
  while (fd < 0 && (errno == EMFILE || errno == ENFILE) && all->open > LEAST_OPEN) {
    all->limit = all->open / 2 < LEAST_OPEN ? LEAST_OPEN : all->open / 2;
    while (all->open > all->limit)
      close_one(all, all->oldest);
    fd = open_for_listing(parent, name);
  }
  return fd;
}

dir *dirs_open(dirs *all, dir *up, const char *name, const struct statx *seen)
{
  uint64_t dev = makedev(seen->stx_dev_major, seen->stx_dev_minor);
  int parent = dirs_fd(all, up), fd;
  dir *d;
  if (parent < 0)
    return NULL;
  fd = open_making_room(all, parent, name);
  if (fd < 0 || (fd = only_if_same(fd, dev, seen->stx_ino)) < 0)
    return NULL;
  d = make(up, name, dev, seen->stx_ino);
  if (!d) {
    close(fd);
    return NULL;
  }
  dirs_keep(up);
  adopt(all, d, fd);
  return d;
}

/* From a child that is open: cheap, and the usual case when a deep tree is left level by level. */
static int open_by_child(dirs *all, dir *d)
{
  dir *child = all->newest;
  int fd;
  if (!child || child->up != d || !d->up)
    return -1;
  fd = open_for_listing(child->fd, "..");
  return fd < 0 ? -1 : only_if_same(fd, d->dev, d->ino);
}

static int open_by_parents(dir *d)
{
  dir *ancestor, **way;
  uint32_t steps = 0, i = 0;
  int fd = -1, next;
  for (ancestor = d; ancestor->fd < 0; ancestor = ancestor->up)
    steps++;
  way = malloc(steps * sizeof(dir *));
  if (!way) {
    errno = ENOMEM;
    return -1;
  }
  for (ancestor = d; ancestor->fd < 0; ancestor = ancestor->up)
    way[i++] = ancestor;
  while (i--) {
    next = open_for_listing(fd < 0 ? ancestor->fd : fd, way[i]->name);
    if (fd >= 0) {
      int number = errno;
      close(fd);
      errno = number;
    }
    fd = next < 0 ? -1 : only_if_same(next, way[i]->dev, way[i]->ino);
    if (fd < 0)
      break;
  }
  free(way);
  return fd;
}

int dirs_fd(dirs *all, dir *d)
{
  int fd;
  if (d->fd >= 0) {
    if (d->up && all->newest != d) {
      unlink_from_list(all, d);
      link_as_newest(all, d);
    }
    return d->fd;
  }
  fd = open_by_child(all, d);
  if (fd < 0)
    fd = open_by_parents(d);
  if (fd >= 0)
    adopt(all, d, fd);
  return fd;
}

dir *dirs_keep(dir *d)
{
  d->refs++;
  return d;
}

void dirs_drop(dirs *all, dir *d)
{
  while (d && !--d->refs) {
    dir *up = d->up;
    if (d->fd >= 0 && up)
      close_one(all, d);
    else if (d->fd >= 0)
      close(d->fd);
    free(d);
    d = up;
  }
}
