/* SPDX-License-Identifier: Apache-2.0 */
#include "choice.h"

#include <stdlib.h>
#include <string.h>

#include "result.h"

enum { LINE_MAX_BYTES = 65536 };

static bp_status add(choice *out, const bp_host_api *host, const char *path, size_t len, bool is_file_line)
{
  chosen_path *larger = realloc(out->at, (out->count + 1) * sizeof *larger), *one;
  if (!larger)
    return no_memory(host);
  out->at = larger;
  one = &larger[out->count];
  memset(one, 0, sizeof *one);
  one->is_file_line = is_file_line;
  while (len && path[len - 1] == '/')
    len--;
  if (!name_parse(&one->name, path, len) || one->name.depth > DEPTH_DATABASE) {
    name_free(&one->name);
    return bp_failf(host, BP_E_INVAL, BP_OS_NONE, 0,
                    "%.*s: give " ROOT_PATH ", or " ROOT_PATH "/" USUAL_SERVICE "[/<storage group>[/<database>]]", (int)len, path);
  }
  one->path = malloc(len + 1);
  if (!one->path) {
    name_free(&one->name);
    return no_memory(host);
  }
  memcpy(one->path, path, len);
  one->path[len] = 0;
  out->count++;
  return BP_OK;
}

/* Takes `:option` off the end of a Plugin line; false: there is none. */
static bool take_suffix(char *line, settings *changed, bp_status *status)
{
  char *colon = strrchr(line, ':'), *equals;
  if (!colon)
    return false;
  if (!strcmp(colon + 1, "notrunconfull")) {
    *status = settings_option(changed, "truncate", "never");
    *colon = 0;
    return true;
  }
  equals = strchr(colon, '=');
  if (!equals)
    return false;
  *equals = 0;
  if (strcmp(colon + 1, "truncate") && strcmp(colon + 1, "on-gap")) {
    *equals = '=';
    return false;
  }
  *status = settings_option(changed, colon + 1, equals + 1);
  *colon = 0;
  return true;
}

static bp_status plugin_line(choice *out, settings *changed, const bp_host_api *host, char *line)
{
  char *path = strchr(line, ':');
  bp_status status = BP_OK;
  while (path && status == BP_OK && take_suffix(path + 1, changed, &status))
    ;
  if (status != BP_OK)
    return status;
  path = path ? path + 1 : line + strlen(line);
  while (*path == ' ')
    path++;
  if (!*path)
    return add(out, host, ROOT_PATH, sizeof ROOT_PATH - 1, false);
  return add(out, host, path, strlen(path), false);
}

bp_status choice_read(choice *out, settings *changed, const bp_host_api *host, const char *text)
{
  char code[4], *item = malloc(LINE_MAX_BYTES);
  bool in_include = false;
  bp_status status = item ? BP_OK : no_memory(host);
  bp_fileset lines;
  uint32_t len;
  memset(out, 0, sizeof *out);
  bp_fileset_begin(&lines, text);
  while (status == BP_OK) {
    status = bp_fileset_next(&lines, code, item, LINE_MAX_BYTES, &len);
    if (status == BP_END)
      break;
    if (status != BP_OK)
      status = bp_fail(host, BP_E_INVAL, BP_OS_NONE, 0, "the FileSet has a line that cannot be read");
    else if (!strcmp(code, "I") || !strcmp(code, "E"))
      in_include = code[0] == 'I';
    else if (!strcmp(code, "F") && in_include)
      status = add(out, host, item, len, true);
    else if (!strcmp(code, "P") && in_include)
      status = plugin_line(out, changed, host, item);
  }
  free(item);
  if (status == BP_END && !out->count)
    return bp_fail(host, BP_E_INVAL, BP_OS_NONE, 0, "the FileSet names nothing of Exchange");
  return status == BP_END ? BP_OK : status;
}

void choice_free(choice *c)
{
  for (uint32_t i = 0; i < c->count; i++) {
    name_free(&c->at[i].name);
    free(c->at[i].path);
  }
  free(c->at);
  memset(c, 0, sizeof *c);
}

const char *chosen_service(const chosen_path *path)
{
  return path->name.depth >= DEPTH_SERVICE ? path->name.parts[DEPTH_SERVICE] : USUAL_SERVICE;
}

bool choice_wants(const choice *c, const char *service, const char *group, const char *database)
{
  for (uint32_t i = 0; i < c->count; i++) {
    const stored_name *name = &c->at[i].name;
    if (strcmp(chosen_service(&c->at[i]), service))
      continue;
    if (name->depth >= DEPTH_GROUP && strcmp(name->parts[DEPTH_GROUP], group))
      continue;
    if (database && name->depth >= DEPTH_DATABASE && strcmp(name->parts[DEPTH_DATABASE], database))
      continue;
    return true;
  }
  return false;
}

bool choice_names(const choice *c, const char *path)
{
  for (uint32_t i = 0; i < c->count; i++)
    if (c->at[i].is_file_line && !strcmp(c->at[i].path, path))
      return true;
  return false;
}

bool choice_covers(const choice *c, const char *path)
{
  for (uint32_t i = 0; i < c->count; i++) {
    size_t len = strlen(c->at[i].path);
    if (!strncmp(c->at[i].path, path, len) && (!path[len] || path[len] == '/'))
      return true;
  }
  return false;
}
