/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attributes.h"
#include "bplugin_sdk.h"
#include "handle.h"

#define HELD_BYTES (4u << 20) /* in memory before they go to the file */
#define MADE_MODE 0700        /* nobody has said what it was */

enum { MADE = 1, ENTRY = 2, ONLY_IF_MADE = 4 };

typedef struct record {
  uint64_t bytes;            /* of all of it, a multiple of 8 */
  uint32_t flags, path_len;
  uint64_t small_len, dev, ino, valid, streams;
  bp_time  atime, mtime;
  uint32_t mode, uid, gid, reserved;
  /* path and a NUL, padded to 8; small streams */
} record;

static size_t padded(size_t n)
{
  return (n + 7) & ~(size_t)7;
}

void folders_begin(folders *f, const bp_host_api *host)
{
  *f = (folders){ .host = host, .file = -1 };
}

void folders_end(folders *f)
{
  if (f->file >= 0)
    close(f->file);
  free(f->bytes);
  free(f->where);
  *f = (folders){ .file = -1 };
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
  while (len) {
    ssize_t n = write(fd, bytes, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    bytes += n;
    len -= (size_t)n;
  }
  return true;
}

/* /tmp may be memory; without any of them the records stay where they are. */
static int open_spool(void)
{
  static const char *const directories[] = { "/var/tmp", "/tmp" };
  for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
    int fd = open(directories[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
      return fd;
  }
  return -1;
}

static void spool(folders *f)
{
  if (f->file < 0)
    f->file = open_spool();
  if (f->file < 0)
    return;
  if (!write_all(f->file, f->bytes, f->used)) {
    f->failed = true;
    return;
  }
  f->spooled += f->used;
  f->used = 0;
}

static bool reserve(folders *f, size_t more)
{
  if (f->count == f->cap_where) {
    size_t cap = f->cap_where ? f->cap_where * 2 : 1024;
    uint64_t *where = realloc(f->where, cap * sizeof *where);
    if (!where)
      return false;
    f->where = where;
    f->cap_where = cap;
  }
  if (f->used && f->used + more > HELD_BYTES)
    spool(f);
  if (f->used + more > f->cap) {
    size_t cap = f->cap ? f->cap : 64 * 1024;
    uint8_t *bytes;
    while (cap < f->used + more)
      cap *= 2;
    bytes = realloc(f->bytes, cap);
    if (!bytes)
      return false;
    f->bytes = bytes;
    f->cap = cap;
  }
  return true;
}

static void add(folders *f, record *r, const char *path, size_t len, const void *small, size_t small_len)
{
  size_t path_room = padded(len + 1), small_room = padded(small_len);
  uint8_t *out;
  r->path_len = (uint32_t)len;
  r->small_len = small_len;
  r->bytes = sizeof *r + path_room + small_room;
  if (f->failed || !reserve(f, r->bytes)) {
    f->failed = true;
    return;
  }
  out = f->bytes + f->used;
  memset(out, 0, r->bytes);
  memcpy(out, r, sizeof *r);
  memcpy(out + sizeof *r, path, len);
  if (small_len)
    memcpy(out + sizeof *r + path_room, small, small_len);
  f->where[f->count++] = f->spooled + f->used;
  f->used += r->bytes;
}

void folders_made(void *self, const char *path, size_t len)
{
  record r = { .flags = MADE };
  add(self, &r, path, len, NULL, 0);
}

void folders_entry(folders *f, const char *path, size_t len, const bp_entry *entry, const void *small, size_t small_len,
                   const struct stat *seen, bool made, bool only_if_made)
{
  record r = { .flags = ENTRY | (made ? MADE : 0u) | (only_if_made ? ONLY_IF_MADE : 0u), .dev = seen->st_dev,
               .ino = seen->st_ino, .valid = entry->valid, .streams = entry->streams, .atime = entry->atime, .mtime = entry->mtime,
               .mode = entry->mode, .uid = entry->uid, .gid = entry->gid };
  add(f, &r, path, len, small, small_len);
}

/* ---- the end of the Job -------------------------------------------------------------------------------------------------- */

static const record *record_at(const uint8_t *base, uint64_t where)
{
  return (const record *)(base + where);
}

static const char *path_of(const record *r)
{
  return (const char *)(r + 1);
}

/* Descending, so that "/a/b" comes before "/a"; what came first of the same path stays first. */
static int order(const void *a, const void *b, void *base)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  const record *r = record_at(base, x), *s = record_at(base, y);
  int by_path = strcmp(path_of(s), path_of(r));
  return by_path ? by_path : (x > y) - (x < y);
}

static void apply_one(place *p, uint64_t came, tally *t, const record *r, bool made)
{
  const char *path = path_of(r);
  bp_entry entry = { .valid = r->valid, .mode = r->mode, .uid = r->uid, .gid = r->gid, .atime = r->atime,
                     .mtime = r->mtime };
  attributes a = { .entry = &entry, .small = (const uint8_t *)(r + 1) + padded(r->path_len + 1), .small_len = r->small_len,
                   .path = *path ? path : "/" };
  handle h = { .fd = -1 };
  struct stat now;
  int fd;
  if (r->flags & ENTRY && r->flags & ONLY_IF_MADE && !made)
    return;
  if (!(r->flags & ENTRY)) {
    entry.valid = BP_HAS_MODE;
    entry.mode = MADE_MODE;
  }
  fd = place_directory(p, path, r->path_len);
  if (fd < 0 || fstat(fd, &now)) {
    tally_add(t, LOSS_MODE, a.path, "", errno);
    return;
  }
  if (r->flags & ENTRY && (now.st_dev != r->dev || now.st_ino != r->ino)) {
    tally_add(t, LOSS_MODE, a.path, "", ESTALE); /* somebody put another one there */
    return;
  }
  handle_use_path(&h, fd);
  h.borrowed = true;
  if (r->flags & ENTRY && !made)
    attributes_clear(&a, &h, r->streams ? r->streams : came, t);
  attributes_apply(&a, &h, t);
}

bp_status folders_apply(folders *f, place *p, uint64_t came, tally *t)
{
  uint8_t *base = f->bytes;
  bp_status status = BP_OK;
  if (f->file >= 0 && !f->failed) {
    spool(f);
    base = f->failed ? NULL : mmap(NULL, f->spooled, PROT_READ, MAP_PRIVATE, f->file, 0);
    f->failed |= base == MAP_FAILED;
  }
  if (f->failed)
    return bp_fail_errno(f->host, errno == ENOSPC ? BP_E_NOSPACE : BP_E_NOMEM, errno,
                         "the attributes of directories could not be kept until the end (in /var/tmp or /tmp)");
  if (f->count)
    qsort_r(f->where, f->count, sizeof *f->where, order, base);
  for (size_t i = 0; i < f->count && status == BP_OK;) {
    const record *apply = record_at(base, f->where[i]);
    bool made = false;
    size_t next = i;
    for (; next < f->count && !strcmp(path_of(record_at(base, f->where[next])), path_of(apply)); next++) {
      const record *r = record_at(base, f->where[next]);
      made |= (r->flags & MADE) != 0;
      if (r->flags & ENTRY) /* the last entry of all counts */
        apply = r;
    }
    apply_one(p, came, t, apply, made);
    i = next;
    bp_beat(f->host);
    if (bp_cancelled(f->host))
      status = BP_E_CANCELLED;
  }
  if (f->file >= 0)
    munmap(base, f->spooled);
  return status;
}
