/* SPDX-License-Identifier: MIT */
/*
 * bplugin_sdk.h: helpers for writing an agent, C99 or C++11, nothing to link.
 *
 * Everything here is a convenience over bplugin.h and may be left out, replaced or copied; the contract is bplugin.h
 * alone. All functions are `static inline`: two agents built with different SDKs never meet. None of them allocates.
 *
 *   BPLUGIN_DEFINE          the one exported symbol
 *   bp_page_*               fill a page of entries (next_entries, fetch)
 *   bp_tlv_*, bp_xattr_*    read small streams
 *   bp_fileset_*            read bp_begin.fileset line by line
 *   bp_message .. bp_defer  host callbacks, checked: a slot that an older host lacks answers BP_E_UNSUPPORTED
 *   bp_logf, bp_fail*       text with printf's formats, made on this side of the border
 *   bp_cancelled, bp_beat   the two words of shared memory
 *   bp_guard                C++: no exception leaves an agent
 *
 * Host tables. `create` gets one for the instance's life, `begin` another for the job's; pass the job's to everything
 * called between `begin` and `end`. A NULL table is accepted by every function here and answers BP_E_UNSUPPORTED.
 */
#ifndef BPLUGIN_SDK_H
#define BPLUGIN_SDK_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "bplugin.h"

#if defined(__GNUC__) && defined(__MINGW32__)
# include <stdlib.h> /* defines __MINGW_PRINTF_FORMAT */
# define BP_PRINTF(format_arg, first_arg) __attribute__((format(__MINGW_PRINTF_FORMAT, format_arg, first_arg)))
#elif defined(__GNUC__)
# define BP_PRINTF(format_arg, first_arg) __attribute__((format(printf, format_arg, first_arg)))
#else
# define BP_PRINTF(format_arg, first_arg)
#endif

/* ---- sizes and presence ------------------------------------------------------------------------------------------ */

/* Bytes of `type` up to and including `field`: what struct_size must reach for the field to exist. */
#define BP_SIZE_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* Does the struct that the other side filled reach this far? True or false; `p` is not NULL. */
#define BP_HAS_FIELD(p, type, field) ((p)->struct_size >= BP_SIZE_TO(type, field))

/* Is this function of a table there? The pointer counts, not the version. */
#define BP_HAS_CALL(p, type, field) ((p) && BP_HAS_FIELD(p, type, field) && (p)->field)

/* ---- the exported symbol --------------------------------------------------------------------------------------- */

/* The first fields of a descriptor, in order, for an initialiser without designators (C++11). */
#define BP_DESCRIPTOR_START BP_MAGIC, (uint32_t)sizeof(bp_descriptor), BP_HEADER_VERSION

/* `d` when the host's range and the agent's meet, else NULL: refused. */
static inline const bp_descriptor *bp_query(const bp_descriptor *d, uint32_t host_min, uint32_t host_max)
{
  return d->max_version >= host_min && d->min_version <= host_max ? d : NULL;
}

/* BPLUGIN_DEFINE(descriptor); once, at file scope. `descriptor` is a `static const bp_descriptor`. */
#define BPLUGIN_DEFINE(descriptor)                                                                            \
  BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min, uint32_t host_max)     \
  {                                                                                                           \
    return bp_query(&(descriptor), host_min, host_max);                                                       \
  }                                                                                                           \
  struct bp_define_ends_with_a_semicolon

/* ---- the page writer ------------------------------------------------------------------------------------------- */

/* Returned by the page writer: no room left, nothing was written. It is no status, and the host refuses it as one: keep
 * the entry for the next page, bp_page_undo what of it is on this one, and return BP_OK. */
#define BP_PAGE_FULL 1000

