/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "wide.h"

bool name_parse(stored_name *name, const char *path, size_t len)
{
  size_t at = sizeof ROOT_PATH - 1;
  memset(name, 0, sizeof *name);
  while (len && path[len - 1] == '/')
    len--;
  if (len < at || memcmp(path, ROOT_PATH, at) || (len > at && path[at] != '/'))
    return false;
  while (at < len) {
    size_t start = at + 1, end = start;
    while (end < len && path[end] != '/')
      end++;
    if (end == start || name->depth == MAX_DEPTH || memchr(path + start, 0, end - start)) {
      name_free(name);
      return false;
    }
    name->parts[++name->depth] = malloc(end - start + 1);
    if (!name->parts[name->depth]) {
      name_free(name);
      return false;
    }
    memcpy(name->parts[name->depth], path + start, end - start);
    name->parts[name->depth][end - start] = 0;
    at = end;
  }
  return true;
}

void name_free(stored_name *name)
{
  for (unsigned i = 0; i <= MAX_DEPTH; i++)
    free(name->parts[i]);
  memset(name, 0, sizeof *name);
}

char *name_join(const char *directory, const char *part)
{
  text t = { 0 };
  text_put(&t, directory);
  text_put(&t, "/");
  text_put(&t, part);
  if (t.failed)
    text_free(&t);
  return t.at;
}

const ese_char *stream_path(const ese_char *streams, const ese_char *end, uint32_t index)
{
  const ese_char *at = streams;
  for (; index && wide_more(at, end); index--)
    at = wide_next(at, end);
  return wide_more(at, end) ? at : NULL;
}

char *stream_part(const ese_char *streams, uint32_t units, uint32_t index)
{
  const ese_char *end = streams + units, *path = stream_path(streams, end, index);
  char *utf8 = path ? wide_to_utf8(wide_file_name(path)) : NULL;
  char *part = utf8 ? part_of(utf8) : NULL;
  bool again = false;
  free(utf8);
  for (uint32_t i = 0; part && i < index; i++)
    again = again || wide_same(wide_file_name(stream_path(streams, end, i)), wide_file_name(path));
  if (part && again) {
    text t = { 0 };
    text_number(&t, index + 1);
    text_put(&t, "-");
    text_put(&t, part);
    free(part);
    part = t.at;
    if (t.failed)
      text_free(&t);
  }
  return part;
}
