/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "speak.h"

#include <string.h>

/* Bytes of the UTF-8 character at p, 0 when it is none (overlong, surrogate and beyond U+10FFFF included). */
static size_t utf8_bytes(const unsigned char *p, size_t left)
{
  unsigned lead = p[0];
  size_t n = lead < 0x80                    ? 1
             : lead >= 0xC2 && lead <= 0xDF ? 2
             : lead >= 0xE0 && lead <= 0xEF ? 3
             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                            : 0;
  if (!n || n > left)
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xC0) != 0x80)
      return 0;
  if ((lead == 0xE0 && p[1] < 0xA0) || (lead == 0xED && p[1] > 0x9F) || (lead == 0xF0 && p[1] < 0x90)
      || (lead == 0xF4 && p[1] > 0x8F))
    return 0;
  if (lead == 0xC2 && p[1] < 0xA0) /* C1 control characters */
    return 0;
  if (lead == 0xE2 && p[1] == 0x80 && p[2] >= 0xA8 && p[2] <= 0xAE) /* line separators, marks that turn the direction */
    return 0;
  return n;
}

/* Writes path[0..len) shown into out[cap], whole characters only; returns the bytes written. */
static size_t show_part(char *out, size_t cap, const unsigned char *p, size_t len)
{
  size_t used = 0;
  for (size_t i = 0; i < len;) {
    size_t n = utf8_bytes(p + i, len - i);
    if (n == 1 && (p[i] < 0x20 || p[i] == 0x7F))
      n = 0;
    if (n == 1 && p[i] == '\\') {
      if (used + 2 > cap)
        break;
      memcpy(out + used, "\\\\", 2);
      used += 2;
      i++;
    } else if (n) {
      if (used + n > cap)
        break;
      memcpy(out + used, p + i, n);
      used += n;
      i += n;
    } else {
      if (used + 4 > cap)
        break;
      out[used++] = '\\';
      out[used++] = (char)('0' + (p[i] >> 6));
      out[used++] = (char)('0' + (p[i] >> 3 & 7));
      out[used++] = (char)('0' + (p[i] & 7));
      i++;
    }
  }
  return used;
}

const char *show(shown *out, const char *path, size_t len)
{
  enum { WHOLE = (SHOWN_MAX - 8) / 4, HALF = WHOLE / 2 }; /* each byte takes at most four */
  const unsigned char *p = (const unsigned char *)path;
  size_t used, tail;
  if (len <= WHOLE) {
    used = show_part(out->text, SHOWN_MAX - 1, p, len);
  } else {
    tail = len - HALF;
    while (tail < len && (p[tail] & 0xC0) == 0x80) /* not in the middle of a character */
      tail++;
    used = show_part(out->text, SHOWN_MAX - 1, p, HALF);
    memcpy(out->text + used, "[...]", 5);
    used += 5;
    used += show_part(out->text + used, SHOWN_MAX - 1 - used, p + tail, len - tail);
  }
  out->text[used] = 0;
  return out->text;
}
