/* SPDX-License-Identifier: Apache-2.0 */
/* Which file systems are watched. A mark goes without an event when its file system is unmounted. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "watcher.h"

#define XFS_MAGIC 0x58465342

/*
 * Nothing is paired, so a rename is its two halves, which kernels before 5.17 have too. A renamed file has a new ctime, by which its
 * other names show: FAN_MOVE_SELF names the file.
 */
#define EVENTS (FAN_MOVE_SELF | FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_ONDIR)

typedef struct place {
  uint64_t fsid;
  dev_t    dev;
  bool     root, known_type;
} place;

static bool look(const char *path, place *at)
{
  struct statfs fs;
  struct statx st;
  if (statfs(path, &fs) || statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st))
    return false;
  memcpy(&at->fsid, &fs.f_fsid, sizeof at->fsid);
  at->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
  at->root = (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  at->known_type = fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC
                   || fs.f_type == TMPFS_MAGIC;
  return true;
}

static const char *reason(int number)
{
  switch (number) {
  case EXDEV: return "it is a btrfs subvolume: give a directory of the top volume";
  case ENODEV: case EOPNOTSUPP: return "this file system does not report changes";
  case EPERM: return "it needs CAP_SYS_ADMIN";
  default: return strerror(number);
  }
}

/* Is there a mark that `wanted` says yes to? Its device goes to *sdev. */
static bool find_mark(int fanotify, bool (*wanted)(const shared *, uint32_t sdev, const void *), const shared *page,
                      const void *what, uint32_t *sdev)
{
  char name[64], line[512];
  bool found = false;
  FILE *info;
  snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fanotify);
  info = fopen(name, "re");
  if (!info)
    return false;
  while (!found && fgets(line, sizeof line, info))
    found = sscanf(line, "fanotify sdev:%x ", sdev) == 1 && wanted(page, *sdev, what);
  fclose(info);
  return found;
}

static bool is_new(const shared *page, uint32_t sdev, const void *what)
{
  for (uint32_t i = 0; i < page->n_watched; i++)
    if (page->fs[i].marked && &page->fs[i] != what && page->fs[i].sdev == sdev)
      return false;
  return true;
}

static bool is_its(const shared *page, uint32_t sdev, const void *what)
{
  (void)page;
  return ((const watched *)what)->sdev == sdev;
}

static bool add(int fanotify, const shared *page, watched *fs, const place *at)
{
  if (fanotify_mark(fanotify, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENTS, AT_FDCWD, fs->path)) {
    say("cannot watch the file system of %s: %s", fs->path, reason(errno));
    return false;
  }
  if (!find_mark(fanotify, is_new, page, fs, &fs->sdev)) {
    say("cannot watch the file system of %s: the kernel does not list its mark", fs->path);
    return false;
  }
  fs->fsid = at->fsid;
  fs->dev = at->dev;
  fs->root = at->root;
  fs->marked = true;
  return true;
}

bool mark_path(int fanotify, shared *page, const char *path)
{
  watched *fs = &page->fs[page->n_watched];
  place at;
  if (page->n_watched == WATCHED_MAX || strlen(path) >= sizeof fs->path) {
    say("more than %u file systems, or a path that is too long: %s", WATCHED_MAX, path);
    return false;
  }
  if (!look(path, &at)) {
    say("cannot watch %s: %s", path, strerror(errno));
    return false;
  }
  if (!at.known_type) {
    say("cannot watch the file system of %s: only ext4, xfs, btrfs and tmpfs are known to report every change", path);
    return false;
  }
  for (uint32_t i = 0; i < page->n_watched; i++)
    if (page->fs[i].fsid == at.fsid) {
      if (page->fs[i].dev == at.dev)
        return true; /* given twice */
      say("%s and %s have the same file system id: only one can be watched", page->fs[i].path, path);
      return false;
    }
  strcpy(fs->path, path);
  if (!add(fanotify, page, fs, &at))
    return false;
  page->n_watched++;
  return true;
}

void check_marks(int fanotify, shared *page, void (*lost)(void *ctx, uint32_t fs, const char *why), void *ctx)
{
  for (uint32_t i = 0; i < page->n_watched; i++) {
    watched *fs = &page->fs[i];
    uint32_t sdev;
    place at;
    if (fs->marked && find_mark(fanotify, is_its, page, fs, &sdev))
      continue;
    if (fs->marked) {
      fs->marked = false;
      say("%s: the file system was unmounted", fs->path);
      lost(ctx, i, "the file system was unmounted");
    }
    if (!look(fs->path, &at) || !at.known_type || (fs->root && !at.root))
      continue;
    if (add(fanotify, page, fs, &at)) {
      say("%s: a file system is mounted again and watched", fs->path);
      lost(ctx, i, "the file system was mounted again");
    }
  }
}
