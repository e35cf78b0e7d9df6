/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: from the kernel's queue into the store.
 *
 * It empties the queue, stores once, and sleeps a little: a thousand writes to a file are then one event, and the store is written to
 * at most a hundred times a second. What matters is the order: `in_flight` is set before the first event leaves the queue, and
 * cleared when all of them are stored.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "store.h"
#include "watcher.h"

#define QUEUE_BYTES (256u * 1024)
#define PAUSE_MS 5
#define RETRY_MS 200    /* after the store could not be written */
#define MOUNT_MS 250    /* a file system goes some time after it has left the mount table */
#define DRAIN_MS 100    /* of an unending stream, before it is stored: somebody may wait for it */

typedef struct reading {
  int     fanotify;
  shared *page;
  store  *store;
  batch   batch;
  bool    unstored; /* the last attempt failed */
} reading;

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void gap(void *ctx, uint32_t fs, const char *why)
{
  reading *r = ctx;
  batch_gap(&r->batch, fs, why);
}

static void gap_everywhere(reading *r, const char *why)
{
  if (!r->batch.gap[0][0]) /* else said already */
    say("events may be missing: %s", why);
  for (uint32_t i = 0; i < r->page->n_watched; i++)
    batch_gap(&r->batch, i, why);
}

static bool flush(reading *r)
{
  const char *wrong = store_batch(r->store, r->page, &r->batch);
  if (wrong && !r->unstored)
    say("cannot store events: %s; trying again", wrong);
  if (!wrong && r->unstored)
    say("events can be stored again");
  r->unstored = wrong != NULL;
  if (!wrong)
    batch_clear(&r->batch);
  return !wrong;
}

static void note(reading *r, uint32_t fs, const void *handle, uint32_t handle_len, const void *name, uint32_t name_len)
{
  if (batch_note(&r->batch, fs, handle, handle_len, name, name_len))
    return;
  if (!flush(r)) { /* full, and nowhere to put it */
    batch_drop(&r->batch);
    gap_everywhere(r, "they could not be stored, and there is no memory for more");
  }
  if (!batch_note(&r->batch, fs, handle, handle_len, name, name_len))
    gap_everywhere(r, "no memory for them");
}

static bool find_fs(const reading *r, const void *fsid, uint32_t *fs)
{
  uint64_t id;
  memcpy(&id, fsid, sizeof id);
  for (*fs = 0; *fs < r->page->n_watched; ++*fs)
    if (r->page->fs[*fs].fsid == id)
      return true;
  return false;
}

/* One piece of information of an event: a directory with a name in it, or an object. Nothing in there is aligned. */
static void take_info(reading *r, const uint8_t *info, uint32_t room, uint8_t kind, bool directory)
{
  const size_t start = offsetof(struct fanotify_event_info_fid, handle);
  struct file_handle head;
  uint8_t key[sizeof(int32_t) + 128];
  const uint8_t *bytes = info + start + sizeof head;
  uint32_t len, fs;
  if (room < start + sizeof head)
    return;
  memcpy(&head, info + start, sizeof head);
  if (head.handle_bytes > 128 || room < start + sizeof head + head.handle_bytes
      || !find_fs(r, info + offsetof(struct fanotify_event_info_fid, fsid), &fs))
    return;
  memcpy(key, &head.handle_type, sizeof(int32_t));
  memcpy(key + sizeof(int32_t), bytes, head.handle_bytes);
  len = (uint32_t)sizeof(int32_t) + head.handle_bytes;
  room -= (uint32_t)(start + sizeof head + head.handle_bytes);
  if (kind == FAN_EVENT_INFO_TYPE_DFID_NAME)
    note(r, fs, key, len, bytes + head.handle_bytes, (uint32_t)strnlen((const char *)bytes + head.handle_bytes, room));
  else if (kind == FAN_EVENT_INFO_TYPE_DFID)
    note(r, fs, key, len, ".", 1);
  else if (kind == FAN_EVENT_INFO_TYPE_FID && !directory)
    note(r, fs, key, len, NULL, 0);
}

static void take(reading *r, const struct fanotify_event_metadata *event, const uint8_t *at)
{
  const uint8_t *end = at + event->event_len;
  struct fanotify_event_info_header info;
  if (event->mask & FAN_Q_OVERFLOW) {
    gap_everywhere(r, "the kernel's queue of events was full");
    return;
  }
  for (at += event->metadata_len; (size_t)(end - at) >= sizeof info; at += info.len) {
    memcpy(&info, at, sizeof info);
    if (info.len < sizeof info || info.len > end - at)
      return;
    take_info(r, at, info.len, info.info_type, (event->mask & FAN_ONDIR) != 0);
  }
}

/* Takes what is in the queue. false: it cannot be read. */
static bool drain(reading *r)
{
  static uint8_t buf[QUEUE_BYTES];
  int64_t until = now_ms() + DRAIN_MS;
  do {
    struct fanotify_event_metadata event;
    ssize_t n = read(r->fanotify, buf, sizeof buf);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return true;
    if (n <= 0) {
      say("cannot read events: %s", strerror(errno));
      return false;
    }
    for (ssize_t at = 0; n - at >= (ssize_t)sizeof event; at += event.event_len) {
      memcpy(&event, buf + at, sizeof event);
      if (event.vers != FANOTIFY_METADATA_VERSION || event.event_len < sizeof event || event.event_len > n - at) {
        say("this kernel's events are of a version that is not known");
        return false;
      }
      take(r, &event, buf + at);
    }
  } while (now_ms() < until);
  return true;
}

static void pause_ms(unsigned ms)
{
  struct timespec wait = { .tv_nsec = ms * 1000000L };
  nanosleep(&wait, NULL);
}

int reader(int fanotify, shared *page, const char *directory, pid_t holder)
{
  reading r = { .fanotify = fanotify, .page = page };
  int mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  int timeout = -1;
  uint64_t number;
  if (mounts < 0 || !batch_init(&r.batch) || !(r.store = store_open(page, directory, &number)))
    return 1;
  r.batch.number = number;
  if (page->in_flight)
    gap_everywhere(&r, "a reader was ended before it had stored what it had read");
  page->in_flight = 1;
  check_marks(fanotify, page, gap, &r);
  if (flush(&r))
    page->in_flight = 0;
  if (kill(holder, SIGUSR1))
    return 1;
  for (;;) {
    struct pollfd wait[2] = { { .fd = fanotify, .events = POLLIN }, { .fd = mounts, .events = POLLPRI } };
    int ready = poll(wait, 2, r.unstored ? RETRY_MS : timeout);
    if (ready < 0 && errno != EINTR)
      return 1;
    page->in_flight = 1;
    if (timeout >= 0 || wait[1].revents)
      check_marks(fanotify, page, gap, &r);
    timeout = wait[1].revents ? MOUNT_MS : -1;
    if (!drain(&r))
      return 1;
    if (flush(&r))
      page->in_flight = 0;
    pause_ms(r.unstored ? RETRY_MS : PAUSE_MS);
  }
}