/* One page being filled. After each call the bp_batch itself is complete: there is no closing call to forget. */
typedef struct bp_page {
  bp_batch *batch;
  uint8_t  *base;
  uint64_t  top;           /* end of the heap */
  uint64_t  heap;          /* lowest heap byte in use */
  uint64_t  heap_before;   /* the same before the newest entry, for bp_page_undo */
  uint32_t  record_bytes;  /* what of our bp_entry fits a record of this host */
  uint32_t  reserved;
} bp_page;

/* Starts an empty page. BP_E_INVAL: the host's page is none (too small a stride, a misaligned buffer). */
static inline bp_status bp_page_init(bp_page *page, bp_batch *batch)
{
  memset(page, 0, sizeof *page);
  if (batch->struct_size < BP_SIZE_TO(bp_batch, reserved) || !batch->buf || batch->stride % 8
      || batch->stride < BP_SIZE_TO(bp_entry, fs_type) || (uintptr_t)batch->buf % 8)
    return BP_E_INVAL;
  page->batch = batch;
  page->base = (uint8_t *)batch->buf;
  page->top = batch->cap > UINT32_MAX ? UINT32_MAX - 7u : batch->cap; /* offsets have 32 bits */
  page->heap = page->heap_before = page->top;
  page->record_bytes = batch->stride < sizeof(bp_entry) ? batch->stride : (uint32_t)sizeof(bp_entry);
  batch->count = 0;
  batch->heap_low = page->heap;
  batch->flags = 0;
  batch->reserved = 0;
  return BP_OK;
}

static inline uint32_t bp_page_count(const bp_page *page)
{
  return page->batch->count;
}

/* Heap bytes that remain when `more` further records (0 or 1) are written. */
static inline uint64_t bp_page_room(const bp_page *page, uint32_t more)
{
  uint64_t records = ((uint64_t)page->batch->count + more) * page->batch->stride;
  return page->heap > records ? page->heap - records : 0;
}

/* Takes `len` heap bytes at a multiple of `align` (1 or 8); their offset, or 0 when they do not fit. */
static inline uint32_t bp_page_take(bp_page *page, uint64_t len, uint32_t align)
{
  uint64_t floor = (uint64_t)page->batch->count * page->batch->stride;
  uint64_t low;
  if (len > page->heap)
    return 0;
  low = (page->heap - len) & ~(uint64_t)(align - 1u);
  if (low < floor || low == 0)
    return 0;
  page->heap = low;
  page->batch->heap_low = low;
  return (uint32_t)low;
}

/* Why `len` more heap bytes of the newest entry do not fit: BP_E_TOO_BIG when a page with this entry alone cannot hold
 * them either, else BP_PAGE_FULL. */
static inline int32_t bp_page_no_room(const bp_page *page, uint64_t len)
{
  uint64_t own = (page->heap_before - page->heap) + page->batch->stride;
  return page->batch->count > 1 && page->top > own && len <= page->top - own ? BP_PAGE_FULL : BP_E_TOO_BIG;
}

/* The newest record: read into or written from `entry`. */
static inline void bp_page_load(const bp_page *page, bp_entry *entry)
{
  memset(entry, 0, sizeof *entry);
  memcpy(entry, page->base + (uint64_t)(page->batch->count - 1u) * page->batch->stride, page->record_bytes);
}

static inline void bp_page_store(bp_page *page, const bp_entry *entry)
{
  memcpy(page->base + (uint64_t)(page->batch->count - 1u) * page->batch->stride, entry, page->record_bytes);
}

/*
 * Adds an entry with its name and, for a link, where it leads (else NULL, 0). The *_off and *_len fields of `entry`
 * are ignored: add old name, inline data and small streams by the calls below, before the next bp_page_add.
 * BP_OK; BP_PAGE_FULL; BP_E_TOO_BIG when even an empty page cannot hold it; BP_E_INVAL for a name with a NUL.
 */
