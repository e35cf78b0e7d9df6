/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdlib.h>
#include <string.h>

size_t text_units(const ese_char *text)
{
  size_t units = 0;
  while (text[units])
    units++;
  return units;
}

/* The next code point, or UINT32_MAX. */
static uint32_t decode(const unsigned char **at)
{
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  const unsigned char *in = *at;
  uint32_t point = *in++;
  int more = point < 0x80 ? 0 : point >= 0xF0 ? 3 : point >= 0xE0 ? 2 : 1, left;
  if (point >= 0x80) {
    if (point < 0xC2 || point > 0xF4)
      return UINT32_MAX;
    point &= 0x3Fu >> more;
  }
  for (left = more; left; left--, in++) {
    if ((*in & 0xC0) != 0x80)
      return UINT32_MAX;
    point = point << 6 | (*in & 0x3Fu);
  }
  if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
    return UINT32_MAX;
  *at = in;
  return point;
}

size_t text_to_utf16(const char *text, ese_char *out)
{
  const unsigned char *in = (const unsigned char *)text;
  size_t units = 0;
  while (*in) {
    uint32_t point = decode(&in);
    if (point == UINT32_MAX)
      return 0;
    if (point >= 0x10000) {
      if (out) {
        out[units] = (ese_char)(0xD800 + ((point - 0x10000) >> 10));
        out[units + 1] = (ese_char)(0xDC00 + (point & 0x3FF));
      }
      units += 2;
    } else {
      if (out)
        out[units] = (ese_char)point;
      units++;
    }
  }
  if (out)
    out[units] = 0;
  return units + 1;
}

bool text_to_utf8(const ese_char *text, char *out, size_t cap)
{
  size_t length = 0;
  for (; *text; text++) {
    uint32_t point = *text;
    unsigned more, left;
    if (point >= 0xDC00 && point <= 0xDFFF)
      return false;
    if (point >= 0xD800 && point <= 0xDBFF) {
      if (text[1] < 0xDC00 || text[1] > 0xDFFF)
        return false;
      point = 0x10000 + ((point - 0xD800) << 10) + (*++text - 0xDC00u);
    }
    more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    if (length + more + 2 > cap)
      return false;
    out[length++] = (char)(more ? (0xFF00 >> (more + 1) & 0xFF) | point >> 6 * more : point);
    for (left = more; left; left--)
      out[length++] = (char)(0x80 | (point >> 6 * (left - 1) & 0x3F));
  }
  out[length] = 0;
  return true;
}

static bool reserve(text_list *list, size_t units)
{
  size_t capacity = list->capacity ? list->capacity : 256;
  ese_char *grown;
  while (capacity < list->length + units)
    capacity *= 2;
  if (capacity == list->capacity)
    return true;
  grown = realloc(list->units, capacity * sizeof *grown);
  if (!grown)
    return false;
  list->units = grown;
  list->capacity = capacity;
  return true;
}

bool text_list_add(text_list *list, const char *text)
{
  size_t units = text_to_utf16(text, NULL);
  if (!units || !reserve(list, units))
    return false;
  list->length += text_to_utf16(text, list->units + list->length);
  return true;
}

bool text_list_end(text_list *list, unsigned extra)
{
  if (!reserve(list, extra))
    return false;
  memset(list->units + list->length, 0, extra * sizeof *list->units);
  list->length += extra;
  return true;
}

void text_list_free(text_list *list)
{
  free(list->units);
  memset(list, 0, sizeof *list);
}
