/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large data, piece by piece: files with their holes left out, a FIFO or a block device that a File line names.
 *
 * A file ends where it ended when it was looked at: one that grows is not followed, as a log might never let us go; one
 * that shrinks ends early and is reported as changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backup.h"
#include "bplugin_sdk.h"
#include "opened.h"
#include "speak.h"

#define ADVISE_BYTES (128u * 1024)   /* below, the advice costs more than it brings */
#define UNCACHE_BYTES (1024u * 1024) /* likewise */
#define WRITER_WAIT_S 300            /* until somebody opens a FIFO for writing */
#define TICK_MS 500

static bp_status refuse(backup *b, const slot *s, bp_status status, int number, const char *what)
{
  shown text;
  journal_again(b->journal, slot_path(b, s), s->path_len);
  return bp_fail_errno(b->host, status, number, "%s %s", what, show(&text, slot_path(b, s), s->path_len));
}

/* Is what is read now likely to be only ours? Then it leaves the cache again when we have it. */
static bool not_cached(int fd, uint64_t size)
{
  char byte;
  struct iovec one = { &byte, 1 };
  for (int i = 0; i < 3; i++)
    if (preadv2(fd, &one, 1, (off_t)(size / 4 * (unsigned)(i + 1)), RWF_NOWAIT) >= 0 || errno != EAGAIN)
      return false;
  return true;
}