static inline int32_t bp_page_add(bp_page *page, const bp_entry *entry, const void *name, uint32_t name_len,
                                  const void *link, uint32_t link_len)
{
  bp_batch *batch = page->batch;
  uint64_t before = page->heap;
  bp_entry record = *entry;
  if ((name_len && memchr(name, 0, name_len)) || (link_len && memchr(link, 0, link_len)))
    return BP_E_INVAL;
  if (batch->count >= batch->max_entries || bp_page_room(page, 1) < (uint64_t)name_len + link_len)
    return batch->count ? BP_PAGE_FULL : BP_E_TOO_BIG;
  batch->count++;
  record.name_off = record.name_len = record.link_off = record.link_len = 0;
  record.old_name_off = record.old_name_len = record.inline_off = record.inline_len = 0;
  record.tlv_off = record.tlv_len = 0;
  if (name_len) {
    record.name_off = bp_page_take(page, name_len, 1);
    record.name_len = name_len;
    memcpy(page->base + record.name_off, name, name_len);
  }
  if (link_len) {
    record.link_off = bp_page_take(page, link_len, 1);
    record.link_len = link_len;
    memcpy(page->base + record.link_off, link, link_len);
  }
  if (batch->stride > page->record_bytes)
    memset(page->base + (uint64_t)(batch->count - 1u) * batch->stride + page->record_bytes, 0,
           batch->stride - page->record_bytes);
  bp_page_store(page, &record);
  page->heap_before = before;
  return BP_OK;
}

/* Takes the newest entry back, heap and all: for "its data does not fit here". Once per entry. */
static inline void bp_page_undo(bp_page *page)
{
  if (!page->batch->count)
    return;
  page->batch->count--;
  memset(page->base + (uint64_t)page->batch->count * page->batch->stride, 0, page->batch->stride);
  page->heap = page->heap_before;
  page->batch->heap_low = page->heap;
}

/* The newest entry was renamed from this name. BP_OK, BP_PAGE_FULL, BP_E_TOO_BIG when even a page with this entry alone
 * cannot hold it, BP_E_INVAL, BP_E_SEQUENCE (no entry yet). */
static inline int32_t bp_page_old_name(bp_page *page, const void *name, uint32_t len)
{
  bp_entry record;
  uint32_t offset;
  if (!page->batch->count)
    return BP_E_SEQUENCE;
  if (!len || memchr(name, 0, len))
    return BP_E_INVAL;
  offset = bp_page_take(page, len, 1);
  if (!offset)
    return bp_page_no_room(page, len);
  memcpy(page->base + offset, name, len);
  bp_page_load(page, &record);
  record.old_name_off = offset;
  record.old_name_len = len;
  bp_page_store(page, &record);
  return BP_OK;
}

/*
 * Room for `cap` bytes of the newest entry's whole data, so that it can be read straight into the page; NULL: no room.
 * Then bp_page_inline_done(page, bytes really read). Nothing else may be added to the page in between.
 */
static inline void *bp_page_inline_begin(bp_page *page, uint32_t cap)
{
  bp_entry record;
  uint32_t offset = page->batch->count ? bp_page_take(page, cap, 8) : 0;
  if (!offset)
    return NULL;
  bp_page_load(page, &record);
  record.inline_off = offset;
  record.inline_len = 0;
  bp_page_store(page, &record);
  return page->base + offset;
}

static inline void bp_page_inline_done(bp_page *page, uint32_t len)
{
  bp_entry record;
  bp_page_load(page, &record);
  record.inline_len = len;
  bp_page_store(page, &record);
}

/* The read failed: the newest entry has no inline data (its room stays used, unless bp_page_undo follows). */
static inline void bp_page_inline_drop(bp_page *page)
{
  bp_entry record;
  bp_page_load(page, &record);
  record.inline_off = record.inline_len = 0;
  bp_page_store(page, &record);
}

