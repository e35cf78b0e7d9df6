/* SPDX-License-Identifier: Apache-2.0 */
/* What is an entry made of? From the kernel's answer to bp_entry, and what is remembered of it. */
#define _GNU_SOURCE
#include "backup.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>

#define CONFIGFS_MAGIC 0x62656570

slot *backup_slot(backup *b, uint64_t cookie)
{
  uint64_t i = cookie - b->first_cookie;
  return cookie >= b->first_cookie && i < b->n_slots ? &b->slots[i] : NULL;
}

const char *slot_path(const backup *b, const slot *s)
{
  return b->slots_text + s->path;
}

const char *slot_name(const backup *b, const slot *s)
{
  return b->slots_text + s->path + s->name;
}

static bp_time time_of(const struct statx_timestamp *t)
{
  return (bp_time){ .sec = t->tv_sec, .nsec = t->tv_nsec };
}

static uint32_t type_of(unsigned mode)
{
  switch (mode & S_IFMT) {
  case S_IFREG: return BP_TYPE_REGULAR;
  case S_IFDIR: return BP_TYPE_DIRECTORY;
  case S_IFLNK: return BP_TYPE_SYMLINK;
  case S_IFIFO: return BP_TYPE_FIFO;
  case S_IFCHR: return BP_TYPE_CHARDEV;
  case S_IFBLK: return BP_TYPE_BLOCKDEV;
  default: return 0;
  }
}

void entry_from_stat(bp_entry *entry, const struct statx *st)
{
  memset(entry, 0, sizeof *entry);
  entry->type = type_of(st->stx_mode);
  entry->valid = BP_HAS_MODE | BP_HAS_OWNER | BP_HAS_SIZE | BP_HAS_BLOCKS | BP_HAS_INO | BP_HAS_NLINK | BP_HAS_RDEV
                 | BP_HAS_ATIME | BP_HAS_MTIME | BP_HAS_CHTIME | BP_HAS_ATTRS;
  entry->mode = st->stx_mode;
  entry->uid = st->stx_uid;
  entry->gid = st->stx_gid;
  entry->nlink = st->stx_nlink;
  entry->size = st->stx_size;
  entry->blocks = st->stx_blocks;
  entry->blksize = st->stx_blksize;
  entry->ino = st->stx_ino;
  entry->dev = makedev(st->stx_dev_major, st->stx_dev_minor);
  entry->rdev = makedev(st->stx_rdev_major, st->stx_rdev_minor);
  entry->atime = time_of(&st->stx_atime);
  entry->mtime = time_of(&st->stx_mtime);
  entry->chtime = time_of(&st->stx_ctime);
  if (st->stx_mask & STATX_BTIME) {
    entry->btime = time_of(&st->stx_btime);
    entry->valid |= BP_HAS_BTIME;
  }
  if (st->stx_attributes & STATX_ATTR_NODUMP)
    entry->attrs |= BP_ATTR_NODUMP;
}

void entry_from_stat_again(bp_entry *entry, const struct statx *st, const slot *s)
{
  entry_from_stat(entry, st);
  if (s->nominal)
    entry->size = 0;
}

bool has_nominal_size(const bp_entry *entry)
{
  return entry->type == BP_TYPE_REGULAR && entry->valid & BP_HAS_FSTYPE
         && (entry->fs_type == SYSFS_MAGIC || entry->fs_type == CONFIGFS_MAGIC);
}

bp_entry entry_unseen(uint64_t cookie, uint32_t flags)
{
  return (bp_entry){ .cookie = cookie, .flags = flags, .type = BP_TYPE_DIRECTORY, .mode = S_IFDIR | 0755, .valid = BP_HAS_MODE };
}

uint64_t entry_streams(const bp_entry *entry)
{
  uint64_t named = BP_STREAM_BIT(BP_STREAM_ACL_ACCESS) | BP_STREAM_BIT(BP_STREAM_XATTR);
  bool top = (entry->flags & BP_ENTRY_TOP) != 0;
  switch (entry->type) {
  case BP_TYPE_REGULAR: return named | BP_STREAM_BIT(BP_STREAM_DATA);
  case BP_TYPE_DIRECTORY: return named | BP_STREAM_BIT(BP_STREAM_ACL_DEFAULT);
  case BP_TYPE_FIFO:
  case BP_TYPE_BLOCKDEV: return top ? named | BP_STREAM_BIT(BP_STREAM_DATA) : named;
  case BP_TYPE_CHARDEV: return named;
  case BP_TYPE_SYMLINK: return BP_STREAM_BIT(BP_STREAM_XATTR); /* trusted and security ones: labels of SELinux */
  default: return 0;
  }
}

void slot_remember(slot *s, const bp_entry *entry)
{
  s->mode = entry->mode;
  s->nlink = entry->nlink;
  s->uid = entry->uid;
  s->gid = entry->gid;
  s->flags = entry->flags;
  s->dev = entry->dev;
  s->ino = entry->ino;
  s->size = entry->size;
  s->atime = entry->atime;
  s->mtime = entry->mtime;
  s->chtime = entry->chtime;
}
