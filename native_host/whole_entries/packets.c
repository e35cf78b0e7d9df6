/*
 * Packets of a Storage Daemon in, records as on a Volume out: as filed/storage/daemon/read.py takes them, for all that is plain.
 *
 *   packet:  i32 length, big-endian | that many bytes
 *   record:  a packet `rechdr VolSessionId VolSessionTime FileIndex Stream Length`, and one with the data
 */
#include <string.h>

#include "whole_entries.h"

#define API __attribute__((visibility("default")))

enum { LENGTH_BYTES = 4, MOST_LINE_BYTES = 80, LINE_FIELDS = 5, MOST_DIGITS = 10, HEADER_BYTES = 12 };
enum { SESSION_ID, SESSION_TIME, FILE_INDEX, STREAM, LENGTH };

static const char WORD[] = "rechdr";

typedef struct packet { const uint8_t *at; uint32_t size; } packet;

static uint32_t big_endian(const uint8_t *at)
{
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_big_endian(uint8_t *at, uint64_t value)
{
  at[0] = (uint8_t)(value >> 24), at[1] = (uint8_t)(value >> 16), at[2] = (uint8_t)(value >> 8), at[3] = (uint8_t)value;
}

/* One of at most so many bytes that is here whole; signals, flags and longer ones are none. */
static bool packet_at(const uint8_t *at, const uint8_t *end, uint32_t most, packet *found)
{
  if (end - at < LENGTH_BYTES)
    return false;
  *found = (packet){ at + LENGTH_BYTES, big_endian(at) };
  return found->size && found->size <= most && found->size <= (uint64_t)(end - found->at);
}

static bool line_read(const packet *p, uint64_t fields[LINE_FIELDS])
{
  const uint8_t *at = p->at, *end = p->at + p->size;
  if (p->size < sizeof WORD || memcmp(at, WORD, sizeof WORD - 1))
    return false;
  at += sizeof WORD - 1;
  for (int i = 0; i < LINE_FIELDS; i++) {
    const uint8_t *digits;
    if (at == end || *at != ' ')
      return false;
    fields[i] = 0;
    for (digits = ++at; at < end && *at >= '0' && *at <= '9'; at++) {
      if (at - digits == MOST_DIGITS)
        return false;
      fields[i] = fields[i] * 10 + (uint64_t)(*at - '0');
    }
    if (at == digits)
      return false;
  }
  while (at < end && (*at == '\n' || *at == 0))
    at++;
  return at == end && fields[SESSION_ID] <= UINT32_MAX && fields[SESSION_TIME] <= UINT32_MAX && fields[FILE_INDEX]
         && fields[FILE_INDEX] <= INT32_MAX && fields[STREAM] <= INT32_MAX;
}

/*
 * The records of one session, none of more than `most` bytes, up to the first that is not plain or not here whole. out: as much room as `size`.
 * Returns how many bytes of the packets it took; *made: how many it made of them.
 */
API uint64_t take_packets(const uint8_t *packets, uint64_t size, uint32_t most, uint8_t *out, uint64_t *made, uint64_t session[2]);
uint64_t take_packets(const uint8_t *packets, uint64_t size, uint32_t most, uint8_t *out, uint64_t *made, uint64_t session[2])
{
  const uint8_t *at = packets, *end = packets + size;
  uint8_t *to = out;
  packet line, data;
  uint64_t fields[LINE_FIELDS];
  while (packet_at(at, end, MOST_LINE_BYTES, &line) && packet_at(line.at + line.size, end, most, &data) && line_read(&line, fields)) {
    if (to == out)
      session[0] = fields[SESSION_ID], session[1] = fields[SESSION_TIME];
    if (session[0] != fields[SESSION_ID] || session[1] != fields[SESSION_TIME] || fields[LENGTH] != data.size)
      break;
    put_big_endian(to, fields[FILE_INDEX]);
    put_big_endian(to + 4, fields[STREAM]);
    put_big_endian(to + 8, data.size);
    memcpy(to + HEADER_BYTES, data.at, data.size);
    to += HEADER_BYTES + data.size;
    at = data.at + data.size;
  }
  *made = (uint64_t)(to - out);
  return (uint64_t)(at - packets);
}