/*
 * The newest entry's whole data, `len` 0 for an empty file. BP_OK; BP_PAGE_FULL; BP_E_TOO_BIG when even a page with
 * this entry alone cannot hold it: leave it to open_stream; BP_E_SEQUENCE (no entry yet). In next_entries:
 *
 *   status = bp_page_add(&page, &entry, name, name_len, NULL, 0);
 *   if (status == BP_OK && (status = bp_page_inline(&page, data, len)) == BP_PAGE_FULL)
 *     bp_page_undo(&page);
 *   if (status == BP_PAGE_FULL)
 *     return BP_OK;                 the next page begins with this entry
 *   if (status != BP_OK)
 *     return status;
 */
static inline int32_t bp_page_inline(bp_page *page, const void *data, uint32_t len)
{
  void *room;
  if (!page->batch->count)
    return BP_E_SEQUENCE;
  room = bp_page_inline_begin(page, len);
  if (!room)
    return bp_page_no_room(page, len);
  if (len)
    memcpy(room, data, len);
  bp_page_inline_done(page, len);
  return BP_OK;
}

/*
 * Room for one more small stream (ACL, XATTR, OBJECT) of the newest entry; NULL: no room. Streams keep the order in
 * which they are added. Cheapest when added directly one after another.
 */
static inline void *bp_page_tlv_room(bp_page *page, uint32_t stream, uint32_t len)
{
  bp_entry record;
  uint64_t need = 8u + (((uint64_t)len + 7u) & ~(uint64_t)7u);
  uint64_t grow = need;
  uint32_t offset, head[2];
  uint8_t *tlv;
  if (!page->batch->count)
    return NULL;
  bp_page_load(page, &record);
  if (record.tlv_len && record.tlv_off != page->heap)
    grow += record.tlv_len; /* something else was added since: the area moves below it */
  if (need + record.tlv_len > UINT32_MAX)
    return NULL;
  offset = bp_page_take(page, grow, 8);
  if (!offset)
    return NULL;
  if (record.tlv_len)
    memmove(page->base + offset, page->base + record.tlv_off, record.tlv_len);
  tlv = page->base + offset + record.tlv_len;
  head[0] = stream;
  head[1] = len;
  memcpy(tlv, head, sizeof head);
  memset(tlv + 8, 0, (size_t)(need - 8u));
  record.tlv_off = offset;
  record.tlv_len += (uint32_t)need;
  bp_page_store(page, &record);
  return tlv + 8;
}

/* One small stream of the newest entry. BP_OK, BP_PAGE_FULL, BP_E_TOO_BIG as above, BP_E_SEQUENCE (no entry yet). */
static inline int32_t bp_page_tlv(bp_page *page, uint32_t stream, const void *data, uint32_t len)
{
  void *room;
  if (!page->batch->count)
    return BP_E_SEQUENCE;
  room = bp_page_tlv_room(page, stream, len);
  if (!room)
    return bp_page_no_room(page, 8u + (uint64_t)len);
  if (len)
    memcpy(room, data, len);
  return BP_OK;
}

/* One extended attribute of the newest entry. BP_OK, BP_PAGE_FULL, BP_E_TOO_BIG as above, BP_E_SEQUENCE, BP_E_INVAL (no
 * name, or longer than 4 GiB). */
static inline int32_t bp_page_xattr(bp_page *page, const void *name, uint32_t name_len, const void *value,
                                    uint32_t value_len)
{
  uint8_t *room;
  if (!page->batch->count)
    return BP_E_SEQUENCE;
  if (!name_len || (uint64_t)name_len + value_len > UINT32_MAX - 16u)
    return BP_E_INVAL;
  room = (uint8_t *)bp_page_tlv_room(page, BP_STREAM_XATTR, 4u + name_len + value_len);
  if (!room)
    return bp_page_no_room(page, (uint64_t)12u + name_len + value_len);
  memcpy(room, &name_len, 4);
  memcpy(room + 4, name, name_len);
  if (value_len)
    memcpy(room + 4 + name_len, value, value_len);
  return BP_OK;
}

/* `return bp_page_end(&page, complete);` from next_entries after the last entry of all. complete: every name there is
 * was listed since `begin`, new or not; what only the base has is then deleted. After a list of news: 0. */
