/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an entry? Which of what is there gives way, how each type is made, and what waits for the end. */
#define _GNU_SOURCE
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aside.h"
#include "attributes.h"
#include "bplugin_sdk.h"
#include "folders.h"
#include "newfile.h"
#include "place.h"
#include "small.h"
#include "speak.h"
#include "tally.h"

/* Of a longer write the kernel keeps larger pieces of memory, which a virtual machine may have to fetch from its host again: 1 GB of
 * a megabyte at a time took 0.7 to 1.3 s of processor time, of 64 KiB 0.2. */
#define AT_A_TIME (64u << 10)

struct restore {
  const bp_host_api *host;
  place    place;
  folders  folders;
  tally    tally;
  asides   asides;
  inodes   several;          /* files with several names that this Job has made: the other names are links to them */
  bool     nameless;         /* files without a name can be had */
  uint64_t came;             /* mask of the streams that came for any entry */

  /* the entry at hand */
  bool     active;
  bp_entry entry;
  spot     at;
  bool     aside;            /* what is there stays, and the entry waits for another of its names */
  bool     may_replace;      /* something that stands there gives way */
  char    *path, *link;      /* for messages: the final path; where a symbolic link leads */
  size_t   cap_path, cap_link, link_len;
  struct stat folder;        /* a directory: which one */
  bool     folder_made, folder_only_if_made;
  newfile  file;             /* its data goes here */
  bool     data_ended;
  uint32_t stream;
  bool     stream_open;
  small    small;
};

static bool copy_text(char **buf, size_t *cap, const char *a, size_t a_len, const char *b, size_t b_len)
{
  if (a_len + b_len + 1 > *cap) {
    char *larger = realloc(*buf, a_len + b_len + 1);
    if (!larger)
      return false;
    *buf = larger;
    *cap = a_len + b_len + 1;
  }
  memcpy(*buf, a, a_len);
  memcpy(*buf + a_len, b, b_len);
  (*buf)[a_len + b_len] = 0;
  return true;
}

static bp_status failed(const restore *r, int number, const char *what)
{
  shown text;
  return bp_fail_errno(r->host, bp_status_of_errno(number), number, "%s %s", what, show(&text, r->path, strlen(r->path)));
}

static bp_status refused(const restore *r, const char *why)
{
  shown text;
  return bp_failf(r->host, BP_E_ENTRY, BP_OS_NONE, 0, "%s: %s", show(&text, r->path, strlen(r->path)), why);
}

/* ---- what is there already ------------------------------------------------------------------------------------------------ */

/* Must the entry make way for what is there? Compared to the second: that is all a Volume may have. */
static bool keeps_existing(const restore *r, const struct stat *there, uint32_t replace)
{
  bool dated = (r->entry.valid & BP_HAS_MTIME) != 0;
  switch (replace) {
  case BP_REPLACE_NEVER: return true;
  case BP_REPLACE_IFNEWER: return !dated || r->entry.mtime.sec <= there->st_mtime;
  case BP_REPLACE_IFOLDER: return !dated || r->entry.mtime.sec >= there->st_mtime;
  default: return false;
  }
}

/* Is what is there a file as the entry was saved? */
static bool is_as_saved(const restore *r, const struct stat *there)
{
  const bp_entry *e = &r->entry;
  return (!(e->valid & BP_HAS_MTIME) || e->mtime.sec == there->st_mtime)
         && (!(e->valid & BP_HAS_SIZE) || !S_ISREG(there->st_mode) || e->size == (uint64_t)there->st_size);
}

static bool has_several_names(const restore *r)
{
  return r->entry.valid & BP_HAS_NLINK && r->entry.nlink > 1;
}

/* ---- directories ---------------------------------------------------------------------------------------------------------- */