bp_status backup_open(backup *b, uint64_t cookie, uint32_t number, uint64_t offset, uint64_t *size)
{
  slot *s = backup_slot(b, cookie);
  stream *st = &b->stream;
  bp_entry entry;
  handle h;
  *size = BP_SIZE_UNKNOWN;
  if (!s)
    return bp_failf(b->host, BP_E_INVAL, BP_OS_NONE, 0, "open_stream: no entry %llu in the last page",
                    (unsigned long long)cookie);
  if (st->fd >= 0)
    return bp_failf(b->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "open_stream: another stream is open");
  if (number != BP_STREAM_DATA)
    return bp_failf(b->host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "open_stream: stream %u comes with fetch only", number);
  if (!S_ISREG(s->mode) && !(s->flags & BP_ENTRY_TOP && (S_ISFIFO(s->mode) || S_ISBLK(s->mode))))
    return bp_failf(b->host, BP_E_INVAL, BP_OS_NONE, 0, "open_stream: this entry has no data");
  if (!open_same(b, s, &h, &entry) && errno == ESTALE) {
    shown text;
    return bp_failf(b->host, BP_E_NOTFOUND, BP_OS_ERRNO, ESTALE, "open %s: it was replaced, or its owner or permissions were changed, after its attributes were read",
                    show(&text, slot_path(b, s), s->path_len));
  }
  if (h.fd < 0)
    return refuse(b, s, errno == ENOENT ? BP_E_NOTFOUND : bp_status_of_errno(errno), errno, "open");
  *st = (stream){ .of = s, .fd = h.fd, .at = offset, .data_end = offset, .fifo = S_ISFIFO(s->mode) };
  if (st->fifo)
    return BP_OK;
  if (S_ISBLK(s->mode)) {
    if (ioctl(h.fd, BLKGETSIZE64, &st->limit)) {
      bp_status status = refuse(b, s, BP_E_IO, errno, "size of");
      (void)backup_close(b, status);
      return status;
    }
  } else {
    /* what the attributes promise, when fetch has sent them, and what is still there */
    st->limit = s->size && s->size < entry.size ? s->size : entry.size;
    st->shrunk = entry.size < s->size;
    st->unsized = !s->size && !entry.size;
    if (st->unsized)
      st->limit = UNSIZED_MOST;
    st->holes = entry.blocks < entry.size / 512;
    if (st->limit > ADVISE_BYTES)
      (void)posix_fadvise(h.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    st->uncache = st->limit > UNCACHE_BYTES && not_cached(h.fd, st->limit);
  }
  if (!st->holes)
    st->data_end = st->limit;
  if (!st->unsized)
    *size = st->limit;
  return BP_OK;
}

/* ---- FIFO -------------------------------------------------------------------------------------------------------------- */

/* Waits for data, a cancel, or nobody coming. */
static bp_status read_fifo(backup *b, uint8_t *buf, uint64_t cap, bp_chunk *chunk)
{
  stream *st = &b->stream;
  for (unsigned waited_ms = 0;;) {
    struct pollfd wait[2] = { { .fd = st->fd, .events = POLLIN }, { .fd = b->wake, .events = POLLIN } };
    ssize_t n;
    int ready = poll(wait, 2, TICK_MS);
    if (bp_cancelled(b->host) || (ready > 0 && wait[1].revents))
      return BP_E_CANCELLED;
    bp_beat(b->host);
    if (ready <= 0 || !wait[0].revents) {
      waited_ms += TICK_MS;
      if (!st->heard && waited_ms >= WRITER_WAIT_S * 1000u)
        return refuse(b, st->of, BP_E_IO, ETIMEDOUT, "nobody has written to the FIFO");
      continue;
    }
    n = read(st->fd, buf, cap);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (n < 0)
      return refuse(b, st->of, BP_E_IO, errno, "read");
    st->heard = true;
    st->ended = n == 0;
    st->at += (uint64_t)n;
    return bp_chunk_set(chunk, st->at - (uint64_t)n, (uint64_t)n, n == 0);
  }
}

/* ---- files ------------------------------------------------------------------------------------------------------------- */

static bp_status end_here(stream *st, bp_chunk *chunk, uint64_t offset)
{
  st->ended = true;
  st->at = offset;
  return bp_chunk_set(chunk, offset, 0, 1);
}

/* Moves st->at over a hole to the next data and finds its end. True: no data is left before the limit. */
static bool skip_hole(stream *st)
{
  off_t data = lseek(st->fd, (off_t)st->at, SEEK_DATA), hole;
  struct stat now;
  if (data < 0 && errno == ENXIO) { /* nothing but a hole; or it was cut */
    st->shrunk |= fstat(st->fd, &now) == 0 && (uint64_t)now.st_size < st->limit;
    if (!st->shrunk)
      st->at = st->limit;
    return true;
  }
  if (data < 0) { /* this file system cannot tell: all is data */
    st->data_end = st->limit;
    return false;
  }
  if ((uint64_t)data >= st->limit) {
    st->at = st->limit;
    return true;
  }
  st->at = (uint64_t)data;
  hole = lseek(st->fd, data, SEEK_HOLE);
  st->data_end = hole > data && (uint64_t)hole < st->limit ? (uint64_t)hole : st->limit;
  return false;
}

static bp_status read_file(backup *b, uint8_t *buf, uint64_t cap, bp_chunk *chunk)
{
  stream *st = &b->stream;
  uint64_t want, from;
  ssize_t n;
  if (st->at < st->limit && st->at >= st->data_end && skip_hole(st))
    return end_here(st, chunk, st->at);
  if (st->at >= st->limit && st->unsized) {
    shown text;
    return bp_failf(b->host, BP_E_ENTRY, BP_OS_NONE, 0, "%s says that its size is 0, and gives more than %u MB",
                    show(&text, slot_path(b, st->of), st->of->path_len), UNSIZED_MOST >> 20);
  }
  if (st->at >= st->limit)
    return end_here(st, chunk, st->at);
  want = st->data_end - st->at < cap ? st->data_end - st->at : cap;
  do
    n = pread(st->fd, buf, want, (off_t)st->at);
  while (n < 0 && errno == EINTR);
  if (n < 0) {
    shown text;
    int number = errno;
    journal_again(b->journal, slot_path(b, st->of), st->of->path_len);
    return bp_fail_errno(b->host, BP_E_IO, number, "read %s at byte %llu",
                         show(&text, slot_path(b, st->of), st->of->path_len), (unsigned long long)st->at);
  }
  if (n == 0) {
    st->shrunk = !st->unsized;
    return end_here(st, chunk, st->at);
  }
  from = st->at;
  st->at += (uint64_t)n;
  st->ended = st->at == st->limit && !st->unsized;
  return bp_chunk_set(chunk, from, (uint64_t)n, st->ended);
}

bp_status backup_read(backup *b, void *buf, uint64_t cap, bp_chunk *chunk)
{
  stream *st = &b->stream;
  *chunk = (bp_chunk){ 0 };
  if (st->fd < 0 || st->ended)
    return bp_failf(b->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "read: no stream is open, or it has ended");
  if (bp_cancelled(b->host))
    return BP_E_CANCELLED;
  bp_beat(b->host);
  return st->fifo ? read_fifo(b, buf, cap, chunk) : read_file(b, buf, cap, chunk);
}

bp_status backup_close(backup *b, bp_status how)
{
  stream *st = &b->stream;
  const slot *s = st->of;
  bool changed = st->shrunk;
  if (st->fd < 0)
    return bp_failf(b->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "close_stream: no stream is open");
  if (S_ISREG(s->mode) && (s->options & BP_OPT_CHECK_CHANGES)) {
    struct statx st_now;
    bp_entry before = { .size = s->size, .mtime = s->mtime, .chtime = s->chtime }, now;
    if (statx(st->fd, "", AT_EMPTY_PATH, STAT_MASK, &st_now) == 0) {
      entry_from_stat_again(&now, &st_now, s);
      changed |= entry_changed(&before, &now);
    }
  }
  if (st->uncache)
    (void)posix_fadvise(st->fd, 0, 0, POSIX_FADV_DONTNEED);
  if (S_ISREG(s->mode) && (s->options & BP_OPT_KEEPATIME)) {
    handle h = { .fd = st->fd };
    keep_atime(&h, &s->atime);
  }
  close(st->fd);
  *st = (stream){ .fd = -1 };
  return how == BP_OK && changed ? BP_E_CHANGED : BP_OK;
}