static inline bp_status bp_page_end(bp_page *page, int complete)
{
  page->batch->flags = complete ? BP_BATCH_COMPLETE : 0u;
  return BP_END;
}

#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
/* The same where something may have been missed since `begin`: what was listed counts, and no state is sealed. A host of
 * 1.0 does not know that word: put no state there before this call. */
static inline bp_status bp_page_end_gap(bp_page *page, const bp_host_api *host)
{
  page->batch->flags = host && host->version >= BP_VERSION(1, 1) ? BP_BATCH_GAP : 0u;
  return BP_END;
}
#endif

/* ---- small streams --------------------------------------------------------------------------------------------- */

typedef struct bp_tlv {
  uint32_t    stream, len;
  const void *data;
} bp_tlv;

typedef struct bp_tlv_reader {
  const uint8_t *next;
  uint64_t       left;
} bp_tlv_reader;

static inline void bp_tlv_begin(bp_tlv_reader *reader, const void *area, uint64_t len)
{
  reader->next = (const uint8_t *)area;
  reader->left = len;
}

/* BP_OK: *tlv is the next one, pointing into the area. BP_END: no more. BP_E_CORRUPT: cut short. */
static inline bp_status bp_tlv_next(bp_tlv_reader *reader, bp_tlv *tlv)
{
  uint32_t head[2];
  uint64_t step;
  memset(tlv, 0, sizeof *tlv);
  if (!reader->left)
    return BP_END;
  if (reader->left < sizeof head)
    return BP_E_CORRUPT;
  memcpy(head, reader->next, sizeof head);
  step = 8u + (((uint64_t)head[1] + 7u) & ~(uint64_t)7u);
  if (step > reader->left)
    return BP_E_CORRUPT;
  tlv->stream = head[0];
  tlv->len = head[1];
  tlv->data = reader->next + 8;
  reader->next += step;
  reader->left -= step;
  return BP_OK;
}

/* The parts of one extended attribute, as bp_page_xattr wrote and `write` gives back. BP_E_CORRUPT: it is none. */
static inline bp_status bp_xattr_split(const void *data, uint64_t len, const char **name, uint32_t *name_len,
                                       const void **value, uint64_t *value_len)
{
  uint32_t n;
  *name = NULL;
  *value = NULL;
  *name_len = 0;
  *value_len = 0;
  if (len < 4)
    return BP_E_CORRUPT;
  memcpy(&n, data, 4);
  if (!n || n > len - 4 || memchr((const char *)data + 4, 0, n))
    return BP_E_CORRUPT;
  *name = (const char *)data + 4;
  *name_len = n;
  *value = (const uint8_t *)data + 4 + n;
  *value_len = len - 4 - n;
  return BP_OK;
}

/* ---- the fileset ----------------------------------------------------------------------------------------------- */

typedef struct bp_fileset {
  const char *next;
} bp_fileset;

/* `text` is bp_begin.fileset: valid until `begin` returns, so read it there. NULL reads as empty. */
static inline void bp_fileset_begin(bp_fileset *fileset, const char *text)
{
  fileset->next = text ? text : "";
}

/*
 * The next line: its code letters ("I", "F", "WD"..) into code[4], its item with the escapes undone into item[cap],
 * both ended by NUL; *len is the item's length without it.
 * BP_OK; BP_END: no more lines; BP_E_TOO_BIG: cap < *len + 1, the line is still the next one; BP_E_CORRUPT: no line.
 */
