/*
 * Records of small entries in, a page of them out: as Gathering and WholeEntries of filed/job/decode, for all that is plain.
 *
 * A record is as it lies on a Volume: i32 FileIndex | i32 stream, with flags | u32 length | data, big-endian.
 */
#include <string.h>

#include "../restore_loop/page.h"
#include "attributes.h"
#include "content.h"
#include "known.h"

#define API __attribute__((visibility("default")))

enum { HEADER_BYTES = 12, STREAM_TYPES = 0x7ff };
enum { ATTRIBUTES = 1, ATTRIBUTES_EX = 5, PLUGIN_NAME = 26, ATTRIBUTE_UPDATE = 37 };

typedef struct record { int32_t file_index; uint32_t stream, size; const uint8_t *data; } record;

static uint32_t big_endian(const uint8_t *at)
{
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool record_at(const uint8_t *at, const uint8_t *end, record *r)
{
  if (end - at < HEADER_BYTES)
    return false;
  *r = (record){ (int32_t)big_endian(at), big_endian(at + 4), big_endian(at + 8), at + HEADER_BYTES };
  return r->size <= (uint64_t)(end - r->data);
}

static bool begins_entry(uint32_t stream)
{
  uint32_t kind = stream & STREAM_TYPES;
  return kind == ATTRIBUTES || kind == ATTRIBUTES_EX || kind == ATTRIBUTE_UPDATE || kind == PLUGIN_NAME;
}

static bool begins_file(uint32_t stream)
{
  return stream == ATTRIBUTES || stream == ATTRIBUTES_EX;
}

/* false: more, or other records than a plain entry has. */
static bool add_record(entry *e, const record *r)
{
  if (r->file_index != e->file_index)
    return false;
  if (stream_is_content(r->stream)) {
    if (e->content || e->digest)
      return false;
    e->content = r->data, e->content_size = r->size, e->content_stream = r->stream;
    return true;
  }
  if (!stream_is_digest(r->stream) || e->digest)
    return false;
  e->digest = r->data, e->digest_size = r->size, e->digest_stream = r->stream;
  return true;
}

/* The next entry, up to where another begins: Python sees the last one before anything else. */
static int next_entry(const uint8_t *at, const uint8_t *end, entry *e)
{
  const uint8_t *begin = at;
  uint64_t bytes;
  record r;
  if (at == end)
    return WHY_MORE;
  if (!record_at(at, end, &r) || !begins_file(r.stream) || r.file_index <= 0)
    return WHY_NOT_PLAIN;
  *e = (entry){ .file_index = r.file_index, .attributes = r.data, .attributes_size = r.size };
  bytes = r.size;
  for (at = r.data + r.size; at < end; at = r.data + r.size) {
    if (!record_at(at, end, &r))
      return WHY_NOT_PLAIN;
    if (begins_entry(r.stream)) {
      if (!begins_file(r.stream))
        return WHY_NOT_PLAIN;
      break;
    }
    bytes += r.size;
    if (bytes > MOST_ENTRY_BYTES || !add_record(e, &r))
      return WHY_NOT_PLAIN;
  }
  e->size = (uint64_t)(at - begin);
  return bytes > MOST_ENTRY_BYTES ? WHY_NOT_PLAIN : at == end ? WHY_MORE : WHY_FULL;
}

static bool is_renamed(const plan *p, int32_t file_index)
{
  uint64_t low = 0, high = p->renamed_count;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (p->renamed[middle] < file_index)
      low = middle + 1;
    else
      high = middle;
  }
  return low < p->renamed_count && p->renamed[low] == file_index;
}

/* Are these the records that a catalog knows, and not for the second time? */
static bool is_known(const plan *p, const entry *e, const attributes *a, uint64_t *known)
{
  /* type, path, stat, link and extended stand behind each other, but for the blank behind the type */
  uint8_t text[MOST_ENTRY_BYTES], digest[1 + MOST_DIGEST_BYTES];
  uint64_t length = (uint64_t)(a->extended.at + a->extended.length - a->type_digits.at), digest_length = 0;
  *known = known_of(p, e->file_index);
  if (!*known)
    return true;
  if (e->file_index <= p->last_index || known_metadata(p, e->file_index) || length > sizeof text || e->digest_size > MOST_DIGEST_BYTES)
    return false;
  memcpy(text, a->type_digits.at, length);
  text[a->type_digits.length] = 0;
  if (e->digest) {
    *digest = (uint8_t)e->digest_stream;
    memcpy(digest + 1, e->digest, e->digest_size);
    digest_length = 1 + e->digest_size;
  }
  return known_hash(p->key, text, length, digest, digest_length) == *known;
}

static uint8_t *put(uint8_t *at, const void *data, uint64_t length)
{
  if (length)
    memcpy(at, data, length);
  return at + length;
}

/* What a name has below `where`. */
static text final_name(text name)
{
  while (name.length > 1 && name.at[name.length - 1] == '/')
    name.length--;
  return name;
}

