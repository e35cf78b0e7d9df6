/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "opened.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * A regular file for reading. O_NONBLOCK: should a FIFO stand there by now, we do not wait in it. It also makes a file with
 * a lease of somebody else answer "again"; that one is known to be regular first and then waited for.
 */
static int open_for_reading(int at, const char *name, bool no_atime)
{
  const int flags = O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
  int fd = openat(at, name, flags | O_NONBLOCK | (no_atime ? O_NOATIME : 0));
  struct stat st;
  char proc[32];
  int held;
  if (fd < 0 && errno == EPERM && no_atime)
    fd = openat(at, name, flags | O_NONBLOCK);
  if (fd >= 0 || errno != EAGAIN)
    return fd;
  held = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (held < 0)
    return -1;
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", held);
  fd = fstat(held, &st) == 0 && S_ISREG(st.st_mode) ? open(proc, O_RDONLY | O_NOCTTY | O_CLOEXEC) : -1;
  close(held);
  return fd;
}

void open_ahead(backup *b, slot *s, uint64_t options)
{
  int at = dirs_fd(&b->dirs, s->at);
  if (at < 0)
    return;
  s->ahead = open_for_reading(at, slot_name(b, s), (options & BP_OPT_NOATIME) != 0);
  if (s->ahead >= 0)
    (void)posix_fadvise(s->ahead, 0, (off_t)s->size, POSIX_FADV_WILLNEED);
}

void hold(backup *b, slot *s, handle *h)
{
  uint32_t *holding = &b->holding[++b->turn % b->held_most];
  slot *oldest = *holding < b->n_slots ? &b->slots[*holding] : NULL;
  if (oldest && oldest->held >= 0 && oldest->turn + b->held_most == b->turn) {
    close(oldest->held);
    oldest->held = -1;
  }
  if (s->held >= 0)
    close(s->held);
  *holding = (uint32_t)(s - b->slots);
  s->held = h->fd;
  s->turn = b->turn;
  h->fd = -1;
}

bool open_slot(backup *b, slot *s, bool reading, handle *h, bp_entry *entry)
{
  const char *name = slot_name(b, s);
  int at = reading && s->ahead >= 0 ? -1 : dirs_fd(&b->dirs, s->at);
  struct statx st;
  *h = (handle){ .fd = -1 };
  if (reading && s->ahead >= 0) {
    h->fd = s->ahead;
    s->ahead = -1;
  } else if (at < 0) {
    return false;
  } else if (!*name && s->path_len) { /* a directory listed from inside */
    h->fd = at;
    h->borrowed = true;
  } else if (!*name) { /* the same for "/"; or "/" that was not entered */
    h->fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } else {
    h->fd = reading ? open_for_reading(at, name, (s->options & BP_OPT_NOATIME) != 0)
                    : openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (!reading && h->fd >= 0)
      handle_use_path(h, h->fd);
  }
  if (h->fd < 0) {
    errno = errno == ELOOP || errno == ENXIO ? ESTALE : errno;
    return false;
  }
  if (statx(h->fd, "", AT_EMPTY_PATH, STAT_MASK, &st)) {
    int number = errno;
    handle_close(h);
    errno = number;
    return false;
  }
  entry_from_stat_again(entry, &st, s);
  /*
   * An editor that saves by renaming puts another file there, and `ln -sf` another link: the name's content is that one, by now.
   * Not so when the host may have taken the listed one for the first name of a file with several.
   */
  if ((entry->mode & S_IFMT) != (s->mode & S_IFMT) || entry->dev != s->dev
      || (entry->ino != s->ino
          && ((entry->type != BP_TYPE_REGULAR && entry->type != BP_TYPE_SYMLINK) || s->nlink > 1))) {
    handle_close(h);
    errno = ESTALE;
    return false;
  }
  return true;
}

static bool same_time(const bp_time *a, const bp_time *b)
{
  return a->sec == b->sec && a->nsec == b->nsec;
}

/* Writing to a FIFO moves its times; of anything else they tell a new file with the number of an old one apart. */
static bool is_same(const slot *s, const bp_entry *now)
{
  return now->dev == s->dev && now->ino == s->ino && now->mode == s->mode && now->uid == s->uid && now->gid == s->gid
         && (now->type == BP_TYPE_FIFO || same_time(&now->chtime, &s->chtime));
}

bool open_same(backup *b, slot *s, handle *h, bp_entry *entry)
{
  struct statx st;
  if (s->held < 0) {
    if (!open_slot(b, s, true, h, entry))
      return false;
    if (is_same(s, entry))
      return true;
    handle_close(h);
    errno = ESTALE;
    return false;
  }
  *h = (handle){ .fd = s->held };
  s->held = -1;
  if (statx(h->fd, "", AT_EMPTY_PATH, STAT_MASK, &st)) {
    int number = errno;
    handle_close(h);
    errno = number;
    return false;
  }
  entry_from_stat_again(entry, &st, s);
  return true;
}

bool entry_changed(const bp_entry *before, const bp_entry *after)
{
  return before->size != after->size || !same_time(&before->mtime, &after->mtime)
         || !same_time(&before->chtime, &after->chtime);
}

void keep_atime(const handle *h, const bp_time *atime)
{
  struct timespec times[2] = { { .tv_sec = atime->sec, .tv_nsec = atime->nsec }, { .tv_nsec = UTIME_OMIT } };
  (void)futimens(h->fd, times);
}