static inline bp_status bp_fileset_next(bp_fileset *fileset, char code[4], char *item, uint32_t cap, uint32_t *len)
{
  const char *p = fileset->next;
  uint64_t n = 0;
  unsigned c = 0;
  *len = 0;
  memset(code, 0, 4);
  if (!*p)
    return BP_END;
  while (*p >= 'A' && *p <= 'Z' && c < 3)
    code[c++] = *p++;
  if (!c || (*p != ' ' && *p != '\n'))
    return BP_E_CORRUPT;
  if (*p == ' ')
    p++;
  for (; *p != '\n'; p++) {
    char byte = *p;
    if (byte == '\\') {
      byte = *++p;
      if (byte == 'n')
        byte = '\n';
      else if (byte != '\\')
        return BP_E_CORRUPT;
    }
    if (!byte)
      return BP_E_CORRUPT;
    if (n + 1 < cap)
      item[n] = byte;
    n++;
  }
  if (n > UINT32_MAX - 1u)
    return BP_E_CORRUPT;
  *len = (uint32_t)n;
  if (n + 1 > cap)
    return BP_E_TOO_BIG;
  item[n] = 0;
  fileset->next = p + 1;
  return BP_OK;
}

/* ---- the host, checked ----------------------------------------------------------------------------------------- */

/* A callback's answer as an agent may use it: a host has no positive status. */
static inline bp_status bp_answer(bp_status status)
{
  return status > 0 ? BP_E_HOST : status;
}

/* One aligned relaxed load or store each, of a word that another process reads or sets; of any thread. */
#if defined(__GNUC__)
# define BP_LOAD(word) __atomic_load_n((word), __ATOMIC_RELAXED)
# define BP_STORE(word, value) __atomic_store_n((word), (value), __ATOMIC_RELAXED)
#else /* aligned volatile accesses are that on all 64-bit targets of such compilers */
# define BP_LOAD(word) (*(word))
# define BP_STORE(word, value) ((void)(*(word) = (value)))
#endif

/* Non-zero: stop now, return BP_E_CANCELLED. Costs one read; poll at least every second. */
static inline int bp_cancelled(const bp_host_api *host)
{
  return host && host->cancel && BP_LOAD(host->cancel) != 0;
}

/* "I am still working": in any loop that makes no callback. */
static inline void bp_beat(const bp_host_api *host)
{
  if (host && host->heartbeat)
    BP_STORE(host->heartbeat, BP_LOAD(host->heartbeat) + 1);
}

static inline bp_status bp_message(const bp_host_api *host, int32_t severity, const char *utf8, uint32_t len)
{
  if (!BP_HAS_CALL(host, bp_host_api, message))
    return BP_E_UNSUPPORTED;
  return bp_answer(host->message(host->ctx, severity, utf8, len));
}

/* Says why `status` is about to be returned and returns it: `return bp_fail(host, BP_E_IO, BP_OS_ERRNO, errno, "");` */
static inline bp_status bp_fail(const bp_host_api *host, bp_status status, int32_t os_domain, int64_t os_error,
                                const char *utf8)
{
  if (BP_HAS_CALL(host, bp_host_api, fail))
    (void)host->fail(host->ctx, status, os_domain, os_error, utf8, (uint32_t)strlen(utf8));
  return status;
}

/* Longest text of bp_logf and bp_failf, its NUL included; what is longer ends in "...". */
#define BP_TEXT_MAX 2048

/* vsnprintf into text[BP_TEXT_MAX]; the length without the NUL. Cuts between UTF-8 characters. */
static inline BP_PRINTF(2, 0) uint32_t bp_format(char *text, const char *format, va_list args)
{
  int n = vsnprintf(text, BP_TEXT_MAX, format, args);
  uint32_t len;
  if (n < 0) {
    text[0] = 0;
    return 0;
  }
  if (n < BP_TEXT_MAX)
    return (uint32_t)n;
  len = BP_TEXT_MAX - 4;
  while (len && ((unsigned char)text[len] & 0xC0u) == 0x80u)
    len--;
  memcpy(text + len, "...", 4);
  return len + 3;
}

static inline BP_PRINTF(3, 4) bp_status bp_logf(const bp_host_api *host, int32_t severity, const char *format, ...)
{
  char text[BP_TEXT_MAX];
  uint32_t len;
  va_list args;
  va_start(args, format);
  len = bp_format(text, format, args);
  va_end(args);
  return bp_message(host, severity, text, len);
}

