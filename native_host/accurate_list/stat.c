#include <string.h>

#include "stat.h"

enum { OLDEST_FIELDS = 13, MOST_FIELDS = 24, MOST_DIGITS = 12 };

static int digit(uint8_t c)
{
  return c >= 'A' && c <= 'Z' ? c - 'A'
         : c >= 'a' && c <= 'z' ? c - 'a' + 26
         : c >= '0' && c <= '9' ? c - '0' + 52
         : c == '+' ? 62
         : c == '/' ? 63
                    : -1;
}

static bool number_read(const uint8_t *text, const uint8_t *end, number *n)
{
  uint64_t value = 0;
  n->negative = text < end && *text == '-';
  text += n->negative;
  if (text == end || end - text > MOST_DIGITS)
    return false;
  for (; text < end; text++) {
    int d = digit(*text);
    if (d < 0 || value >> 58)
      return false;
    value = value << 6 | (uint64_t)d;
  }
  n->magnitude = value;
  return true;
}

bool stat_read(const uint8_t *text, uint32_t length, number fields[STAT_FIELDS])
{
  const uint8_t *end = text + length;
  uint32_t count = 0;
  memset(fields, 0, STAT_FIELDS * sizeof *fields);
  for (;;) {
    const uint8_t *space = memchr(text, ' ', (size_t)(end - text));
    if (count < STAT_FIELDS && !number_read(text, space ? space : end, &fields[count]))
      return false;
    count++;
    if (!space)
      return count >= OLDEST_FIELDS && count <= MOST_FIELDS;
    if (count >= MOST_FIELDS)
      return false;
    text = space + 1;
  }
}
