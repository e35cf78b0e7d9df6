/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "acl.h"
#include "bplugin_sdk.h"
#include "speak.h"

#define STEP_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define STEPS_OPEN 128u /* descriptors of one way, at most; an eighth of what the process may have */
#define LINKS_FOLLOWED 40
#define PRIVATE_MODE 0700

/* ---- paths --------------------------------------------------------------------------------------------------------------- */

static bool reserve(char **buf, size_t *cap, size_t need)
{
  size_t size = *cap ? *cap : 4096;
  char *larger;
  while (size < need)
    size *= 2;
  if (size == *cap)
    return true;
  larger = realloc(*buf, size);
  if (!larger)
    return false;
  *buf = larger;
  *cap = size;
  return true;
}

/* `path` as "/a/b", without empty and "." parts, into out (strlen(path) + 2 bytes); false for ".." or a relative one. */
static bool plain(char *out, size_t *out_len, const char *path)
{
  size_t n = 0;
  if (*path != '/')
    return false;
  while (*path) {
    const char *end;
    size_t len;
    while (*path == '/')
      path++;
    end = strchrnul(path, '/');
    len = (size_t)(end - path);
    if (len == 2 && path[0] == '.' && path[1] == '.')
      return false;
    if (len && !(len == 1 && path[0] == '.')) {
      out[n++] = '/';
      memcpy(out + n, path, len);
      n += len;
    }
    path = end;
  }
  out[n] = 0;
  *out_len = n;
  return true;
}

/* ---- one step ------------------------------------------------------------------------------------------------------------ */

static void proc_name(char *out, size_t cap, int fd)
{
  snprintf(out, cap, "/proc/self/fd/%d", fd);
}

static bool gives_acl(int fd)
{
  char proc[32];
  proc_name(proc, sizeof proc, fd);
  return getxattr(proc, ACL_DEFAULT_NAME, NULL, 0) > 0;
}

void place_disinherit(int path_fd, bool directory)
{
  char proc[32];
  proc_name(proc, sizeof proc, path_fd);
  (void)removexattr(proc, ACL_ACCESS_NAME);
  if (directory)
    (void)removexattr(proc, ACL_DEFAULT_NAME);
}

bool place_made_link(place *p, const struct stat *st)
{
  return !p->as_saved || inodes_add(&p->links, st); /* none is followed anyway, below `where` */
}

/* The target of a link that may be followed, into target[PATH_MAX]; false: it may not, or is no link. */
static bool trusted_link(const place *p, int fd, const char *name, char *target)
{
  int link = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  ssize_t n = -1;
  struct stat st;
  if (link < 0)
    return false;
  if (fstat(link, &st) == 0 && S_ISLNK(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid()) && !inodes_has(&p->links, &st))
    n = readlinkat(link, "", target, PATH_MAX - 1);
  close(link);
  if (n <= 0)
    return false;
  target[n] = 0;
  return true;
}

/* The directory that a trusted link in `fd` leads to, every link on the way being trusted too. -1: errno. */
static int follow(place *p, int fd, const char *name, unsigned *budget)
{
  char target[PATH_MAX], part[NAME_MAX + 1];
  const char *at = target;
  int here;
  if (!(*budget)--) {
    errno = ELOOP;
    return -1;
  }
  if (!trusted_link(p, fd, name, target)) {
    errno = ELOOP;
    return -1;
  }
  here = *at == '/' ? open("/", STEP_FLAGS) : openat(fd, ".", STEP_FLAGS);
  while (here >= 0 && *at) {
    const char *end;
    size_t len;
    int next, number;
    while (*at == '/')
      at++;
    end = strchrnul(at, '/');
    len = (size_t)(end - at);
    if (!len)
      break;
    if (len > NAME_MAX) {
      close(here);
      errno = ENAMETOOLONG;
      return -1;
    }
    memcpy(part, at, len);
    part[len] = 0;
    at = end;
    next = openat(here, part, STEP_FLAGS);
    if (next < 0 && errno == ENOTDIR)
      next = follow(p, here, part, budget);
    number = errno;
    close(here);
    errno = number;
    here = next;
  }
  return here;
}

bool place_follows(place *p, int fd, const char *name)
{
  unsigned budget = LINKS_FOLLOWED;
  int there = p->as_saved ? follow(p, fd, name, &budget) : -1;
  if (there >= 0)
    close(there);
  return there >= 0;
}

