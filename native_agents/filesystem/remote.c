/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static bool may_hang(const char *type)
{
  static const char *const types[] = { "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "coda", "ocfs2",
                                       "gfs2", "beegfs", "orangefs", "fuse", "fuseblk" };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (!strcmp(type, types[i]))
      return true;
  return !strncmp(type, "fuse.", 5);
}

/* The list writes blanks, newlines and backslashes as \ and three octal digits. */
static void decode(char *text)
{
  char *out = text;
  while (*text) {
    if (*text == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
      *out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
      text += 4;
    } else {
      *out++ = *text++;
    }
  }
  *out = 0;
}

static void forget(remotes *m, const char *path)
{
  for (size_t i = 0; i < m->count; i++)
    if (!strcmp(m->all[i].path, path)) {
      free(m->all[i].path);
      free(m->all[i].type);
      m->all[i] = m->all[--m->count];
      return;
    }
}

/* proc_pid_mountinfo(5): id parent major:minor root path options [tags] - type source options. The last of one path counts. */
static bool take(remotes *m, char *line)
{
  unsigned major, minor;
  int path = 0, end = 0;
  char *type = strstr(line, " - "), *rest;
  remote *larger;
  if (!type || sscanf(line, "%*d %*d %u:%u %*s %n%*s%n", &major, &minor, &path, &end) < 2 || !end)
    return true;
  type += 3;
  rest = strchr(type, ' ');
  if (rest)
    *rest = 0;
  line[end] = 0;
  decode(line + path);
  forget(m, line + path);
  if (!may_hang(type))
    return true;
  larger = realloc(m->all, (m->count + 1) * sizeof *larger);
  if (!larger)
    return false;
  m->all = larger;
  m->all[m->count] = (remote){ .path = strdup(line + path), .type = strdup(type), .dev = makedev(major, minor) };
  m->count++;
  return m->all[m->count - 1].path && m->all[m->count - 1].type;
}

bool remotes_read(remotes *m)
{
  FILE *list = fopen("/proc/self/mountinfo", "re");
  char *line = NULL;
  size_t cap = 0;
  bool good = true;
  *m = (remotes){ 0 };
  while (list && good && getline(&line, &cap, list) > 0)
    good = take(m, line);
  free(line);
  if (list)
    fclose(list);
  return good;
}

const remote *remotes_at(const remotes *m, const char *path)
{
  for (size_t i = 0; i < m->count; i++)
    if (!strcmp(m->all[i].path, path))
      return &m->all[i];
  return NULL;
}

bool remotes_reach_below(const remotes *m, const char *directory, size_t len)
{
  for (size_t i = 0; i < m->count; i++)
    if (!strncmp(m->all[i].path, directory, len))
      return true;
  return false;
}

void remotes_free(remotes *m)
{
  for (size_t i = 0; i < m->count; i++) {
    free(m->all[i].path);
    free(m->all[i].type);
  }
  free(m->all);
  *m = (remotes){ 0 };
}