/* The item up to its streams, at the end of the page; NULL: a number that no agent takes, or no room. */
static item *lay_names(plan *p, const attributes *a)
{
  text name = final_name(a->path);
  bool below = p->where_length && *name.at != '/', follows = a->type == TYPE_HARD_LINK && p->where_length;
  uint64_t link_length = a->link.length + (follows ? p->where_length : 0);
  uint64_t dest_length = p->where_length + below + name.length;
  uint64_t begin = padded(sizeof(item) + name.length + 1 + link_length + 1 + dest_length + 1);
  item *i = (item *)(p->page + p->used);
  uint8_t *at = (uint8_t *)(i + 1);
  if (begin > p->room - p->used || begin > UINT32_MAX)
    return NULL;
  memset(i, 0, begin);
  if (!attributes_restored(a, &i->entry))
    return NULL;
  i->size = i->streams = (uint32_t)begin;
  i->dest_len = (uint32_t)dest_length;
  i->entry.name_off = sizeof(bp_entry);
  i->entry.name_len = name.length;
  i->entry.link_len = (uint32_t)link_length;
  i->entry.link_off = link_length ? sizeof(bp_entry) + name.length + 1 : 0;
  at = put(at, name.at, name.length) + 1;
  if (follows)
    at = put(at, p->where, p->where_length);
  at = put(at, a->link.at, a->link.length) + 1;
  i->dest = (uint32_t)(at - (uint8_t *)i);
  at = put(at, p->where, p->where_length);
  if (below)
    *at++ = '/';
  put(at, name.at, name.length);
  return i;
}

static bool layout_fits(const attributes *a, uint32_t stream)
{
  const number *saved = &a->fields[STAT_DATA_STREAM];
  return !saved->magnitude
         || (!saved->negative && saved->magnitude <= STREAM_TYPES && stream_is_content((uint32_t)saved->magnitude)
             && stream_is_sparse((uint32_t)saved->magnitude) == stream_is_sparse(stream));
}

/* The content behind the item, and its proof. */
static bool lay_content(plan *p, const entry *e, const attributes *a, item *i)
{
  uint64_t begin = i->size, room = p->room - p->used - begin;
  stream *s = (stream *)((uint8_t *)i + begin);
  int64_t size = 0, announced = attributes_size(a);
  stored found;
  if (room < sizeof *s)
    return false;
  if (e->content) {
    if (!content_stored(e, &found) || !layout_fits(a, e->content_stream))
      return false;
    size = content_expand(p, &found, (uint8_t *)(s + 1), room - sizeof *s);
    if (size < 0 || padded((uint64_t)size) > room - sizeof *s)
      return false;
    *s = (stream){ BP_STREAM_DATA, 0, announced >= 0 ? (uint64_t)announced : BP_SIZE_UNKNOWN, (uint64_t)size };
    memset((uint8_t *)(s + 1) + size, 0, padded((uint64_t)size) - (uint64_t)size);
    i->size += (uint32_t)(sizeof *s + padded((uint64_t)size));
  }
  if (e->digest)
    return content_proved(p, e, (uint8_t *)(s + 1), (uint64_t)size);
  return size >= announced;
}

static bool take(plan *p, const entry *e)
{
  bool sized;
  uint64_t known;
  attributes a;
  item *i;
  if (!attributes_read(e->attributes, e->attributes_size, &a) || is_renamed(p, e->file_index) || !is_known(p, e, &a, &known))
    return false;
  if (p->purpose == PURPOSE_CHECK && e->file_index <= p->last_index)
    return false;
  sized = a.type == TYPE_REGULAR || a.type == TYPE_EMPTY;
  if (!sized && (e->content || e->digest))
    return false;
  i = lay_names(p, &a);
  if (!i || (sized && !lay_content(p, e, &a, i)))
    return false;
  if (e->content)
    p->content_bytes += ((stream *)((uint8_t *)i + i->streams))->length;
  if (e->digest)
    p->proofs |= (uint64_t)1 << e->digest_stream;
  else
    p->undigested += e->content != NULL;
  p->found += known != 0;
  if (e->file_index > p->last_index)
    p->last_index = e->file_index;
  if (p->purpose == PURPOSE_RESTORE)
    p->used += i->size;
  p->file_indexes[p->entries] = e->file_index;
  p->types[p->entries] = a.type;
  p->times[p->entries] = i->entry.mtime.sec;
  p->ends[p->entries++] = p->used;
  return true;
}

/* Adds entries to the page, which has room for one more. Returns how many bytes of the records it took. */
API uint64_t take_entries(plan *p, const uint8_t *records, uint64_t size);
uint64_t take_entries(plan *p, const uint8_t *records, uint64_t size)
{
  const uint8_t *at = records, *end = records + size;
  entry e;
  for (p->why = WHY_FULL; p->entries < PAGE_ENTRIES && p->used < PAGE_BYTES; at += e.size) {
    int why = next_entry(at, end, &e);
    if (why == WHY_FULL && !take(p, &e))
      why = WHY_NOT_PLAIN;
    if (why != WHY_FULL) {
      p->why = (uint32_t)why;
      break;
    }
  }
  return (uint64_t)(at - records);
}

/* Behind the last of the records at data[begin:end] that are whole, of FileIndexes first..last, and no continued parts. */
API uint64_t end_of_run(const uint8_t *data, uint64_t begin, uint64_t end, int32_t first, int32_t last);
uint64_t end_of_run(const uint8_t *data, uint64_t begin, uint64_t end, int32_t first, int32_t last)
{
  const uint8_t *at = data + begin;
  record r;
  while (record_at(at, data + end, &r) && (int32_t)r.stream >= 0 && r.file_index >= first && r.file_index <= last)
    at = r.data + r.size;
  return (uint64_t)(at - data);
}
