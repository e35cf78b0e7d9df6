/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small things of entries that the host wants: attributes at the moment of opening, the whole of a small file, access
 * control lists and extended attributes. What is opened is checked against what was listed before a byte of it is read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "acl.h"
#include "backup.h"
#include "bplugin_sdk.h"
#include "opened.h"
#include "speak.h"

#define INLINE_MAX (64u * 1024)
#define UNSIZED_INLINE 4096u
#define CREDIT 2048u
#define COLD_US 150   /* a cached file of INLINE_MAX takes a tenth of it */

/* BP_PAGE_FULL from the page writer, kept apart from a bp_status */
typedef int32_t page_status;

/* ---- ACL and extended attributes ---------------------------------------------------------------------------------------- */

static page_status add_acl(bp_page *page, uint32_t stream, const void *value, size_t len)
{
  char text[ACL_LINE_MAX * (64 * 1024 / 8 / 8)]; /* ext4, xfs, btrfs: far fewer entries */
  size_t n;
  if (stream == BP_STREAM_ACL_ACCESS && acl_is_mode(value, len))
    return BP_OK;
  n = acl_text(text, sizeof text, value, len);
  return n ? bp_page_tlv(page, stream, text, (uint32_t)n) : BP_E_ENTRY;
}

/* One attribute, in the streams that want it. */
static page_status add_named(backup *b, bp_page *page, const handle *h, const char *name, uint64_t wanted)
{
  uint64_t acls = BP_STREAM_BIT(BP_STREAM_ACL_ACCESS) | BP_STREAM_BIT(BP_STREAM_ACL_DEFAULT);
  uint8_t *value = b->scratch + BACKUP_SCRATCH_BYTES / 2;
  bool acl = acl_is_name(name);
  ssize_t len;
  if (acl ? !(wanted & (acls | BP_STREAM_BIT(BP_STREAM_XATTR))) : !(wanted & BP_STREAM_BIT(BP_STREAM_XATTR)))
    return BP_OK;
  len = handle_get(h, name, value, BACKUP_SCRATCH_BYTES / 2);
  if (len < 0) /* gone since it was listed, or a name that is listed and belongs to somebody else */
    return errno == ENODATA || errno == EPERM || errno == EACCES || errno == EOPNOTSUPP ? BP_OK : BP_E_ENTRY;
  if (!acl || !(wanted & acls))
    return bp_page_xattr(page, name, (uint32_t)strlen(name), value, (uint32_t)len);
  if (!strcmp(name, ACL_DEFAULT_NAME))
    return wanted & BP_STREAM_BIT(BP_STREAM_ACL_DEFAULT)
             ? add_acl(page, BP_STREAM_ACL_DEFAULT, value, (size_t)len) : BP_OK;
  return wanted & BP_STREAM_BIT(BP_STREAM_ACL_ACCESS)
           ? add_acl(page, BP_STREAM_ACL_ACCESS, value, (size_t)len) : BP_OK;
}

/* All that `wanted` names; BP_PAGE_FULL, BP_E_TOO_BIG: the rest does not fit. Losses are reported. */
static page_status add_all_named(backup *b, bp_page *page, const slot *s, const handle *h, uint64_t wanted)
{
  uint64_t acls = BP_STREAM_BIT(BP_STREAM_ACL_ACCESS) | BP_STREAM_BIT(BP_STREAM_ACL_DEFAULT);
  char *names = (char *)b->scratch;
  page_status status;
  shown text;
  ssize_t len;
  if (!(wanted & (acls | BP_STREAM_BIT(BP_STREAM_XATTR))))
    return BP_OK;
  len = handle_list(h, names, BACKUP_SCRATCH_BYTES / 2);
  if (len < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
    bp_logf(b->host, BP_MSG_ERROR, "Cannot read the attributes of %s: %s",
            show(&text, slot_path(b, s), s->path_len), strerror(errno));
  if (len > 0) /* Bacula's order: the two lists first */
    for (int pass = 0; pass < 2; pass++)
      for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        if (acl_is_name(name) != (pass == 0))
          continue;
        status = add_named(b, page, h, name, wanted);
        if (status == BP_PAGE_FULL || status == BP_E_TOO_BIG)
          return status;
        if (status != BP_OK)
          bp_logf(b->host, BP_MSG_ERROR, "Cannot read the attribute %s of %s: %s", name,
                  show(&text, slot_path(b, s), s->path_len), strerror(errno));
      }
  return BP_OK;
}

