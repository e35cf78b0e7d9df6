/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void place_init(place *place, const bp_host_api *host, const char *where)
{
  memset(place, 0, sizeof *place);
  place->host = host;
  place->where = strdup(where ? where : "");
  place->directory = -1;
}

static void let_go(place *place)
{
  if (place->directory < 0)
    return;
  if (place->temporary[0])
    (void)unlinkat(place->directory, place->temporary, 0);
  close(place->directory);
  place->directory = -1;
}

void place_leave(place *place)
{
  let_go(place);
  free(place->where);
  place->where = NULL;
}

static void make_all(char *path)
{
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    (void)mkdir(path, 0755);
    *slash = '/';
  }
  (void)mkdir(path, 0755);
}

/* The directory of `dest`, made where it is not there. What leads to `where` may hold links, what is below it not. */
static bp_status enter(place *place, const char *dest)
{
  size_t trusted = place->where && !strncmp(dest, place->where, strlen(place->where)) ? strlen(place->where) : 0;
  char part[PATH_MAX];
  int at;
  (void)snprintf(part, sizeof part, "%.*s", (int)trusted, dest);
  if (trusted)
    make_all(part);
  at = open(trusted ? part : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (dest += trusted; at >= 0 && strchr(dest + 1, '/'); dest += 1 + strcspn(dest + 1, "/")) {
    (void)snprintf(part, sizeof part, "%.*s", (int)strcspn(dest + 1, "/"), dest + 1);
    (void)mkdirat(at, part, 0755);
    int next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int why = errno;
    close(at);
    errno = why;
    at = next;
  }
  if (at < 0)
    return bp_fail_errno(place->host, BP_E_ACCESS, errno, "the directory %s on the way (a symbolic link is not followed)", part);
  if (strlen(dest + 1) >= sizeof place->name - sizeof ".corrupt") {
    close(at);
    return bp_fail(place->host, BP_E_ENTRY, BP_OS_NONE, 0, "its name is too long");
  }
  place->directory = at;
  (void)snprintf(place->name, sizeof place->name, "%s", dest + 1);
  return BP_OK;
}

static int stays(const place *place, const bp_entry *entry, uint32_t replace)
{
  struct stat there;
  if (fstatat(place->directory, place->name, &there, AT_SYMLINK_NOFOLLOW) != 0)
    return 0;
  return replace == BP_REPLACE_NEVER || (replace == BP_REPLACE_IFNEWER && entry->mtime.sec <= there.st_mtime)
         || (replace == BP_REPLACE_IFOLDER && entry->mtime.sec >= there.st_mtime);
}

bp_status place_begin(place *place, const char *dest, const bp_entry *entry, uint32_t replace, uint32_t *action, int *file)
{
  static unsigned count;
  place->temporary[0] = 0;
  bp_status status = enter(place, dest);
  if (status != BP_OK)
    return status;
  if (stays(place, entry, replace)) {
    let_go(place);
    *action = BP_ACTION_SKIP;
    return BP_OK;
  }
  (void)snprintf(place->temporary, sizeof place->temporary, ".filed-%ld-%u.tmp", (long)getpid(), count++);
  *file = openat(place->directory, place->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (*file < 0) {
    status = bp_fail_errno(place->host, bp_status_of_errno(errno), errno, "making a file beside it");
    place->temporary[0] = 0;
    let_go(place);
    return status;
  }
  *action = BP_ACTION_WANT;
  return BP_OK;
}

bp_status place_finish(place *place, int file, const bp_entry *entry, int good)
{
  static const char *const logs[] = { "-wal", "-shm", "-journal" };
  char other[300];
  struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { entry->mtime.sec, (long)entry->mtime.nsec } };
  int owner = fchown(file, entry->uid, entry->gid); /* first: it takes set-id bits away */
  int failed = fchmod(file, entry->mode & (owner == 0 ? 07777u : 0777u)) != 0 || futimens(file, times) != 0 || fsync(file) != 0;
  for (unsigned i = 0; good && !failed && i < sizeof logs / sizeof logs[0]; i++) {
    (void)snprintf(other, sizeof other, "%s%s", place->name, logs[i]);
    (void)unlinkat(place->directory, other, 0); /* of the old one: SQLite would play it into the new one */
  }
  (void)snprintf(other, sizeof other, "%s%s", place->name, good ? "" : ".corrupt");
  failed = failed || renameat(place->directory, place->temporary, place->directory, other) != 0;
  bp_status status = failed ? bp_fail_errno(place->host, BP_E_IO, errno, "putting it into its place") : BP_OK;
  if (!failed)
    place->temporary[0] = 0;
  if (!failed && owner != 0 && geteuid() == 0)
    (void)bp_logf(place->host, BP_MSG_WARNING, "%s: its owner cannot be set", place->name);
  let_go(place);
  return status;
}
