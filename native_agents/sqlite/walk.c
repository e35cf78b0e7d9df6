/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "walk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bp_status walk_add(walk *walk, const char *root)
{
  size_t len = strlen(root);
  while (len > 1 && root[len - 1] == '/')
    len--;
  char *copy = strndup(root, len);
  if (!copy)
    return BP_E_NOMEM;
  if (*copy != '/' || strstr(copy, "//") || strstr(copy, "/./") || strstr(copy, "/../") || walk->n_roots == MAX_ROOTS) {
    free(copy);
    return bp_failf(walk->host, BP_E_INVAL, BP_OS_NONE, 0, "%s: give an absolute path without empty, . and .. parts; at most %d",
                    root, MAX_ROOTS);
  }
  walk->roots[walk->n_roots++] = copy;
  return BP_OK;
}

void walk_end(walk *walk)
{
  if (walk->files)
    fts_close(walk->files);
  while (walk->n_roots)
    free(walk->roots[--walk->n_roots]);
  free(walk->real);
}

/* Begins with the next root. Zero after the last, -1 without memory. */
static int next_root(walk *walk)
{
  char *start[2] = { NULL, NULL };
  free(walk->real);
  walk->real = NULL;
  if (walk->root == walk->n_roots)
    return 0;
  walk->real = realpath(walk->roots[walk->root], NULL);
  start[0] = walk->real ? walk->real : walk->roots[walk->root]; /* not there: fts says so */
  walk->files = fts_open(start, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
  return walk->files ? 1 : -1;
}

/* What it is called on the Volume. False: too long for a name. */
static int give_name(const walk *walk, const FTSENT *file, found *out)
{
  const char *root = walk->roots[walk->root], *real = walk->real ? walk->real : root;
  const char *below = file->fts_path + (strcmp(real, "/") ? strlen(real) : 0);
  int len = snprintf(out->name, sizeof out->name, PREFIX "%s%s", strcmp(root, "/") ? root : "", below);
  out->len = (uint32_t)len;
  return len < PATH_MAX && snprintf(out->path, sizeof out->path, "%s", file->fts_path) < PATH_MAX;
}

static int ends_in(const char *name, const char *ending)
{
  size_t len = strlen(name), tail = strlen(ending);
  return len > tail && !strcmp(name + len - tail, ending);
}

void found_forget(found *found)
{
  if (found->object >= 0)
    close(found->object);
  found->object = -1;
}

/*
 * Does it look like a database: by what it holds, or, encrypted as it may be, by what it is called or has beside it? Then it is
 * kept in out->object, and `about` becomes what that one is. (Closing an O_PATH descriptor gives no locks up.)
 */
static int is_database(const FTSENT *file, found *out, struct stat *about)
{
  static const char magic[16] = "SQLite format 3";
  char head[sizeof magic], log[PATH_MAX], self[32];
  int descriptor = open(file->fts_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  ssize_t got = descriptor >= 0 ? pread(descriptor, head, sizeof head, 0) : -1;
  (void)snprintf(log, sizeof log, "%s-wal", file->fts_path);
  (void)snprintf(self, sizeof self, "/proc/self/fd/%d", descriptor);
  int likely = (got == (ssize_t)sizeof head && !memcmp(head, magic, sizeof magic))
               || (file->fts_statp->st_size > 0
                   && (ends_in(file->fts_name, ".sqlite") || ends_in(file->fts_name, ".sqlite3") || access(log, F_OK) == 0));
  if (likely)
    out->object = descriptor < 0 ? open(file->fts_path, O_PATH | O_CLOEXEC | O_NOFOLLOW) : open(self, O_PATH | O_CLOEXEC);
  if (descriptor >= 0)
    close(descriptor);
  return likely && fstat(out->object, about) == 0 && S_ISREG(about->st_mode);
}

/* The time of the database or of its log: a commit touches one of them. */
static bp_time changed(const char *path, const struct stat *about)
{
  char log[PATH_MAX + sizeof "-wal"];
  struct stat other;
  struct timespec newest = about->st_mtim;
  (void)snprintf(log, sizeof log, "%s-wal", path);
  if (lstat(log, &other) == 0 && other.st_size /* SQLite makes an empty one for any reader */
      && (other.st_mtim.tv_sec > newest.tv_sec
          || (other.st_mtim.tv_sec == newest.tv_sec && other.st_mtim.tv_nsec > newest.tv_nsec)))
    newest = other.st_mtim;
  return (bp_time){ newest.tv_sec, (uint32_t)newest.tv_nsec, 0 };
}

static void fail(const walk *walk, found *out, const char *why)
{
  (void)bp_logf(walk->host, BP_MSG_WARNING, "%s: not saved: %s", out->path, why);
  out->entry.flags |= BP_ENTRY_FAILED;
}

/* May the host's FileSet want what is in this directory? */
static bp_status ask_about(walk *walk, FTSENT *directory, const found *at)
{
  bp_entry entry = { .type = BP_TYPE_DIRECTORY, .dev = directory->fts_statp->st_dev, .valid = BP_HAS_INO };
  uint32_t verdict;
  entry.flags = at->entry.flags;
  bp_status status = bp_match(walk->host, at->name, at->len, &entry, &verdict);
  if (status == BP_OK && verdict != BP_VERDICT_TAKE && verdict != BP_VERDICT_DESCEND)
    (void)fts_set(walk->files, directory, FTS_SKIP);
  for (unsigned i = 0; i < walk->n_roots; i++) /* a root of its own: listed there */
    if (directory->fts_level > FTS_ROOTLEVEL && !strcmp(at->name + PREFIX_LEN, walk->roots[i]))
      (void)fts_set(walk->files, directory, FTS_SKIP);
  return status;
}

static void describe(const walk *walk, databases *all, const struct stat *about, found *out)
{
  char why[BP_TEXT_MAX];
  out->entry.type = BP_TYPE_REGULAR;
  out->entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
  out->entry.valid = BP_HAS_MODE | BP_HAS_OWNER | BP_HAS_SIZE | BP_HAS_MTIME;
  out->entry.mode = about->st_mode & 07777u;
  out->entry.uid = about->st_uid;
  out->entry.gid = about->st_gid;
  out->entry.mtime = changed(out->path, about);
  out->entry.size = database_size(all, out->path, out->object, why);
  if (!out->entry.size)
    fail(walk, out, why);
}

/* One step of fts. BP_OK with *listed: something to list. */
static bp_status look_at(walk *walk, databases *all, FTSENT *file, found *out, int *listed)
{
  int broken = file->fts_info == FTS_DNR || file->fts_info == FTS_ERR || file->fts_info == FTS_NS;
  struct stat about;
  found_forget(out);
  memset(&out->entry, 0, sizeof out->entry);
  out->entry.flags = file->fts_level == FTS_ROOTLEVEL ? BP_ENTRY_TOP : 0;
  *listed = 0;
  if (!give_name(walk, file, out)) {
    fail(walk, out, "its path is too long");
    return BP_OK;
  }
  if (file->fts_info == FTS_D)
    return ask_about(walk, file, out);
  if (broken) {
    out->entry.type = BP_TYPE_DIRECTORY; /* it and what is below it counts as still there */
    fail(walk, out, strerror(file->fts_errno));
  } else if (file->fts_info == FTS_F && is_database(file, out, &about))
    describe(walk, all, &about, out);
  else
    return BP_OK;
  *listed = 1;
  return BP_OK;
}

bp_status walk_next(walk *walk, databases *all, found *out)
{
  while (!bp_cancelled(walk->host)) {
    int listed, more = walk->files ? 1 : next_root(walk);
    if (more <= 0)
      return more ? BP_E_NOMEM : BP_END;
    bp_beat(walk->host);
    FTSENT *file = fts_read(walk->files);
    if (!file) {
      fts_close(walk->files);
      walk->files = NULL;
      walk->root++;
      continue;
    }
    bp_status status = look_at(walk, all, file, out, &listed);
    if (status != BP_OK || listed)
      return status;
  }
  return BP_E_CANCELLED;
}