/* ---- contents -------------------------------------------------------------------------------------------------------- */

/* Reads until `cap` bytes are there or nothing more comes. -1: errno. */
static ssize_t read_all(int fd, uint8_t *buf, size_t cap)
{
  size_t got = 0;
  while (got < cap) {
    ssize_t n = read(fd, buf + got, cap - got);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    got += (size_t)n;
    if (got == cap - 1) /* all of the file and a byte of room: it did not grow */
      break;
  }
  return (ssize_t)got;
}

static int64_t microseconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * The whole of a small file, when it is the same before and after. Anything else (it grows, it shrinks, the read fails) is
 * left to open_stream, which can say so. alone: not opened before its turn. *complete: all of it is in the page. BP_PAGE_FULL: no
 * room on this page.
 */
static page_status add_contents(backup *b, bp_page *page, const slot *s, bool alone, const handle *h, const bp_entry *entry,
                                bool *complete)
{
  uint32_t cap = (entry->size ? (uint32_t)entry->size : UNSIZED_INLINE) + 1;
  uint8_t *room = bp_page_inline_begin(page, cap);
  int64_t start;
  ssize_t n;
  if (!room)
    return BP_PAGE_FULL;
  start = alone ? microseconds() : 0;
  n = entry->size || !major(entry->dev) ? read_all(h->fd, room, cap) : 0; /* on a disk, size 0 is the truth */
  if (alone && microseconds() - start > COLD_US)
    b->ahead_credit = CREDIT;
  if (entry->size ? n != (ssize_t)entry->size : n < 0 || n >= (ssize_t)UNSIZED_INLINE) {
    bp_page_inline_drop(page);
    return BP_OK;
  }
  if (s->options & BP_OPT_CHECK_CHANGES) {
    struct statx st;
    bp_entry now;
    if (statx(h->fd, "", AT_EMPTY_PATH, STAT_MASK, &st)) {
      bp_page_inline_drop(page);
      return BP_OK;
    }
    entry_from_stat_again(&now, &st, s);
    if (entry_changed(entry, &now)) {
      bp_page_inline_drop(page);
      return BP_OK;
    }
  }
  bp_page_inline_done(page, (uint32_t)n);
  *complete = true;
  if (s->options & BP_OPT_KEEPATIME)
    keep_atime(h, &s->atime);
  return BP_OK;
}

/* ---- one entry --------------------------------------------------------------------------------------------------------- */

static page_status add_link(bp_page *page, const handle *h, const bp_entry *entry, const char *path, uint32_t path_len)
{
  char link[PATH_MAX];
  ssize_t n = readlinkat(h->fd, "", link, sizeof link);
  return n < 0 ? BP_E_ENTRY : bp_page_add(page, entry, path, path_len, link, (uint32_t)n);
}

/* FAILED, and DELETED with it when all that is wrong is that somebody has removed it meanwhile. */
static page_status add_failed(backup *b, bp_page *page, const slot *s, uint64_t cookie, int number)
{
  shown text;
  bp_entry entry = { .cookie = cookie, .flags = s->flags | BP_ENTRY_FAILED, .mode = s->mode, .valid = BP_HAS_MODE,
                     .change = number == ENOENT ? BP_CHANGE_DELETED : BP_CHANGE_NONE };
  const char *path = s->path_len ? slot_path(b, s) : "/";
  uint32_t len = s->path_len ? s->path_len : 1;
  struct statx st = { .stx_mode = (uint16_t)s->mode };
  bp_entry typed;
  page_status status;
  entry_from_stat(&typed, &st);
  entry.type = typed.type;
  status = bp_page_add(page, &entry, path, len, NULL, 0);
  if (status == BP_OK)
    journal_again(b->journal, slot_path(b, s), s->path_len);
  if (status == BP_OK) /* told once: not again when the page was full */
    bp_logf(b->host, number == ENOENT ? BP_MSG_INFO : BP_MSG_WARNING, "Cannot open %s: %s", show(&text, path, len),
            number == ENOENT ? "it vanished after it was listed"
            : number == ESTALE ? "something else stands there since it was listed"
                               : strerror(number));
  return status;
}

/*
 * A file whose data is to be streamed stays open, and *held counts it: what is read then is what had these attributes, whatever
 * has its name by that time. BP_OK, BP_PAGE_FULL (nothing was added), BP_E_TOO_BIG (not even on an empty page).
 */