static inline BP_PRINTF(5, 6) bp_status bp_failf(const bp_host_api *host, bp_status status, int32_t os_domain,
                                                 int64_t os_error, const char *format, ...)
{
  char text[BP_TEXT_MAX];
  va_list args;
  va_start(args, format);
  (void)bp_format(text, format, args);
  va_end(args);
  return bp_fail(host, status, os_domain, os_error, text);
}

/* The same for errno; the host adds its own text. `return bp_fail_errno(host, BP_E_IO, errno, "read %s", f);` */
static inline BP_PRINTF(4, 5) bp_status bp_fail_errno(const bp_host_api *host, bp_status status, int number,
                                                      const char *format, ...)
{
  char text[BP_TEXT_MAX];
  va_list args;
  va_start(args, format);
  (void)bp_format(text, format, args);
  va_end(args);
  return bp_fail(host, status, BP_OS_ERRNO, number, text);
}

#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
/* The same for a call that has a bp_error: `return bp_errorf(error, BP_E_IO, BP_OS_ERRNO, errno, "read %s", name);` */
static inline BP_PRINTF(5, 6) bp_status bp_errorf(bp_error *error, bp_status status, int32_t os_domain,
                                                  int64_t os_error, const char *format, ...)
{
  char text[BP_TEXT_MAX];
  va_list args;
  va_start(args, format);
  error->len = bp_format(text, format, args);
  va_end(args);
  if (error->len > error->cap)
    error->len = error->cap;
  memcpy(error->text, text, error->len);
  error->os_domain = os_domain;
  error->os_error = os_error;
  return status;
}

/* What `extension` of an agent answers: the table when it was asked for this one. For several, one after the other:
 *
 *   return bp_offer(id, BP_STREAMS_1, &streams, out) == BP_OK ? BP_OK : bp_offer(id, BP_FD_1, &fd, out);
 */
static inline bp_status bp_offer(const char *id, const char *mine, const void *table, const void **out)
{
  *out = strcmp(id, mine) ? NULL : table;
  return *out ? BP_OK : BP_E_UNSUPPORTED;
}
#endif

/* The status that fits an errno of a call on one file. */
static inline bp_status bp_status_of_errno(int number)
{
  switch (number) {
  case ENOENT:
  case ENOTDIR:
    return BP_E_NOTFOUND;
  case EACCES:
  case EPERM:
    return BP_E_ACCESS;
  case ENOMEM:
    return BP_E_NOMEM;
  case ENOSPC:
#ifdef EDQUOT
  case EDQUOT:
#endif
    return BP_E_NOSPACE;
  case EIO:
    return BP_E_IO;
  default:
    return BP_E_ENTRY;
  }
}

/* *verdict is one of BP_VERDICT_TAKE..PRUNE when BP_OK. Anything else: return the status from the agent's call. */
static inline bp_status bp_match(const bp_host_api *host, const char *path, uint32_t len, const bp_entry *entry,
                                 uint32_t *verdict)
{
  bp_status status;
  *verdict = BP_VERDICT_NONE;
  if (!BP_HAS_CALL(host, bp_host_api, match))
    return BP_E_UNSUPPORTED;
  status = bp_answer(host->match(host->ctx, path, len, entry, verdict));
  if (status == BP_OK && *verdict == BP_VERDICT_NONE)
    return BP_E_HOST;
  return status;
}

static inline bp_status bp_put_state(const bp_host_api *host, const void *state, uint64_t len, uint32_t format)
{
  if (!BP_HAS_CALL(host, bp_host_api, put_state))
    return BP_E_UNSUPPORTED;
  return bp_answer(host->put_state(host->ctx, state, len, format));
}

#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
/* Both answer BP_E_UNSUPPORTED on a host of 1.0, and nothing is lost by it. */
static inline bp_status bp_expect(const bp_host_api *host, uint64_t entries, uint64_t bytes)
{
  if (!BP_HAS_CALL(host, bp_host_api, expect))
    return BP_E_UNSUPPORTED;
  return bp_answer(host->expect(host->ctx, entries, bytes));
}

