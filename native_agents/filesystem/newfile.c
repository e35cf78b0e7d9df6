/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acl.h"
#include "handle.h"

#define TRIES 16

static int temp_name(char name[40])
{
  unsigned long long number;
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    return -1;
  snprintf(name, 40, ".filed-%016llx.tmp", number);
  return 0;
}

int newfile_make_temp(const spot *at, char name[40], newfile_make *make, const void *what)
{
  for (int i = 0; i < TRIES; i++) {
    if (temp_name(name))
      return -1;
    if (make(at->fd, name, what) == 0)
      return 0;
    if (errno != EEXIST)
      return -1;
  }
  return -1;
}

static int make_file(int fd, const char *name, const void *what)
{
  int *file = *(int *const *)what;
  *file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  return *file < 0 ? -1 : 0;
}

int newfile_open(newfile *n, const spot *at, bool *nameless)
{
  int *file = &n->fd;
  *n = (newfile){ .fd = -1 };
  if (*nameless) {
    n->fd = openat(at->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (n->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT))
      *nameless = false;
    else if (n->fd < 0)
      return -1;
  }
  if (n->fd < 0 && newfile_make_temp(at, n->temp, make_file, &file))
    return -1;
  if (at->gives_acl) {
    handle h = { .fd = n->fd };
    (void)handle_remove(&h, ACL_ACCESS_NAME);
  }
  return 0;
}

static int give_name(int fd, const char *name, const void *what)
{
  char proc[32];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", *(const int *)what);
  return linkat(AT_FDCWD, proc, fd, name, AT_SYMLINK_FOLLOW);
}

int newfile_rename(const spot *at, const char *name, bool replace)
{
  int failed = replace ? renameat(at->fd, name, at->fd, at->name)
                       : renameat2(at->fd, name, at->fd, at->name, RENAME_NOREPLACE);
  if (failed && !replace && (errno == EINVAL || errno == ENOSYS)) { /* a file system that cannot: link refuses as well */
    failed = linkat(at->fd, name, at->fd, at->name, 0);
    if (!failed)
      return unlinkat(at->fd, name, 0);
  }
  if (failed) {
    int number = errno;
    (void)unlinkat(at->fd, name, 0);
    errno = number;
  }
  return failed;
}

int newfile_keep(newfile *n, const spot *at, bool replace)
{
  int failed, number;
  if (n->temp[0]) { /* closed first: only then does a network file system tell of a full disk */
    failed = close(n->fd);
    n->fd = -1;
    if (failed) {
      number = errno;
      (void)unlinkat(at->fd, n->temp, 0);
      errno = number;
      return -1;
    }
    return newfile_rename(at, n->temp, replace);
  }
  failed = give_name(at->fd, at->name, &n->fd);
  if (failed && errno == EEXIST && replace) {
    failed = newfile_make_temp(at, n->temp, give_name, &n->fd);
    if (!failed)
      failed = newfile_rename(at, n->temp, true);
  }
  number = errno;
  close(n->fd);
  n->fd = -1;
  errno = number;
  return failed;
}

int newfile_keep_corrupt(newfile *n, const spot *at, char name[256])
{
  static const char ending[] = ".corrupt";
  spot beside = *at;
  snprintf(name, 256, "%.*s%s", (int)(255 - strlen(ending)), at->name, ending);
  beside.name = name;
  return newfile_keep(n, &beside, false);
}

void newfile_drop(newfile *n, const spot *at)
{
  if (n->fd >= 0) {
    close(n->fd);
    if (n->temp[0])
      (void)unlinkat(at->fd, n->temp, 0);
  }
  n->fd = -1;
}