static page_status fetch_one(backup *b, bp_page *page, slot *s, const bp_want *want, uint32_t *held)
{
  const char *path = s->path_len ? slot_path(b, s) : "/";
  uint32_t path_len = s->path_len ? s->path_len : 1;
  uint64_t data = want->streams & BP_STREAM_BIT(BP_STREAM_DATA);
  bool empty = bp_page_count(page) == 0, alone = s->ahead < 0, streamed;
  page_status status;
  bp_entry entry;
  handle h;
  s->options = want->options;
  if (s->unseen) {
    entry = entry_unseen(want->cookie, s->flags);
    return bp_page_add(page, &entry, path, path_len, NULL, 0);
  }
  if (!empty && bp_page_room(page, 1) < (uint64_t)path_len + (data && s->size <= INLINE_MAX ? s->size + 8 : 0))
    return BP_PAGE_FULL; /* seen before the file is read for nothing */
  if (!open_slot(b, s, data && S_ISREG(s->mode), &h, &entry))
    return add_failed(b, page, s, want->cookie, errno);
  entry.cookie = want->cookie;
  entry.flags = s->flags;
  entry.streams = entry_streams(&entry);
  slot_remember(s, &entry);
  status = entry.type == BP_TYPE_SYMLINK ? add_link(page, &h, &entry, path, path_len)
                                         : bp_page_add(page, &entry, path, path_len, NULL, 0);
  if (status != BP_OK) {
    handle_close(&h);
    return status == BP_E_ENTRY ? add_failed(b, page, s, want->cookie, ESTALE) : status;
  }
  streamed = data && entry.type == BP_TYPE_REGULAR;
  if (streamed && entry.size <= INLINE_MAX) {
    bool complete = false;
    status = add_contents(b, page, s, alone, &h, &entry, &complete);
    streamed = !complete;
  }
  if (status == BP_OK)
    status = add_all_named(b, page, s, &h, want->streams);
  if (status == BP_E_TOO_BIG) /* what does fit is on an empty page, with a warning */
    status = BP_PAGE_FULL;
  if (status == BP_PAGE_FULL && empty) {
    shown text;
    bp_logf(b->host, BP_MSG_ERROR, "Not all attributes of %s are saved: they are larger than a page",
            show(&text, path, path_len));
    status = BP_OK;
  }
  if (status == BP_OK && streamed) {
    hold(b, s, &h);
    ++*held;
  }
  handle_close(&h);
  if (status == BP_PAGE_FULL)
    bp_page_undo(page);
  return status;
}

/*
 * Opens what comes next, as far as wants[*reached], up to ahead_most entries before its turn. It costs a tenth when all is
 * cached, so it ends after some files, and begins again when one that was not opened before its turn lets us wait.
 */
static void look_ahead(backup *b, const bp_want *wants, uint32_t count, uint32_t now, uint32_t *reached)
{
  for (; b->ahead_credit && *reached < count && *reached < now + b->ahead_most; ++*reached) {
    const bp_want *want = &wants[*reached];
    slot *s = backup_slot(b, want->cookie);
    if (s && s->ahead < 0 && want->streams & BP_STREAM_BIT(BP_STREAM_DATA) && S_ISREG(s->mode) && s->size
        && s->size <= INLINE_MAX) {
      open_ahead(b, s, want->options);
      b->ahead_credit--;
    }
  }
}

bp_status backup_fetch(backup *b, const bp_want *wants, uint32_t count, bp_batch *batch)
{
  bp_page page;
  page_status status = bp_page_init(&page, batch);
  uint32_t reached = 0, held = 0;
  for (uint32_t i = 0; status == BP_OK && i < count && held < b->held_most / 2; i++) { /* the host may be a page behind */
    slot *s = backup_slot(b, wants[i].cookie);
    if (bp_cancelled(b->host))
      return BP_E_CANCELLED;
    if (!s)
      return bp_failf(b->host, BP_E_INVAL, BP_OS_NONE, 0, "fetch: no entry %llu in the last page",
                      (unsigned long long)wants[i].cookie);
    look_ahead(b, wants, count, i, &reached);
    status = fetch_one(b, &page, s, &wants[i], &held);
  }
  bp_beat(b->host);
  return status == BP_PAGE_FULL ? BP_OK : status;
}
