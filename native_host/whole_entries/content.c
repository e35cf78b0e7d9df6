#include <string.h>

#include "content.h"

enum { FILE_DATA = 2, GZIP_DATA = 4, SPARSE_DATA = 6, SPARSE_GZIP_DATA = 7, SPARSE_COMPRESSED_DATA = 30 };
enum { ADDRESS_BYTES = 8, LARGEST_WINDOW = 0x78 };

static const struct { uint32_t stream, bytes; } DIGEST[DIGESTS] = { { 3, 16 }, { 10, 20 }, { 17, 32 }, { 18, 64 } };

static int digest_number(uint32_t stream)
{
  for (int i = 0; i < DIGESTS; i++)
    if (DIGEST[i].stream == stream)
      return i;
  return -1;
}

bool stream_is_digest(uint32_t stream)
{
  return digest_number(stream) >= 0;
}

bool stream_is_content(uint32_t stream)
{
  return stream == FILE_DATA || stream == GZIP_DATA || stream == SPARSE_DATA || stream == SPARSE_GZIP_DATA;
}

bool stream_is_sparse(uint32_t stream)
{
  return stream == SPARSE_DATA || stream == SPARSE_GZIP_DATA || stream == SPARSE_COMPRESSED_DATA;
}

bool content_stored(const entry *e, stored *found)
{
  static const uint8_t beginning[ADDRESS_BYTES];
  *found = (stored){ e->content, e->content_size, e->content_stream == GZIP_DATA || e->content_stream == SPARSE_GZIP_DATA };
  if (stream_is_sparse(e->content_stream)) {
    if (found->size < ADDRESS_BYTES || memcmp(found->at, beginning, ADDRESS_BYTES))
      return false;
    found->at += ADDRESS_BYTES;
    found->size -= ADDRESS_BYTES;
  }
  return found->compressed ? found->size && *found->at == LARGEST_WINDOW : found->size <= MOST_CONTENT_BYTES;
}

int64_t content_expand(const plan *p, const stored *s, uint8_t *out, uint64_t room)
{
  size_t taken, made;
  if (!s->compressed) {
    if (s->size > room)
      return -1;
    memcpy(out, s->at, s->size);
    return s->size;
  }
  if (room > MOST_CONTENT_BYTES)
    room = MOST_CONTENT_BYTES;
  if (!p->inflate || p->inflate(p->inflator, s->at, s->size, out, room, &taken, &made) || taken != s->size)
    return -1;
  return (int64_t)made;
}

bool content_proved(const plan *p, const entry *e, const uint8_t *content, uint64_t size)
{
  unsigned char ours[MOST_DIGEST_BYTES];
  unsigned length = 0;
  int number = digest_number(e->digest_stream);
  if (number < 0 || !p->digests[number] || e->digest_size != DIGEST[number].bytes)
    return false;
  if (!p->init(p->digest_context, p->digests[number], NULL) || !p->update(p->digest_context, content, size)
      || !p->final(p->digest_context, ours, &length))
    return false;
  return length == e->digest_size && !memcmp(ours, e->digest, length);
}
