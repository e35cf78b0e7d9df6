/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char DIGITS[] = "0123456789ABCDEF";

void text_add(text *t, const void *bytes, size_t len)
{
  if (t->failed)
    return;
  if (t->len + len + 1 > t->cap) {
    size_t cap = (t->len + len + 1) * 2;
    char *larger = realloc(t->at, cap);
    if (!larger) {
      t->failed = true;
      return;
    }
    t->at = larger;
    t->cap = cap;
  }
  if (len)
    memcpy(t->at + t->len, bytes, len);
  t->len += len;
  t->at[t->len] = 0;
}

void text_put(text *t, const char *string)
{
  text_add(t, string, strlen(string));
}

void text_number(text *t, int64_t number)
{
  char digits[24];
  text_add(t, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, number));
}

void text_hex(text *t, const void *bytes, size_t len)
{
  const unsigned char *p = bytes;
  for (size_t i = 0; i < len; i++) {
    char two[2] = { DIGITS[p[i] >> 4], DIGITS[p[i] & 15] };
    text_add(t, two, 2);
  }
}

void text_free(text *t)
{
  free(t->at);
  memset(t, 0, sizeof *t);
}

void text_part(text *t, const char *utf8)
{
  bool dots = !strcmp(utf8, ".") || !strcmp(utf8, "..");
  if (!*utf8)
    text_put(t, "%");
  for (const unsigned char *p = (const unsigned char *)utf8; *p; p++) {
    bool escape = *p < 0x20 || *p == 0x7F || *p == '/' || *p == '\\' || *p == '%' || (dots && p == (const unsigned char *)utf8);
    if (escape) {
      text_put(t, "%");
      text_hex(t, p, 1);
    } else {
      text_add(t, p, 1);
    }
  }
}

char *part_of(const char *utf8)
{
  text t = { 0 };
  text_part(&t, utf8);
  if (t.failed)
    text_free(&t);
  return t.at;
}

static int digit(char c)
{
  const char *found = c ? strchr(DIGITS, c) : NULL;
  return found ? (int)(found - DIGITS) : -1;
}

bool hex_decode(const char *hex, void *bytes, size_t len)
{
  unsigned char *out = bytes;
  for (size_t i = 0; i < len; i++) {
    int high = digit(hex[2 * i]), low = high < 0 ? -1 : digit(hex[2 * i + 1]);
    if (low < 0)
      return false;
    out[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

bool part_decode(char *part)
{
  char *out = part;
  if (!strcmp(part, "%")) {
    *part = 0;
    return true;
  }
  for (const char *p = part; *p; p++) {
    unsigned char byte = (unsigned char)*p;
    if (byte == '%') {
      if (!hex_decode(p + 1, &byte, 1) || !byte)
        return false;
      p += 2;
    }
    *out++ = (char)byte;
  }
  *out = 0;
  return *part != 0;
}
