/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "aside.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void forget(aside *a)
{
  spot at = { .fd = a->dir };
  if (!a->path)
    return;
  newfile_drop(&a->file, &at);
  close(a->dir);
  free(a->path);
  *a = (aside){ 0 };
}

bool asides_add(asides *all, const char *path, newfile *file, const spot *at)
{
  aside *a = &all->all[all->next++ % ASIDES_MOST];
  forget(a);
  *a = (aside){ .path = strdup(path), .file = *file, .dir = fcntl(at->fd, F_DUPFD_CLOEXEC, 0) };
  if (a->path && a->dir >= 0) {
    file->fd = -1;
    return true;
  }
  if (a->dir >= 0)
    close(a->dir);
  free(a->path);
  *a = (aside){ 0 };
  newfile_drop(file, at);
  return false;
}

const aside *asides_find(const asides *all, const char *path)
{
  for (unsigned i = 0; i < ASIDES_MOST; i++)
    if (all->all[i].path && !strcmp(all->all[i].path, path))
      return &all->all[i];
  return NULL;
}

int aside_link(int fd, const char *name, const void *what)
{
  const aside *a = what;
  char proc[32];
  if (a->file.temp[0])
    return linkat(a->dir, a->file.temp, fd, name, 0);
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", a->file.fd);
  return linkat(AT_FDCWD, proc, fd, name, AT_SYMLINK_FOLLOW);
}

void asides_end(asides *all)
{
  for (unsigned i = 0; i < ASIDES_MOST; i++)
    forget(&all->all[i]);
}
