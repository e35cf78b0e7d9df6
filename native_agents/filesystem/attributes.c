/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acl.h"
#include "bplugin_sdk.h"

#define ACL_VALUE_MAX (64u * 1024)
#define NAMES_MAX (64u * 1024) /* the kernel's longest list */

/* The owner first: it takes set-uid and capabilities away. Returns the mode bits that may not be set then. */
static mode_t apply_owner(const attributes *a, const handle *h, const struct stat *now, tally *t)
{
  const bp_entry *e = a->entry;
  if (!(e->valid & BP_HAS_OWNER) || (now->st_uid == e->uid && now->st_gid == e->gid))
    return 0;
  if (fchownat(h->fd, "", e->uid, e->gid, AT_EMPTY_PATH) == 0)
    return 0;
  tally_add(t, LOSS_OWNER, a->path, "", errno);
  if (now->st_gid != e->gid && fchownat(h->fd, "", (uid_t)-1, e->gid, AT_EMPTY_PATH))
    return S_ISUID | S_ISGID; /* they would lend another owner's rights */
  return now->st_uid != e->uid ? S_ISUID : 0;
}

static void apply_mode(const attributes *a, const handle *h, mode_t barred, tally *t)
{
  if (a->link || !(a->entry->valid & BP_HAS_MODE))
    return;
  if (handle_chmod(h, a->entry->mode & 07777 & ~barred))
    tally_add(t, LOSS_MODE, a->path, "", errno);
}

static void apply_acl(const attributes *a, const handle *h, const bp_tlv *tlv, tally *t)
{
  const char *name = tlv->stream == BP_STREAM_ACL_ACCESS ? ACL_ACCESS_NAME : ACL_DEFAULT_NAME, *bad;
  uint8_t value[ACL_VALUE_MAX];
  size_t len = acl_value(value, sizeof value, tlv->data, tlv->len, &bad);
  if (!len) {
    const char *end = memchr(bad, '\n', tlv->len - (size_t)(bad - (const char *)tlv->data));
    char line[80];
    size_t n = end ? (size_t)(end - bad) : strnlen(bad, tlv->len - (size_t)(bad - (const char *)tlv->data));
    n = n < sizeof line ? n : sizeof line - 1;
    memcpy(line, bad, n);
    line[n] = 0;
    tally_add(t, LOSS_ACL, a->path, line, EINVAL);
  } else if (handle_set(h, name, value, len)) {
    tally_add(t, LOSS_ACL, a->path, "", errno);
  }
}

static void apply_xattr(const attributes *a, const handle *h, const bp_tlv *tlv, tally *t)
{
  const char *name;
  const void *value;
  uint32_t name_len;
  uint64_t len;
  char copy[256];
  if (bp_xattr_split(tlv->data, tlv->len, &name, &name_len, &value, &len) != BP_OK || name_len >= sizeof copy) {
    tally_add(t, LOSS_XATTR, a->path, "", EINVAL);
    return;
  }
  memcpy(copy, name, name_len);
  copy[name_len] = 0;
  if (handle_set(h, copy, value, len))
    tally_add(t, LOSS_XATTR, a->path, copy, errno);
}

static void apply_xattrs(const attributes *a, const handle *h, tally *t)
{
  bp_tlv_reader reader;
  bp_tlv tlv;
  bp_tlv_begin(&reader, a->small, a->small_len);
  while (bp_tlv_next(&reader, &tlv) == BP_OK)
    if (tlv.stream == BP_STREAM_XATTR)
      apply_xattr(a, h, &tlv, t);
}

static void apply_acls(const attributes *a, const handle *h, tally *t)
{
  bp_tlv_reader reader;
  bp_tlv tlv;
  bp_tlv_begin(&reader, a->small, a->small_len);
  while (bp_tlv_next(&reader, &tlv) == BP_OK)
    if (tlv.stream == BP_STREAM_ACL_ACCESS || tlv.stream == BP_STREAM_ACL_DEFAULT)
      apply_acl(a, h, &tlv, t);
}

/* Is it among the entry's? */
static bool is_stored(const attributes *a, const char *name)
{
  uint32_t list = !strcmp(name, ACL_ACCESS_NAME) ? BP_STREAM_ACL_ACCESS : BP_STREAM_ACL_DEFAULT;
  bp_tlv_reader reader;
  bp_tlv tlv;
  bp_tlv_begin(&reader, a->small, a->small_len);
  while (bp_tlv_next(&reader, &tlv) == BP_OK) {
    const char *stored;
    const void *value;
    uint32_t name_len;
    uint64_t len;
    if (tlv.stream != BP_STREAM_XATTR) {
      if (acl_is_name(name) && tlv.stream == list)
        return true;
    } else if (bp_xattr_split(tlv.data, tlv.len, &stored, &name_len, &value, &len) == BP_OK && name_len == strlen(name)
               && !memcmp(stored, name, name_len)) {
      return true;
    }
  }
  return false;
}

void attributes_clear(const attributes *a, const handle *h, uint64_t looked_for, tally *t)
{
  char names[NAMES_MAX];
  bool named = looked_for & BP_STREAM_BIT(BP_STREAM_XATTR);
  bool lists = named || looked_for & (BP_STREAM_BIT(BP_STREAM_ACL_ACCESS) | BP_STREAM_BIT(BP_STREAM_ACL_DEFAULT));
  ssize_t len = lists ? handle_list(h, names, sizeof names) : 0;
  for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
    bool list = acl_is_name(name);
    if (!(list ? lists : named && (!strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8))) || is_stored(a, name))
      continue;
    if (handle_remove(h, name) && errno != ENODATA)
      tally_add(t, list ? LOSS_ACL : LOSS_XATTR, a->path, name, errno);
  }
}

static struct timespec time_or_omit(const bp_entry *e, uint64_t bit, const bp_time *time)
{
  if (!(e->valid & bit))
    return (struct timespec){ .tv_nsec = UTIME_OMIT };
  return (struct timespec){ .tv_sec = time->sec, .tv_nsec = time->nsec < 1000000000u ? time->nsec : 0 };
}

static void apply_times(const attributes *a, const handle *h, tally *t)
{
  const bp_entry *e = a->entry;
  struct timespec times[2] = { time_or_omit(e, BP_HAS_ATIME, &e->atime), time_or_omit(e, BP_HAS_MTIME, &e->mtime) };
  int failed;
  if (!(e->valid & (BP_HAS_ATIME | BP_HAS_MTIME)))
    return;
  if (!h->path_only)
    failed = futimens(h->fd, times);
  else if (a->link)
    failed = utimensat(h->fd, "", times, AT_EMPTY_PATH);
  else
    failed = utimensat(AT_FDCWD, h->proc, times, 0);
  if (failed)
    tally_add(t, LOSS_TIMES, a->path, "", errno);
}

void attributes_apply(const attributes *a, const handle *h, tally *t)
{
  struct stat now = { 0 };
  mode_t barred;
  if (fstat(h->fd, &now)) {
    tally_add(t, LOSS_MODE, a->path, "", errno);
    return;
  }
  barred = apply_owner(a, h, &now, t);
  apply_xattrs(a, h, t); /* before the mode: an ordinary user can set them only where he may write */
  apply_mode(a, h, barred, t);
  if (!a->link) /* a symbolic link has no list */
    apply_acls(a, h, t);
  apply_times(a, h, t);
}
