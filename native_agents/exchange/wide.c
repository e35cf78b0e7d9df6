/* SPDX-License-Identifier: Apache-2.0 */
#include "wide.h"

#include <stdlib.h>
#include <string.h>

size_t wide_len(const ese_char *text)
{
  size_t n = 0;
  while (text[n])
    n++;
  return n;
}

bool wide_same(const ese_char *a, const ese_char *b)
{
  while (*a && *a == *b)
    a++, b++;
  return *a == *b;
}

ese_char *wide_copy(const ese_char *text, size_t units)
{
  ese_char *copy = text ? malloc((units + 1) * sizeof *copy) : NULL;
  if (!copy)
    return NULL;
  memcpy(copy, text, units * sizeof *copy);
  copy[units] = 0;
  return copy;
}

char *wide_to_utf8(const ese_char *text)
{
  char *out = malloc(wide_len(text) * 3 + 1), *p = out;
  if (!out)
    return NULL;
  for (; *text; text++) {
    uint32_t c = *text;
    if (c >= 0xD800 && c < 0xDC00 && text[1] >= 0xDC00 && text[1] < 0xE000)
      c = 0x10000 + ((c - 0xD800) << 10) + (*++text - 0xDC00u);
    if (c < 0x80) {
      *p++ = (char)c;
    } else if (c < 0x800) {
      *p++ = (char)(0xC0 | c >> 6);
      *p++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      *p++ = (char)(0xE0 | c >> 12);
      *p++ = (char)(0x80 | (c >> 6 & 0x3F));
      *p++ = (char)(0x80 | (c & 0x3F));
    } else { /* two units became four bytes: there is room */
      *p++ = (char)(0xF0 | c >> 18);
      *p++ = (char)(0x80 | (c >> 12 & 0x3F));
      *p++ = (char)(0x80 | (c >> 6 & 0x3F));
      *p++ = (char)(0x80 | (c & 0x3F));
    }
  }
  *p = 0;
  return out;
}

ese_char *wide_of_utf8(const char *utf8)
{
  const unsigned char *p = (const unsigned char *)utf8;
  ese_char *out = malloc((strlen(utf8) + 1) * sizeof *out), *q = out;
  while (out && *p) {
    unsigned lead = *p++, more = lead < 0x80 ? 0 : lead < 0xC2 ? 9 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 9;
    uint32_t c = more == 0 ? lead : lead & (0x3Fu >> more);
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    for (unsigned i = 0; i < more && more != 9; i++) {
      if ((*p & 0xC0) != 0x80) {
        more = 9;
        break;
      }
      c = c << 6 | (*p++ & 0x3F);
    }
    if (more == 9 || c < least[more] || c > 0x10FFFF) {
      free(out);
      return NULL;
    }
    if (c >= 0x10000) {
      *q++ = (ese_char)(0xD800 + ((c - 0x10000) >> 10));
      *q++ = (ese_char)(0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
      *q++ = (ese_char)c;
    }
  }
  if (out)
    *q = 0;
  return out;
}

bool wide_more(const ese_char *name, const ese_char *end)
{
  return name && name != end && *name;
}

const ese_char *wide_next(const ese_char *name, const ese_char *end)
{
  while (name != end && *name)
    name++;
  return name == end ? name : name + 1;
}

const ese_char *wide_file_name(const ese_char *path)
{
  const ese_char *name = path;
  for (; *path; path++)
    if (*path == '/' || *path == '\\')
      name = path + 1;
  return name;
}
