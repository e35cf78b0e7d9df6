/* SPDX-License-Identifier: Apache-2.0 */
#ifdef _WIN32
#define __USE_MINGW_ANSI_STDIO 1
#endif
#include "lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lines_add(lines *out, const char *format, ...)
{
  va_list arguments;
  size_t needed, capacity = out->capacity ? out->capacity : 512;
  int length;
  char *grown;
  va_start(arguments, format);
  length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  needed = out->length + (size_t)length + 1;
  while (capacity < needed)
    capacity *= 2;
  if (capacity != out->capacity) {
    grown = realloc(out->text, capacity);
    if (!grown) {
      out->failed = true;
      return;
    }
    out->text = grown;
    out->capacity = capacity;
  }
  va_start(arguments, format);
  vsnprintf(out->text + out->length, (size_t)length + 1, format, arguments);
  va_end(arguments);
  out->length += (size_t)length;
}

void lines_free(lines *out)
{
  free(out->text);
  memset(out, 0, sizeof *out);
}

bool lines_next(char **cursor, char **key, char **value)
{
  while (**cursor) {
    char *line = *cursor, *end = line + strcspn(line, "\n"), *equals;
    *cursor = *end ? end + 1 : end;
    *end = 0;
    equals = strchr(line, '=');
    if (!equals)
      continue;
    *equals = 0;
    *key = line;
    *value = equals + 1;
    return true;
  }
  return false;
}