/* The directory is there, or made; its attributes wait. */
static bp_status enter_folder(restore *r, uint32_t replace, uint32_t *action)
{
  const spot *at = &r->at;
  struct stat there;
  int fd;
  r->folder_made = at->made;
  r->folder_only_if_made = replace == BP_REPLACE_NEVER;
  *action = BP_ACTION_CREATED;
  if (!*at->name)
    return fstat(at->fd, &r->folder) ? failed(r, errno, "look at") : BP_OK;
  if (fstatat(at->fd, at->name, &there, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(there.st_mode)) {
    if (S_ISLNK(there.st_mode) && place_follows(&r->place, at->fd, at->name)) {
      fd = place_directory(&r->place, at->path, at->path_len); /* of r->at only the path stays */
      return fd < 0 || fstat(fd, &r->folder) ? failed(r, errno, "look at") : BP_OK;
    }
    if (keeps_existing(r, &there, replace)) {
      *action = BP_ACTION_SKIP;
      return BP_OK;
    }
    if (unlinkat(at->fd, at->name, 0) && errno != ENOENT)
      return failed(r, errno, "remove what stands where a directory belongs:");
  }
  if (mkdirat(at->fd, at->name, 0700) == 0) {
    r->folder_made = true;
  } else if (errno != EEXIST) {
    return failed(r, errno, "make directory");
  }
  fd = openat(at->fd, at->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return failed(r, errno, "open directory");
  if (r->folder_made && at->gives_acl)
    place_disinherit(fd, true);
  if (fstat(fd, &r->folder)) {
    int number = errno;
    close(fd);
    return failed(r, number, "look at");
  }
  close(fd);
  return BP_OK;
}

/* ---- links and special files ---------------------------------------------------------------------------------------------- */

static int make_symlink(int fd, const char *name, const void *what)
{
  return symlinkat(((const restore *)what)->link, fd, name);
}

static int make_node(int fd, const char *name, const void *what)
{
  const bp_entry *entry = &((const restore *)what)->entry;
  mode_t type = entry->type == BP_TYPE_FIFO ? S_IFIFO : entry->type == BP_TYPE_CHARDEV ? S_IFCHR : S_IFBLK;
  return mknodat(fd, name, type | 0600, entry->type == BP_TYPE_FIFO ? 0 : entry->rdev);
}

/* Is this what we have just made? Somebody who may write here could have put another thing in its place. */
static bool is_ours(const restore *r, const struct stat *st)
{
  if (st->st_uid != geteuid() || st->st_nlink != 1)
    return false;
  switch (r->entry.type) {
  case BP_TYPE_SYMLINK: return S_ISLNK(st->st_mode);
  case BP_TYPE_FIFO: return S_ISFIFO(st->st_mode);
  case BP_TYPE_CHARDEV: return S_ISCHR(st->st_mode) && st->st_rdev == r->entry.rdev;
  default: return S_ISBLK(st->st_mode) && st->st_rdev == r->entry.rdev;
  }
}

static bp_status finish_node(restore *r)
{
  bool link = r->entry.type == BP_TYPE_SYMLINK;
  attributes a = { .entry = &r->entry, .small = r->small.bytes, .small_len = r->small.used, .path = r->path, .link = link };
  handle h = { .fd = -1 };
  struct stat st;
  char name[40];
  int fd;
  if (newfile_make_temp(&r->at, name, link ? make_symlink : make_node, r))
    return failed(r, errno, link ? "make symbolic link" : "make special file");
  fd = openat(r->at.fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) || !is_ours(r, &st)) {
    if (fd >= 0)
      close(fd);
    (void)unlinkat(r->at.fd, name, 0);
    return refused(r, "somebody else replaces what is restored here");
  }
  handle_use_path(&h, fd);
  if (r->at.gives_acl && !link)
    place_disinherit(fd, false);
  attributes_apply(&a, &h, &r->tally);
  close(fd);
  if (has_several_names(r) && !inodes_add(&r->several, &st)) {
    (void)unlinkat(r->at.fd, name, 0);
    return BP_E_NOMEM;
  }
  if (link && !place_made_link(&r->place, &st)) {
    (void)unlinkat(r->at.fd, name, 0);
    return BP_E_NOMEM;
  }
  return newfile_rename(&r->at, name, r->may_replace) ? failed(r, errno, "restore") : BP_OK;
}

typedef struct target { int fd; const char *name; } target;

static int make_hard_link(int fd, const char *name, const void *what)
{
  const target *t = what;
  return linkat(t->fd, t->name, fd, name, 0);
}

static bp_status link_as(restore *r, newfile_make *make, const void *what)
{
  char name[40];
  if (make(r->at.fd, r->at.name, what) == 0)
    return BP_OK;
  if (errno == EEXIST && r->may_replace && newfile_make_temp(&r->at, name, make, what) == 0
      && newfile_rename(&r->at, name, true) == 0)
    return BP_OK;
  return failed(r, errno, "make hard link");
}

/*
 * Another name for what stands at `link`, a final path: made at once, it has no attributes of its own. What was there and stays
 * is not what was saved, unless it looks so.
 */
static bp_status make_another_name(restore *r, const target *first)
{
  const aside *aside = asides_find(&r->asides, r->link);
  struct stat there, target;
  shown text, other;
  if (aside)
    return link_as(r, aside_link, aside);
  if (fstatat(first->fd, first->name, &target, AT_SYMLINK_NOFOLLOW) || S_ISDIR(target.st_mode))
    return bp_fail_errno(r->host, BP_E_NOTFOUND, errno, "hard link %s: its first name is not there: %s",
                         show(&text, r->path, strlen(r->path)), show(&other, r->link, r->link_len));
  if (fstatat(r->at.fd, r->at.name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_dev == target.st_dev
      && there.st_ino == target.st_ino)
    return BP_OK;
  if (!inodes_has(&r->several, &target) && !is_as_saved(r, &target))
    return bp_failf(r->host, BP_E_NOTFOUND, BP_OS_NONE, 0, "hard link %s: its first name is another file, which was not restored: %s",
                    show(&text, r->path, strlen(r->path)), show(&other, r->link, r->link_len));
  return link_as(r, make_hard_link, first);
}

/* ---- the calls ---------------------------------------------------------------------------------------------------------------- */

/* The entry's place, and what is known of it. A hard link's first name is found before: both need the way. */
static bp_status find(restore *r, const char *dest, target *first, char first_name[])
{
  bp_status status;
  spot at;
  if (r->entry.type == BP_TYPE_HARDLINK) {
    status = place_find(&r->place, r->link, false, &at);
    if (status != BP_OK)
      return status;
    if (strlen(at.name) > 255)
      return bp_failf(r->host, BP_E_INVAL, BP_OS_NONE, 0, "hard link: the first name is too long");
    strcpy(first_name, at.name);
    first->name = first_name;
    first->fd = fcntl(at.fd, F_DUPFD_CLOEXEC, 0);
    if (first->fd < 0)
      return failed(r, errno, "hard link");
  }
  return place_find(&r->place, dest, true, &r->at);
}

static bp_status prepare(restore *r, uint32_t replace, const target *first, uint32_t *action)
{
  struct stat there;
  bool exists;
  r->may_replace = replace != BP_REPLACE_NEVER;
  if (r->entry.type == BP_TYPE_DIRECTORY)
    return enter_folder(r, replace, action);
  if (!*r->at.name)
    return refused(r, "only a directory can be restored here");
  exists = fstatat(r->at.fd, r->at.name, &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (!exists && errno != ENOENT)
    return failed(r, errno, "look at");
  if (exists && keeps_existing(r, &there, replace)) {
    r->aside = r->entry.type == BP_TYPE_REGULAR && has_several_names(r) && !is_as_saved(r, &there);
    *action = r->aside ? BP_ACTION_WANT : BP_ACTION_SKIP;
    return BP_OK;
  }
  if (exists && S_ISDIR(there.st_mode))
    return refused(r, "a directory is in the way");
  switch (r->entry.type) {
  case BP_TYPE_HARDLINK:
    *action = BP_ACTION_CREATED;
    return make_another_name(r, first);
  case BP_TYPE_REGULAR: /* also of size 0: of some files, those in /proc for one, that is no more than what was known */
  case BP_TYPE_FIFO: /* what was read from one comes back as a file */
  case BP_TYPE_BLOCKDEV:
    *action = BP_ACTION_WANT;
    return BP_OK;
  case BP_TYPE_SYMLINK:
    if (!r->link_len)
      return refused(r, "a symbolic link that leads nowhere");
    *action = BP_ACTION_CREATED;
    return BP_OK;
  case BP_TYPE_CHARDEV:
    *action = BP_ACTION_CREATED;
    return BP_OK;
  default:
    return bp_failf(r->host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "entries of type %u are not restored here", r->entry.type);
  }
}

bp_status restore_entry(restore *r, const bp_entry *entry, const void *base, const char *dest, uint32_t replace,
                        uint32_t *action)
{
  target first = { .fd = -1 };
  char first_name[256];
  uint32_t answer = BP_ACTION_NONE;
  bp_status status;
  *action = BP_ACTION_NONE;
  if (r->active)
    return bp_failf(r->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "restore_entry: the last one is not done");
  if (bp_cancelled(r->host))
    return BP_E_CANCELLED;
  bp_beat(r->host);
  r->entry = *entry;
  r->link_len = entry->link_len;
  if (!copy_text(&r->path, &r->cap_path, dest, strlen(dest), "", 0)
      || !copy_text(&r->link, &r->cap_link, entry->link_len ? (const char *)base + entry->link_off : "", entry->link_len,
                    "", 0))
    return BP_E_NOMEM;
  small_clear(&r->small);
  r->file = (newfile){ .fd = -1 };
  r->data_ended = r->stream_open = r->aside = false;
  r->at = (spot){ .fd = -1 };
  r->place.clears = replace == BP_REPLACE_ALWAYS;
  status = find(r, dest, &first, first_name);
  if (status == BP_OK)
    status = prepare(r, replace, &first, &answer);
  if (first.fd >= 0)
    close(first.fd);
  if (r->at.made && (status != BP_OK || r->entry.type != BP_TYPE_DIRECTORY))
    folders_made(&r->folders, r->at.path, r->at.path_len); /* this is not the entry that it waits for */
  if (status != BP_OK)
    return status;
  r->active = answer != BP_ACTION_SKIP;
  *action = answer;
  return BP_OK;
}

bp_status restore_stream(restore *r, uint32_t stream, uint64_t size)
{
  (void)size;
  if (!r->active)
    return bp_failf(r->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "restore_stream: no entry is being restored");
  r->stream = stream;
  r->stream_open = true;
  r->came |= BP_STREAM_BIT(stream);
  if (stream != BP_STREAM_DATA)
    return small_start(&r->small, stream) ? BP_OK : BP_E_NOMEM;
  if (r->entry.type != BP_TYPE_REGULAR && r->entry.type != BP_TYPE_FIFO && r->entry.type != BP_TYPE_BLOCKDEV)
    return refused(r, "data came for an entry that has none");
  if (r->file.fd >= 0)
    return bp_failf(r->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "restore_stream: the data came already");
  return newfile_open(&r->file, &r->at, &r->nameless) ? failed(r, errno, "create") : BP_OK;
}

static bp_status write_data(restore *r, const uint8_t *bytes, const bp_chunk *chunk)
{
  uint64_t done = 0, end = chunk->offset + chunk->len;
  if (end > INT64_MAX || end < chunk->offset)
    return refused(r, "its data ends beyond what a file can hold");
  while (done < chunk->len) {
    uint64_t left = chunk->len - done;
    ssize_t n = pwrite(r->file.fd, bytes + done, left < AT_A_TIME ? left : AT_A_TIME, (off_t)(chunk->offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return failed(r, errno, "write");
    done += (uint64_t)n;
  }
  if (chunk->flags & BP_CHUNK_LAST) {
    r->data_ended = true;
    r->stream_open = false;
    if (!chunk->len && chunk->offset && ftruncate(r->file.fd, (off_t)chunk->offset)) /* it ends in a hole */
      return failed(r, errno, "write");
  }
  return BP_OK;
}

bp_status restore_write(restore *r, const void *buf, const bp_chunk *chunk)
{
  if (!r->active || !r->stream_open)
    return bp_failf(r->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "write: no stream is open");
  if (bp_cancelled(r->host))
    return BP_E_CANCELLED;
  bp_beat(r->host);
  if (r->stream == BP_STREAM_DATA)
    return write_data(r, buf, chunk);
  return small_write(&r->small, buf, chunk->len) ? BP_OK : BP_E_NOMEM;
}

static bp_status finish_file(restore *r)
{
  attributes a = { .entry = &r->entry, .small = r->small.bytes, .small_len = r->small.used, .path = r->path };
  handle h = { .fd = -1 };
  struct stat made;
  if (r->file.fd < 0) {
    if (r->entry.valid & BP_HAS_SIZE && r->entry.size)
      return refused(r, "its data did not come");
    if (newfile_open(&r->file, &r->at, &r->nameless))
      return failed(r, errno, "create");
  } else if (!r->data_ended) {
    newfile_drop(&r->file, &r->at);
    return refused(r, "the end of its data did not come");
  }
  h.fd = r->file.fd;
  attributes_apply(&a, &h, &r->tally);
  if (r->aside)
    return asides_add(&r->asides, r->path, &r->file, &r->at) ? BP_OK : failed(r, errno, "keep for its other names");
  if (has_several_names(r) && (fstat(h.fd, &made) || !inodes_add(&r->several, &made))) {
    newfile_drop(&r->file, &r->at);
    return BP_E_NOMEM;
  }
  return newfile_keep(&r->file, &r->at, r->may_replace) ? failed(r, errno, "restore") : BP_OK;
}

/* What there is may be all that is left of it: beside its place, under a name that says so, without special rights. */
static void keep_corrupt(restore *r)
{
  attributes a = { .entry = &r->entry, .path = r->path };
  handle h = { .fd = r->file.fd };
  char name[256];
  shown text, other;
  r->entry.mode &= 0777;
  attributes_apply(&a, &h, &r->tally);
  if (newfile_keep_corrupt(&r->file, &r->at, name))
    bp_logf(r->host, BP_MSG_WARNING, "What was restored of %s is dropped, as it could not be kept as %s: %s",
            show(&text, r->path, strlen(r->path)), show(&other, name, strlen(name)), strerror(errno));
  else
    bp_logf(r->host, BP_MSG_WARNING, "What was restored of %s is kept beside it as %s",
            show(&text, r->path, strlen(r->path)), show(&other, name, strlen(name)));
}

bp_status restore_done(restore *r, bp_status how)
{
  if (!r->active)
    return bp_failf(r->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "restore_done: no entry is being restored");
  r->active = r->stream_open = false;
  if (how == BP_E_CORRUPT && r->file.fd >= 0) {
    keep_corrupt(r);
    return BP_OK;
  }
  if (how != BP_OK) {
    newfile_drop(&r->file, &r->at);
    if (r->entry.type == BP_TYPE_DIRECTORY && r->folder_made)
      folders_made(&r->folders, r->at.path, r->at.path_len);
    return BP_OK;
  }
  switch (r->entry.type) {
  case BP_TYPE_DIRECTORY:
    folders_entry(&r->folders, r->at.path, r->at.path_len, &r->entry, r->small.bytes, r->small.used, &r->folder,
                  r->folder_made, r->folder_only_if_made);
    return BP_OK;
  case BP_TYPE_HARDLINK:
    return BP_OK;
  case BP_TYPE_REGULAR:
    return finish_file(r);
  case BP_TYPE_FIFO:
  case BP_TYPE_BLOCKDEV:
    return r->file.fd >= 0 ? finish_file(r) : finish_node(r);
  default:
    return finish_node(r);
  }
}

bp_status restore_commit(restore *r)
{
  bp_status status;
  place_flush(&r->place);
  status = folders_apply(&r->folders, &r->place, r->came, &r->tally);
  tally_tell(&r->tally);
  return status;
}

/* ---- begin, end ------------------------------------------------------------------------------------------------------------------ */

bp_status restore_begin(restore **out, const bp_host_api *host, const char *where)
{
  restore *r = calloc(1, sizeof *r);
  bp_status status;
  *out = NULL;
  if (!r)
    return BP_E_NOMEM;
  r->host = host;
  r->tally.host = host;
  r->file.fd = -1;
  r->nameless = faccessat(AT_FDCWD, "/proc/self/fd", X_OK, AT_EACCESS) == 0; /* the way from no name to one */
  folders_begin(&r->folders, host);
  status = place_begin(&r->place, host, where, folders_made, &r->folders);
  if (status != BP_OK) {
    folders_end(&r->folders);
    free(r);
    return status;
  }
  *out = r;
  return BP_OK;
}

void restore_end(restore *r)
{
  if (r->active)
    newfile_drop(&r->file, &r->at);
  place_end(&r->place);
  folders_end(&r->folders);
  asides_end(&r->asides);
  inodes_free(&r->several);
  small_free(&r->small);
  free(r->path);
  free(r->link);
  free(r);
}
