/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <ctype.h>
#include <stdlib.h>

/* ---- the line ---------------------------------------------------------------------------------------------------- */

/* A name as the contract wants it; a user's slip shall not look like a fault of this agent. */
static int is_name(const char *path)
{
  const char *part = *path == '/' ? path + 1 : path;
  if (!*part)
    return 0;
  for (;;) {
    size_t len = strcspn(part, "/");
    if (!len || (len == 1 && part[0] == '.') || (len == 2 && !memcmp(part, "..", 2)))
      return 0;
    if (!part[len])
      return 1;
    part += len + 1;
  }
}

static bp_status take(line *out, const bp_host_api *host)
{
  char *rest = out->text;
  (void)strsep(&rest, ":"); /* the agent's name */
  out->path = strsep(&rest, ":");
  out->reader = strsep(&rest, ":");
  out->writer = rest ? rest : "";
  if (!out->path || !is_name(out->path))
    return bp_fail(host, BP_E_INVAL, BP_OS_NONE, 0,
                   "a Plugin line is bpipe:/path/name:reader command:writer command; what stands behind the first colon"
                   " is no path");
  if (!out->reader || !*out->reader)
    return bp_failf(host, BP_E_INVAL, BP_OS_NONE, 0,
                    "%s: a Plugin line is bpipe:/path/name:reader command:writer command; there is no reader", out->path);
  return BP_OK;
}

bp_status line_read(line *out, const bp_host_api *host, const char *fileset)
{
  uint32_t cap = (uint32_t)strlen(fileset) + 1, len;
  bp_fileset lines;
  char code[4];
  bp_status status;
  memset(out, 0, sizeof *out);
  out->text = malloc(cap);
  if (!out->text)
    return BP_E_NOMEM;
  bp_fileset_begin(&lines, fileset);
  while ((status = bp_fileset_next(&lines, code, out->text, cap, &len)) == BP_OK)
    if (!strcmp(code, "P"))
      return take(out, host);
  return bp_fail(host, BP_E_INVAL, BP_OS_NONE, 0, "it works by Plugin lines only: bpipe:/path/name:reader:writer");
}

void line_free(line *line)
{
  free(line->text);
  memset(line, 0, sizeof *line);
}

/* ---- what may be run --------------------------------------------------------------------------------------------- */

bp_status allowed_add(allowed *list, const char *pattern)
{
  char **grown = realloc(list->patterns, (list->count + 1) * sizeof *grown);
  if (!grown)
    return BP_E_NOMEM;
  list->patterns = grown;
  grown[list->count] = strdup(pattern);
  return grown[list->count++] ? BP_OK : BP_E_NOMEM;
}

void allowed_free(allowed *list)
{
  for (unsigned i = 0; i < list->count; i++)
    free(list->patterns[i]);
  free(list->patterns);
  memset(list, 0, sizeof *list);
}

/* Means nothing to a shell, wherever it stands; a slash would lead to another directory. A word that begins with - means an
 * option to most commands (tar's --to-command=...): who allows that writes the - before the star. */
static int is_plain(char letter)
{
  return letter && (isalnum((unsigned char)letter) || strchr("_.,:=@%+-", letter));
}

static int may_be_covered(const char *command, const char *letter)
{
  return is_plain(*letter) && (*letter != '-' || (letter > command && (is_plain(letter[-1]) || letter[-1] == '/')));
}

static int matches(const char *pattern, const char *command)
{
  const char *text = command;
  const char *star = NULL, *tried = NULL; /* the last star, and the first byte that it does not cover */
  for (;;) {
    int literal = pattern[0] == '\\' && pattern[1] == '*';
    if (*pattern == '*') {
      star = ++pattern;
      tried = text;
      continue;
    }
    if (!*pattern && !*text)
      return 1;
    if (*text && pattern[literal] == *text) {
      pattern += literal + 1;
      text++;
      continue;
    }
    if (!star || !may_be_covered(command, tried))
      return 0;
    pattern = star; /* the star takes one byte more */
    text = ++tried;
  }
}

int allowed_has(const allowed *list, const char *command)
{
  for (unsigned i = 0; i < list->count; i++)
    if (!strcmp(list->patterns[i], "**") || matches(list->patterns[i], command))
      return 1;
  return 0;
}

/* ---- what a console says ------------------------------------------------------------------------------------------ */

char *line_restore_command(const char *config, size_t len)
{
  static const char key[] = "restore_command=\"";
  const char *end = config + len, *p = config;
  char *out, *to;
  for (; p < end; p = p + 1) { /* a line at a time */
    size_t left = (size_t)(end - p);
    if (left > sizeof key - 1 && !memcmp(p, key, sizeof key - 1))
      break;
    p = memchr(p, '\n', left);
    if (!p)
      return NULL;
  }
  if (p >= end)
    return NULL;
  p += sizeof key - 1;
  to = out = malloc((size_t)(end - p) + 1);
  if (!out)
    return NULL;
  while (p < end && *p != '"' && *p != '\n' && *p) {
    if (*p == '\\' && p + 1 < end && (p[1] == '"' || p[1] == '\\'))
      p++;
    *to++ = *p++;
  }
  *to = 0;
  if (p < end && *p == '"' && to > out)
    return out;
  free(out);
  return NULL;
}

/* ---- codes ------------------------------------------------------------------------------------------------------- */

static int is_plain_path(const char *path)
{
  for (; *path; path++)
    if (*path != '/' && !is_plain(*path) && !((unsigned char)*path & 0x80u))
      return 0;
  return 1;
}

char *line_expand(const char *writer, const char *where, char replace, bp_status *status)
{
  size_t wheres = 0, len = strlen(writer), where_len = strlen(where);
  char *out, *to;
  for (const char *p = writer; (p = strstr(p, "%w")); p += 2)
    wheres++;
  *status = wheres && !is_plain_path(where) ? BP_E_ACCESS : BP_E_NOMEM;
  if (*status == BP_E_ACCESS)
    return NULL;
  to = out = malloc(len + wheres * where_len + 1);
  if (!out)
    return NULL;
  for (const char *p = writer; *p; p++) {
    if (p[0] == '%' && p[1] == 'w') {
      memcpy(to, where, where_len);
      to += where_len;
      p++;
    } else if (p[0] == '%' && (p[1] == 'r' || p[1] == '%')) {
      *to++ = p[1] == 'r' ? replace : '%';
      p++;
    } else
      *to++ = *p; /* other codes mean nothing here, and stay */
  }
  *to = 0;
  *status = BP_OK;
  return out;
}