static inline bp_status bp_watermark(const bp_host_api *host, uint64_t position)
{
  if (!BP_HAS_CALL(host, bp_host_api, watermark))
    return BP_E_UNSUPPORTED;
  return bp_answer(host->watermark(host->ctx, position));
}

/* BP_E_UNSUPPORTED on a host of 1.0: what is held then has to end with the process. */
static inline bp_status bp_hold(const bp_host_api *host, const void *token, uint32_t len)
{
  if (!BP_HAS_CALL(host, bp_host_api, hold))
    return BP_E_UNSUPPORTED;
  return bp_answer(host->hold(host->ctx, token, len));
}

/* What 1.1 tells at `begin`, and on a host of 1.0 that it is not known. */
static inline uint64_t bp_keep_from(const bp_begin *why)
{
  return BP_HAS_FIELD(why, bp_begin, keep_from) ? why->keep_from : 0u;
}

static inline const char *bp_saved_job(const bp_begin *why)
{
  return BP_HAS_FIELD(why, bp_begin, saved_job) ? why->saved_job : "";
}
#endif

/* BP_OK: *len bytes in buf; wipe them with bp_wipe when done. BP_E_TOO_BIG: *len is what is needed. */
static inline bp_status bp_secret(const bp_host_api *host, const char *name, void *buf, uint32_t cap, uint32_t *len)
{
  bp_status status;
  *len = 0;
  if (!BP_HAS_CALL(host, bp_host_api, secret))
    return BP_E_UNSUPPORTED;
  status = bp_answer(host->secret(host->ctx, name, buf, cap, len));
  return status == BP_OK && *len > cap ? BP_E_HOST : status;
}

/* Overwrites memory that held a secret, in a way that no optimiser removes. */
static inline void bp_wipe(void *buf, size_t len)
{
  volatile unsigned char *p = (volatile unsigned char *)buf;
  while (len--)
    *p++ = 0;
}

static inline bp_status bp_defer(const bp_host_api *host, uint32_t seconds)
{
  if (!BP_HAS_CALL(host, bp_host_api, defer))
    return BP_E_UNSUPPORTED;
  return bp_answer(host->defer(host->ctx, seconds));
}

/* *out is the extension's table when BP_OK, else NULL. */
static inline bp_status bp_host_extension(const bp_host_api *host, const char *id, const void **out)
{
  bp_status status;
  *out = NULL;
  if (!BP_HAS_CALL(host, bp_host_api, extension))
    return BP_E_UNSUPPORTED;
  status = bp_answer(host->extension(host->ctx, id, out));
  if (status != BP_OK)
    *out = NULL;
  return status == BP_OK && !*out ? BP_E_UNSUPPORTED : status;
}

/* One answer of `read`: `last` non-zero ends the stream at offset + len. */
static inline bp_status bp_chunk_set(bp_chunk *chunk, uint64_t offset, uint64_t len, int last)
{
  chunk->offset = offset;
  chunk->len = len;
  chunk->flags = last ? BP_CHUNK_LAST : 0u;
  chunk->reserved = 0;
  return BP_OK;
}

/* ---- C++ ------------------------------------------------------------------------------------------------------- */
#if defined(__cplusplus) && __cplusplus >= 201103L
#include <new>
/*
 * The body of every function in a C++ agent's table: an exception that left it would end the process.
 *
 *   static bp_status BPLUGIN_CALL ready(bp_agent *agent) noexcept
 *   {
 *     return bp_guard([&] { return agent->connect(); });
 *   }
 */
template <class Body>
inline bp_status bp_guard(Body &&body) noexcept
{
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return BP_E_NOMEM;
  } catch (...) {
    return BP_E_FAIL;
  }
#else
  return body();
#endif
}
#endif

#endif