/* Opens, and if allowed makes, `name` in `fd`. -1: errno, ELOOP for a link that is not followed. */
static int open_step(place *p, const place_step *from, const char *name, bool make, bool *made)
{
  *made = false;
  for (int tries = 0; tries < 8; tries++) { /* somebody may make and remove it beside us */
    int fd = openat(from->fd, name, STEP_FLAGS);
    struct stat st;
    if (fd >= 0) {
      if (*made && from->gives_acl)
        place_disinherit(fd, true);
      return fd;
    }
    if (errno == ENOTDIR) {
      unsigned budget = LINKS_FOLLOWED;
      if (fstatat(from->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        continue;
      if (S_ISLNK(st.st_mode) && p->as_saved)
        return follow(p, from->fd, name, &budget);
      if (make && p->clears && !S_ISLNK(st.st_mode) && unlinkat(from->fd, name, 0) == 0)
        continue;
      errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
      return -1;
    }
    if (errno != ENOENT || !make)
      return -1;
    if (mkdirat(from->fd, name, PRIVATE_MODE) == 0)
      *made = true;
    else if (errno != EEXIST)
      return -1;
  }
  return -1;
}

/* ---- the way ---------------------------------------------------------------------------------------------------------------- */

static place_step *last(place *p)
{
  return p->n_steps ? &p->steps[p->n_steps - 1] : &p->top;
}

/* Leaves the last step. Its own entry, should it be the one that is wanted now, will say what it is to be. */
static void pop(place *p, bool *wanted_made)
{
  place_step *step = last(p);
  if (step->made && wanted_made && step->end == p->wanted_len && !memcmp(p->way, p->wanted, step->end))
    *wanted_made = true;
  else if (step->made)
    p->made(p->made_for, p->way, step->end);
  if (step->fd >= 0)
    close(step->fd);
  p->n_steps--;
  if (p->n_closed > p->n_steps)
    p->n_closed = p->n_steps;
  p->way_len = p->n_steps ? last(p)->end : 0;
}

void place_flush(place *p)
{
  while (p->n_steps)
    pop(p, NULL);
}

/* Cuts the way back to where it agrees with wanted[0..len). */
static void back_to_common(place *p, size_t len, bool *wanted_made)
{
  size_t same = 0, most = p->way_len < len ? p->way_len : len;
  while (same < most && p->way[same] == p->wanted[same])
    same++;
  while (p->n_steps) {
    size_t end = last(p)->end;
    if (end <= same && (end == len || p->wanted[end] == '/'))
      break;
    pop(p, wanted_made);
  }
  if (p->n_steps && last(p)->fd < 0) /* it gave its descriptor up: from the root again */
    while (p->n_steps)
      pop(p, wanted_made);
}

static bool push(place *p, int fd, size_t end, bool made)
{
  if (p->n_steps == p->cap_steps) {
    size_t cap = p->cap_steps ? p->cap_steps * 2 : 64;
    place_step *steps = realloc(p->steps, cap * sizeof *steps);
    if (!steps)
      return false;
    p->steps = steps;
    p->cap_steps = cap;
  }
  if (p->n_steps - p->n_closed >= p->most_open) {
    close(p->steps[p->n_closed].fd);
    p->steps[p->n_closed++].fd = -1;
  }
  p->steps[p->n_steps++] = (place_step){ .fd = fd, .end = end, .made = made, .gives_acl = gives_acl(fd) };
  return true;
}

/* Goes to wanted[0..len). False: errno, and *stopped is the length of the path up to the step that failed. */
static bool go(place *p, size_t len, bool make, bool *wanted_made, size_t *stopped)
{
  back_to_common(p, len, wanted_made);
  if (!reserve(&p->way, &p->cap_way, len + 1))
    return false;
  while (p->way_len < len) {
    size_t start = p->way_len + 1, end = start;
    char name[NAME_MAX + 1];
    bool made;
    int fd;
    while (end < len && p->wanted[end] != '/')
      end++;
    *stopped = end;
    if (end - start > NAME_MAX) {
      errno = ENAMETOOLONG;
      return false;
    }
    memcpy(name, p->wanted + start, end - start);
    name[end - start] = 0;
    fd = open_step(p, last(p), name, make, &made);
    if (fd < 0)
      return false;
    memcpy(p->way + p->way_len, p->wanted + p->way_len, end - p->way_len);
    if (!push(p, fd, end, made)) {
      close(fd);
      errno = ENOMEM;
      return false;
    }
    p->way_len = end;
  }
  return true;
}

static bp_status stopped_at(place *p, size_t stopped)
{
  int number = errno;
  shown text;
  const char *what = number == ELOOP     ? "a symbolic link is in the way, and is not followed:"
                     : number == ENOTDIR ? "something that is no directory is in the way:"
                                         : "make directory";
  show(&text, p->wanted, stopped);
  return bp_fail_errno(p->host, number == ELOOP || number == ENOTDIR ? BP_E_ENTRY : bp_status_of_errno(number), number,
                       "%s %s%s", what, p->root, text.text);
}

bp_status place_find(place *p, const char *dest, bool make, spot *out)
{
  size_t len = strlen(dest), stopped = 0, parent;
  bool whole, made = false;
  shown text;
  if (!reserve(&p->wanted, &p->cap_wanted, len + 2))
    return BP_E_NOMEM;
  whole = plain(p->wanted, &p->wanted_len, dest);
  if (!whole || p->wanted_len < p->root_len || memcmp(p->wanted, p->root, p->root_len)
      || (p->wanted[p->root_len] && p->wanted[p->root_len] != '/'))
    return bp_failf(p->host, BP_E_INVAL, BP_OS_NONE, 0, "%s is not below %s", show(&text, dest, len),
                    p->as_saved ? "/, or has a part .." : p->root);
  p->wanted_len -= p->root_len;
  memmove(p->wanted, p->wanted + p->root_len, p->wanted_len + 1);
  for (parent = p->wanted_len; parent && p->wanted[parent - 1] != '/'; parent--)
    ;
  parent = parent ? parent - 1 : 0;
  if (!go(p, parent, make, &made, &stopped))
    return stopped_at(p, stopped);
  *out = (spot){ .fd = last(p)->fd, .name = p->wanted + parent + (p->wanted_len > parent), .gives_acl = last(p)->gives_acl,
                 .made = made, .path = p->wanted, .path_len = p->wanted_len };
  return BP_OK;
}

int place_directory(place *p, const char *path, size_t len)
{
  size_t stopped;
  if (!reserve(&p->wanted, &p->cap_wanted, len + 1)) {
    errno = ENOMEM;
    return -1;
  }
  memmove(p->wanted, path, len); /* path may be p->wanted itself */
  p->wanted[len] = 0;
  p->wanted_len = len;
  return go(p, len, false, NULL, &stopped) ? last(p)->fd : -1;
}

/* ---- begin, end --------------------------------------------------------------------------------------------------------------- */

/* `where`, made if need be, with ordinary rules for links. -1: errno; `refused`: how far it goes could not be made. */
static int open_where(const char *where, size_t *refused)
{
  int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char *at = where;
  while (fd >= 0 && *at) {
    const char *end = strchrnul(at + 1, '/');
    char name[NAME_MAX + 1];
    size_t len = (size_t)(end - at) - 1;
    int next = -1, number = ENAMETOOLONG, made = 0;
    if (len <= NAME_MAX) {
      memcpy(name, at + 1, len);
      name[len] = 0;
      made = mkdirat(fd, name, 0755) ? errno : 0;
      if (!made || made == EEXIST || made == EROFS || made == EACCES)
        next = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
      number = errno == ENOENT && made != EEXIST ? made : errno; /* it is not there, and this is why */
    }
    if (next < 0)
      *refused = (size_t)(end - where);
    close(fd);
    errno = number;
    fd = next;
    at = end;
  }
  return fd;
}

bp_status place_begin(place *p, const bp_host_api *host, const char *where,
                      void (*made)(void *, const char *path, size_t len), void *made_for)
{
  long files = sysconf(_SC_OPEN_MAX);
  size_t refused = 0;
  shown text;
  *p = (place){ .host = host, .made = made, .made_for = made_for, .top = { .fd = -1 }, .most_open = STEPS_OPEN };
  if (files > 0 && files / 8 < (long)STEPS_OPEN)
    p->most_open = (size_t)files / 8 + 1;
  if (!where)
    where = "";
  p->root = malloc(strlen(where) + 2);
  if (!p->root)
    return BP_E_NOMEM;
  if (!plain(p->root, &p->root_len, *where ? where : "/")) {
    bp_status status = bp_failf(host, BP_E_INVAL, BP_OS_NONE, 0,
                                "where = %s: give an absolute path without a part ..", show(&text, where, strlen(where)));
    place_end(p);
    return status;
  }
  p->as_saved = !p->root_len;
  p->top.fd = open_where(p->root, &refused);
  if (p->top.fd < 0) {
    bp_status status = bp_fail_errno(host, BP_E_FAIL, errno, "cannot make directory %s", show(&text, p->root, refused));
    place_end(p);
    return status;
  }
  p->top.gives_acl = gives_acl(p->top.fd);
  return BP_OK;
}

void place_end(place *p)
{
  while (p->n_steps) {
    place_step *step = last(p);
    if (step->fd >= 0)
      close(step->fd);
    p->n_steps--;
  }
  if (p->top.fd >= 0)
    close(p->top.fd);
  free(p->root);
  free(p->steps);
  free(p->way);
  free(p->wanted);
  inodes_free(&p->links);
  *p = (place){ .top = { .fd = -1 } };
}
