/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Thread_local guard *up;

static int refuse(int descriptor, const char *why)
{
  if (descriptor >= 0)
    close(descriptor);
  up->refused = why;
  errno = EACCES;
  return -1;
}

/* A log that is not there yet: it is to be the owner's, whose programs use it next. */
static int make_log(const char *path, int flags, int mode, const struct stat *database)
{
  int log = open(path, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (log >= 0 && geteuid() == 0 && fchown(log, database->st_uid, database->st_gid) != 0)
    return refuse(log, "a log made beside it cannot be given to its owner");
  return log;
}

/* SQLite's open(). Nothing blocks in a FIFO. */
static int open_guarded(const char *path, int flags, int mode)
{
  struct stat database, file;
  size_t len = up ? strlen(up->path) : 0;
  int descriptor;
  if (!up || strncmp(path, up->path, len) != 0)
    return open(path, flags, mode);
  if (fstat(up->object, &database) != 0)
    return refuse(-1, "it cannot be looked at");
  descriptor = open(path, (flags & ~O_CREAT) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0)
    return errno == ENOENT && flags & O_CREAT && path[len] ? make_log(path, flags, mode, &database) : -1;
  if (fstat(descriptor, &file) != 0 || !S_ISREG(file.st_mode))
    return refuse(descriptor, "it, or a file beside it, is no ordinary file");
  if (!path[len]) {
    up->opened = file.st_dev == database.st_dev && file.st_ino == database.st_ino;
    return up->opened ? descriptor : refuse(descriptor, "another file has its name since it was listed");
  }
  if (file.st_uid != database.st_uid && (file.st_gid != database.st_gid || file.st_mode != database.st_mode))
    return refuse(descriptor, "its log belongs to somebody else");
  return descriptor;
}

/* Nothing that was there changes hands. */
static int keep_owner(int descriptor, uid_t uid, gid_t gid)
{
  return up ? 0 : fchown(descriptor, uid, gid);
}

static void set(sqlite3_vfs *vfs, const char *call, void (*function)(void))
{
  (void)vfs->xSetSystemCall(vfs, call, function);
}

void guard_raise(const sqlite_library *sqlite, guard *guard)
{
  sqlite3_vfs *vfs = sqlite->vfs_find(NULL);
  up = guard;
  set(vfs, "open", (void (*)(void))open_guarded);
  set(vfs, "fchown", (void (*)(void))keep_owner);
}

void guard_lower(const sqlite_library *sqlite)
{
  sqlite3_vfs *vfs = sqlite->vfs_find(NULL);
  set(vfs, "open", NULL); /* its own again */
  set(vfs, "fchown", NULL);
  up = NULL;
}
