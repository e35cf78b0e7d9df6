/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is there? Each File line is walked in the order of its directories, contents first, a directory's own entry after
 * them. Nothing is looked up by a whole path; no link is followed below the directory that a File line stands in.
 *
 * Each path is listed once: one that is a File line itself is left to that line, also when it lies below another.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backup.h"
#include "bplugin_sdk.h"
#include "names.h"
#include "speak.h"

#define NAMES_BYTES (32u * 1024) /* one getdents64: some hundred names */
#define NAMES_KEPT 256u          /* listings deeper than this give up their buffer while one below is read */
#define LINK_MAX_BYTES PATH_MAX
#define FILES_MOST 1024          /* of the descriptors a process may have, we plan with so many */

/* Stat flags: what stands there itself, and no mount of something that is not mounted yet. */
#define LOOK (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)

struct listing {
  listing *up;
  dir     *d;
  bool     in_order;         /* `sorted` is used; else `names`: so little is left for the sorting that names come as the kernel has them */
  names    sorted;
  char    *names;            /* what getdents64 gave; NULL: given up */
  uint32_t next, end;        /* in names */
  bool     complete;         /* the kernel has no more */
  bool     wanted, failed;   /* its own entry: the verdict, and whether all of it was seen */
  bool     items_below;      /* a File line names something in here */
  bool     remotes_below;    /* a mount that may hang is in here */
  bool     directed;         /* by the journal: `names` is not used, `last` is the name it gave last */
  char     last[NAME_MAX + 1]; /* of names in order, too */
  uint64_t identity;         /* for the journal */
  uint32_t path_before;      /* length of the path without this directory */
  uint32_t generation;       /* of d, when names was filled */
  int64_t  position;         /* behind the last name that was used */
  fileset_include *include;
  bp_entry entry;            /* its own */
};

static const char *path_shown(backup *b, shown *text)
{
  return show(text, b->path_len ? b->path : "/", b->path_len ? b->path_len : 1);
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static void forget_page(backup *b)
{
  for (uint32_t i = 0; i < b->n_slots; i++) {
    if (b->slots[i].ahead >= 0)
      close(b->slots[i].ahead);
    if (b->slots[i].held >= 0)
      close(b->slots[i].held);
    dirs_drop(&b->dirs, b->slots[i].at);
  }
  b->first_cookie += b->n_slots;
  b->n_slots = 0;
  b->text_used = 0;
}

/* Is there room for whatever comes next? Asked before anything is looked at or told twice. */
static bool has_room(const backup *b, const bp_page *page)
{
  return page->batch->count < page->batch->max_entries
         && bp_page_room(page, 1) > (uint64_t)b->path_len + 1 + NAME_MAX + 1 + LINK_MAX_BYTES + sizeof(bp_entry);
}

static bp_status remember(backup *b, dir *at, uint32_t name, const bp_entry *entry)
{
  slot *s;
  if (b->n_slots == b->cap_slots) {
    uint32_t cap = b->cap_slots ? b->cap_slots * 2 : 256;
    slot *slots = realloc(b->slots, cap * sizeof *slots);
    if (!slots)
      return BP_E_NOMEM;
    b->slots = slots;
    b->cap_slots = cap;
  }
  if (b->text_cap - b->text_used <= b->path_len) {
    uint64_t cap = (b->text_cap + b->path_len) * 2;
    char *text = realloc(b->slots_text, cap);
    if (!text)
      return BP_E_NOMEM;
    b->slots_text = text;
    b->text_cap = cap;
  }
  s = &b->slots[b->n_slots++];
  *s = (slot){ .at = dirs_keep(at), .ahead = -1, .held = -1, .path = b->text_used, .path_len = b->path_len, .name = name };
  slot_remember(s, entry);
  s->nominal = has_nominal_size(entry);
  memcpy(b->slots_text + b->text_used, b->path, b->path_len);
  b->slots_text[b->text_used + b->path_len] = 0;
  b->text_used += b->path_len + 1;
  return BP_OK;
}

/* The entry whose path stands in b->path; `name`: where its last component starts there, its length: `at` itself. */
static bp_status add(backup *b, bp_page *page, dir *at, uint32_t name, bp_entry *entry, const char *link,
                     uint32_t link_len)
{
  int32_t status;
  if (b->journal) {
    bool entered = b->now && b->now->d == at && name == b->path_len, listed;
    status = journal_entry(b->journal, b->path, b->path_len, entry, entered, entered ? b->now->identity : 0, &listed);
    if (status != BP_OK || !listed)
      return status;
  }
  entry->cookie = b->first_cookie + b->n_slots;
  entry->streams = entry->flags & BP_ENTRY_FAILED ? 0 : entry_streams(entry);
  if (entry->streams & BP_STREAM_BIT(BP_STREAM_DATA) && entry->type == BP_TYPE_REGULAR)
    entry->flags |= BP_ENTRY_REREAD;
  status = bp_page_add(page, entry, b->path_len ? b->path : "/", b->path_len ? b->path_len : 1, link, link_len);
  if (status != BP_OK) /* has_room() has seen to that */
    return status < 0 ? status : BP_E_FAIL;
  return remember(b, at, name, entry);
}

/* It is there, and cannot be saved: told, and listed so that what the base has of it stays. */
static bp_status add_failed(backup *b, bp_page *page, dir *at, uint32_t name, bp_entry *entry, const char *what,
                            int number)
{
  shown text;
  bp_logf(b->host, BP_MSG_WARNING, "Cannot %s %s: %s", what, path_shown(b, &text), strerror(number));
  entry->flags |= BP_ENTRY_FAILED;
  return add(b, page, at, name, entry, NULL, 0);
}

/* ---- directories ---------------------------------------------------------------------------------------------------- */

/* The type of the file system that `name` in `at` is on; false: not to be had. */
static bool fs_type(backup *b, dir *at, const char *name, uint64_t dev, uint32_t *type)
{
  struct statfs fs;
  int parent, fd;
  for (unsigned i = 0; i < sizeof b->fs_types / sizeof *b->fs_types; i++)
    if (b->fs_types[i].known && b->fs_types[i].dev == dev) {
      *type = b->fs_types[i].type;
      return true;
    }
  parent = dirs_fd(&b->dirs, at);
  fd = parent < 0 ? -1 : openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstatfs(fd, &fs)) {
    if (fd >= 0)
      close(fd);
    return false;
  }
  close(fd);
  *type = (uint32_t)fs.f_type;
  b->fs_types[b->next_fs_type].dev = dev;
  b->fs_types[b->next_fs_type].type = *type;
  b->fs_types[b->next_fs_type].known = true;
  b->next_fs_type = (b->next_fs_type + 1) % (sizeof b->fs_types / sizeof *b->fs_types);
  return true;
}

/* Of bford.info/cachedir: a file of this name alone says nothing. */
static bool is_cache_tag(int directory, const char *path)
{
  static const char signature[] = "Signature: 8a477f597d28d172789f06886806bc55";
  char found[sizeof signature - 1];
  int fd = openat(directory, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return false;
  bool is = read(fd, found, sizeof found) == (ssize_t)sizeof found && !memcmp(found, signature, sizeof found);
  close(fd);
  return is;
}

static bool has_marker(backup *b, dir *at, const char *name, const fileset_include *include)
{
  struct stat st;
  for (uint32_t i = 0; i < include->n_markers; i++) {
    char inside[NAME_MAX + 1 + PATH_MAX];
    int fd = dirs_fd(&b->dirs, at);
    int n = snprintf(inside, sizeof inside, "%s/%s", name, include->markers[i]);
    if (fd >= 0 && n < (int)sizeof inside && fstatat(fd, inside, &st, AT_NO_AUTOMOUNT) == 0 &&
        (strcmp(include->markers[i], "CACHEDIR.TAG") || is_cache_tag(fd, inside)))
      return true;
  }
  return false;
}

/* A bind mount may show a directory inside itself. Only the root of a mount can be one, where the kernel tells. */
static bool inside_itself(const backup *b, const struct statx *st, const bp_entry *entry)
{
  if ((st->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && !(st->stx_attributes & STATX_ATTR_MOUNT_ROOT))
    return false;
  for (const listing *l = b->now; l; l = l->up)
    if (l->entry.ino == entry->ino && l->entry.dev == entry->dev)
      return true;
  return false;
}

static bp_status enter(backup *b, dir *d, const bp_entry *entry, bool wanted, uint32_t path_before,
                       fileset_include *include)
{
  listing *l = malloc(sizeof *l);
  if (!l)
    return BP_E_NOMEM;
  if (b->now && b->depth > NAMES_KEPT) {
    free(b->now->names);
    b->now->names = NULL;
    b->now->next = b->now->end = 0;
    b->now->generation = 0;
  }
  *l = (listing){ .up = b->now, .d = d, .wanted = wanted, .path_before = path_before, .generation = d->generation,
                  .in_order = b->names_held / 2 + NAMES_LEAST <= NAMES_MOST / 2, .include = include, .entry = *entry };
  l->sorted.more = true;
  b->path[b->path_len] = '/';
  l->items_below = fileset_reaches_below(&b->set, b->path, b->path_len + 1);
  l->remotes_below = remotes_reach_below(&b->remotes, b->path, b->path_len + 1);
  if (b->journal) {
    l->identity = journal_identity(dirs_fd(&b->dirs, d));
    l->directed = journal_directs(b->journal, b->path, b->path_len, entry, l->identity, !l->up, l->up && l->up->directed);
  }
  b->now = l;
  b->depth++;
  return BP_OK;
}

static void forget_names(backup *b, listing *l)
{
  b->names_held -= names_bytes(&l->sorted);
  names_free(&l->sorted);
  free(l->names);
}

/* Everything below is listed: now the directory itself, and back to the one above. */
static bp_status leave(backup *b, bp_page *page)
{
  listing *l = b->now;
  bp_status status = BP_OK;
  if (l->failed)
    l->entry.flags |= BP_ENTRY_FAILED;
  if (l->wanted || l->failed)
    status = add(b, page, l->d, b->path_len, &l->entry, NULL, 0);
  else if (b->journal)
    status = journal_passed(b->journal, b->path, b->path_len, &l->entry, true, l->identity);
  if (status == BP_OK && b->journal && !l->directed && (!l->up || l->up->directed))
    status = journal_looked(b->journal, b->path, b->path_len);
  if (l->up)
    (void)dirs_fd(&b->dirs, l->up->d); /* while this one is open, ".." leads there */
  b->now = l->up;
  b->depth--;
  b->path_len = l->path_before;
  dirs_drop(&b->dirs, l->d);
  forget_names(b, l);
  free(l);
  return status;
}

/* A directory that was met: asks the host, lists it or enters it. `st` is what was seen of it. */
static bp_status directory(backup *b, bp_page *page, dir *at, uint32_t name, struct statx *st, bp_entry *entry,
                           fileset_include *include, uint32_t path_before, bool *entered)
{
  for (unsigned tries = 0;; tries++) {
    uint32_t flags = entry->flags, verdict;
    const char *component = b->path_len == name ? "." : b->path + name;
    bp_status status;
    dir *d;
    b->path[b->path_len] = 0;
    if (b->now && b->now->entry.dev == entry->dev && (b->now->entry.valid & BP_HAS_FSTYPE)) {
      entry->fs_type = b->now->entry.fs_type;
      entry->valid |= BP_HAS_FSTYPE;
    } else if (fs_type(b, at, component, entry->dev, &entry->fs_type)) {
      entry->valid |= BP_HAS_FSTYPE;
    }
    status = bp_match(b->host, b->path_len ? b->path : "/", b->path_len ? b->path_len : 1, entry, &verdict);
    if (status != BP_OK)
      return status;
    if (verdict == BP_VERDICT_SKIP)
      return BP_OK;
    if (has_marker(b, at, component, include))
      return b->journal ? journal_passed(b->journal, b->path, b->path_len, entry, false, 0) : BP_OK;
    if (verdict == BP_VERDICT_PRUNE)
      return add(b, page, at, name, entry, NULL, 0);
    if (inside_itself(b, st, entry)) {
      shown text;
      bp_logf(b->host, BP_MSG_INFO, "%s is a mount of a directory above it; what is in it is not saved twice",
              path_shown(b, &text));
      return verdict == BP_VERDICT_TAKE ? add(b, page, at, name, entry, NULL, 0) : BP_OK;
    }
    d = dirs_open(&b->dirs, at, component, st);
    if (d) {
      status = enter(b, d, entry, verdict == BP_VERDICT_TAKE, path_before, include);
      *entered = status == BP_OK;
      if (status != BP_OK)
        dirs_drop(&b->dirs, d);
      return status;
    }
    if (errno == ENOMEM)
      return BP_E_NOMEM;
    if (errno == ESTALE && tries < 3) { /* replaced, or mounted by our coming: look again */
      int fd = dirs_fd(&b->dirs, at);
      if (fd >= 0 && !statx(fd, component, AT_SYMLINK_NOFOLLOW, STAT_MASK, st) && S_ISDIR(st->stx_mode)) {
        entry_from_stat(entry, st);
        entry->flags = flags;
        continue;
      }
      errno = ENOENT;
    }
    if ((errno == ENOENT || errno == ENOTDIR || errno == ELOOP) && !(flags & BP_ENTRY_TOP)) {
      b->vanished++;
      return BP_OK;
    }
    return add_failed(b, page, at, name, entry, "read directory", errno);
  }
}

/* ---- entries -------------------------------------------------------------------------------------------------------- */

static uint32_t type_of_dirent(unsigned char type)
{
  return type == DT_DIR ? BP_TYPE_DIRECTORY
         : type == DT_LNK ? BP_TYPE_SYMLINK
         : type == DT_FIFO ? BP_TYPE_FIFO
         : type == DT_CHR ? BP_TYPE_CHARDEV
         : type == DT_BLK ? BP_TYPE_BLOCKDEV
                          : BP_TYPE_REGULAR;
}

/*
 * Looks at what b->path names, `name` being where its last component starts, found in `at`. *entered: it is a directory and
 * is the innermost listing now, its path stays; else the caller takes the component away again.
 */
static bp_status look(backup *b, bp_page *page, dir *at, uint32_t name, uint32_t flags, unsigned char hint,
                      fileset_include *include, uint32_t path_before, bool *entered)
{
  char link[LINK_MAX_BYTES];
  const char *component = b->path_len == name ? "." : b->path + name;
  int fd = dirs_fd(&b->dirs, at);
  struct statx st;
  bp_entry entry;
  ssize_t n = 0;
  b->path[b->path_len] = 0;
  if (fd < 0 || statx(fd, component, LOOK, STAT_MASK, &st)) {
    if (errno == ENOENT && !(flags & BP_ENTRY_TOP)) {
      b->vanished++;
      return BP_OK;
    }
    entry = (bp_entry){ .type = type_of_dirent(hint), .flags = flags };
    return add_failed(b, page, at, name, &entry, "look at", errno);
  }
  entry_from_stat(&entry, &st);
  entry.flags = flags;
  if (entry.type == BP_TYPE_DIRECTORY)
    return directory(b, page, at, name, &st, &entry, include, path_before, entered);
  if (!entry.type) {
    b->sockets++;
    return BP_OK;
  }
  if (b->now && b->now->entry.dev == entry.dev) {
    entry.fs_type = b->now->entry.fs_type;
    entry.valid |= b->now->entry.valid & BP_HAS_FSTYPE;
  } else if (entry.type == BP_TYPE_REGULAR && entry.size && !entry.blocks
             && fs_type(b, at, component, entry.dev, &entry.fs_type)) {
    entry.valid |= BP_HAS_FSTYPE;
  }
  if (has_nominal_size(&entry))
    entry.size = 0;
  if (entry.type == BP_TYPE_SYMLINK) {
    n = readlinkat(fd, component, link, sizeof link);
    if (n < 0 && (errno == ENOENT || errno == EINVAL)) {
      b->vanished++;
      return BP_OK;
    }
    if (n < 0)
      return add_failed(b, page, at, name, &entry, "read symbolic link", errno);
  }
  return add(b, page, at, name, &entry, link, (uint32_t)n);
}

static void cannot_read_all(backup *b, int number)
{
  shown text;
  b->now->complete = true;
  if (number == ENOENT) /* removed while it was read, so it has no more */
    return;
  bp_logf(b->host, BP_MSG_WARNING, "Cannot read all of directory %s: %s", path_shown(b, &text), strerror(number));
  b->now->failed = true;
}

/* One piece of the innermost directory, from where its descriptor stands. Its bytes, 0 behind the last; -1: errno. */
static long read_names(backup *b, int fd, char *names)
{
  bp_beat(b->host);
  return fd < 0 ? -1 : syscall(SYS_getdents64, fd, names, NAMES_BYTES);
}

static bool is_itself_or_above(const char *name)
{
  return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Adds one piece of the innermost directory to a reading. As `read_names`. */
static long read_piece(backup *b, int fd, char *piece)
{
  long n;
  if (!piece) {
    errno = ENOMEM;
    return -1;
  }
  n = read_names(b, fd, piece);
  for (long at = 0; at < n;) {
    const struct dirent64 *entry = (const struct dirent64 *)(piece + at);
    at += entry->d_reclen;
    if (!is_itself_or_above(entry->d_name) && !names_add(&b->now->sorted, entry, (NAMES_MOST - b->names_held) / 2)) {
      errno = ENOMEM;
      return -1;
    }
  }
  return n;
}

/* A reading of the innermost directory for the names behind those it gave. Of one that cannot be read to its end, what was found counts. */
static void read_in_order(backup *b)
{
  names *sorted = &b->now->sorted;
  char *piece = malloc(NAMES_BYTES);
  int fd = dirs_fd(&b->dirs, b->now->d), number;
  long n = fd < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -1 : 1;
  b->names_held -= names_bytes(sorted);
  names_begin(sorted);
  while (n > 0 && !bp_cancelled(b->host))
    n = read_piece(b, fd, piece);
  number = errno;
  free(piece);
  if (!names_end(sorted) && n >= 0) {
    number = ENOMEM;
    n = -1;
  }
  b->names_held += names_bytes(sorted);
  if (n < 0) {
    sorted->more = false;
    cannot_read_all(b, number);
  }
}

static const char *next_in_order(backup *b, unsigned char *type)
{
  listing *l = b->now;
  const char *name;
  while (!(name = names_next(&l->sorted, type, l->last)) && l->sorted.more)
    read_in_order(b);
  return name;
}

/* As the kernel gives them, in pieces. */
static const char *next_as_it_comes(backup *b, unsigned char *type)
{
  listing *l = b->now;
  for (;;) {
    long n = 0;
    int fd, number = ENOMEM;
    while (l->next < l->end) {
      const struct dirent64 *entry = (const struct dirent64 *)(l->names + l->next);
      l->next += entry->d_reclen;
      l->position = entry->d_off;
      if (is_itself_or_above(entry->d_name))
        continue;
      *type = entry->d_type;
      return entry->d_name;
    }
    if (l->complete)
      return NULL;
    if (!l->names && !(l->names = malloc(NAMES_BYTES)))
      n = -1;
    fd = n < 0 ? -1 : dirs_fd(&b->dirs, l->d);
    if (fd >= 0 && l->generation != l->d->generation) {
      n = lseek(fd, l->position, SEEK_SET) < 0 ? -1 : 0;
      l->generation = l->d->generation;
    }
    if (n == 0) {
      n = read_names(b, fd, l->names);
      number = errno;
    }
    l->next = 0;
    l->end = n > 0 ? (uint32_t)n : 0;
    if (n > 0)
      continue;
    l->complete = true;
    if (n < 0)
      cannot_read_all(b, number);
    return NULL;
  }
}

/* The next name of the innermost listing; NULL: no more, or l->failed and told. */
static const char *next_name(backup *b, unsigned char *type)
{
  listing *l = b->now;
  if (l->directed)
    return journal_next(b->journal, b->path, b->path_len, l->last) ? l->last : NULL;
  return l->in_order ? next_in_order(b, type) : next_as_it_comes(b, type);
}

/*
 * A mount that may hang, at b->path: the host is asked with what the kernel's list says. *wanted: it wants what is in there. Else
 * the mount point is saved, or not, without a look at it.
 */
static bp_status at_remote(backup *b, bp_page *page, dir *at, uint32_t name, const remote *m, bool *wanted)
{
  bp_entry entry = entry_unseen(0, 0);
  uint32_t verdict;
  shown text;
  bp_status status;
  entry.dev = m->dev;
  entry.valid |= BP_HAS_INO;
  status = bp_match(b->host, b->path, b->path_len, &entry, &verdict);
  *wanted = status == BP_OK && verdict != BP_VERDICT_SKIP && verdict != BP_VERDICT_PRUNE;
  if (*wanted) /* should it hang, this names it */
    bp_logf(b->host, BP_MSG_INFO, "Looking into %s, a mount of type %s", path_shown(b, &text), m->type);
  if (*wanted || status != BP_OK || verdict == BP_VERDICT_SKIP)
    return status;
  entry = entry_unseen(0, 0);
  status = add(b, page, at, name, &entry, NULL, 0);
  if (status == BP_OK)
    b->slots[b->n_slots - 1].unseen = true;
  return status;
}

/* One more name of the innermost listing. */
static bp_status advance(backup *b, bp_page *page)
{
  listing *l = b->now;
  uint32_t before = b->path_len;
  const char *name;
  unsigned char type = DT_UNKNOWN;
  bool entered = false, wanted = true;
  bp_status status;
  size_t len;
  name = next_name(b, &type);
  if (!name)
    return leave(b, page);
  len = strlen(name);
  if (before + 1 + len > PATH_BYTES_MAX) {
    shown text;
    bp_logf(b->host, BP_MSG_ERROR, "Not saved, its path is longer than %u bytes: %s in %s", PATH_BYTES_MAX,
            type == DT_DIR ? "a directory" : "a file", path_shown(b, &text));
    return BP_OK;
  }
  b->path[before] = '/';
  memcpy(b->path + before + 1, name, len + 1);
  b->path_len = before + 1 + (uint32_t)len;
  if (type == DT_SOCK) {
    b->sockets++;
    status = BP_OK;
  } else if (l->items_below && fileset_names(&b->set, b->path, b->path_len)) {
    status = BP_OK;
  } else {
    const remote *m = l->remotes_below ? remotes_at(&b->remotes, b->path) : NULL;
    status = m ? at_remote(b, page, l->d, before + 1, m, &wanted) : BP_OK;
    if (wanted && status == BP_OK)
      status = look(b, page, l->d, before + 1, 0, type, l->include, before, &entered);
    if (status == BP_OK && l->directed && !entered)
      status = journal_looked(b->journal, b->path, before + 1 + (uint32_t)len);
  }
  if (!entered)
    b->path_len = before;
  return status;
}

/* ---- File lines ------------------------------------------------------------------------------------------------------ */

/* The directory that an item names (`whole`), or the one that holds it; links on the way are followed. -1: errno. */
static int open_item(const fileset_item *item, bool whole)
{
  int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char *p = item->path;
  while (fd >= 0 && *p) {
    const char *end = strchrnul(p + 1, '/');
    char name[NAME_MAX + 1];
    size_t len = (size_t)(end - p) - 1;
    int next = -1, number = ENAMETOOLONG;
    if (!*end && !whole)
      break;
    if (len < sizeof name) {
      memcpy(name, p + 1, len);
      name[len] = 0;
      next = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
      number = errno;
    }
    close(fd);
    errno = number;
    fd = next;
    p = end;
  }
  return fd;
}

static bp_status start_item(backup *b, bp_page *page)
{
  const fileset_item *item = &b->set.items[b->next_item++];
  fileset_include *include = &b->set.includes[item->include];
  const char *slash = strrchr(item->path, '/');
  uint32_t name = slash ? (uint32_t)(slash - item->path) + 1 : 0; /* where its last component starts */
  bool entered = false;
  bp_status status;
  dir *at;
  int fd, number;
  if (item->len > PATH_BYTES_MAX) {
    shown text;
    bp_logf(b->host, BP_MSG_ERROR, "Not saved, its path is longer than %u bytes: %s", PATH_BYTES_MAX,
            show(&text, item->path, item->len));
    return BP_OK;
  }
  memcpy(b->path, item->path, item->len + 1);
  b->path_len = item->len;
  if (b->journal && !journal_item(b->journal, item->path, item->len)) {
    b->path_len = 0;
    return BP_OK;
  }
  fd = item->slash ? open_item(item, true) : -1;
  if (fd >= 0)
    name = b->path_len;
  else
    fd = open_item(item, false);
  number = errno;
  at = dirs_anchor(&b->dirs, fd);
  if (!at)
    return BP_E_NOMEM;
  if (fd < 0) {
    bp_entry entry = { .type = BP_TYPE_REGULAR, .flags = BP_ENTRY_TOP };
    status = add_failed(b, page, at, b->path_len, &entry, "look at", number);
  } else {
    status = look(b, page, at, name, BP_ENTRY_TOP, DT_UNKNOWN, include, 0, &entered);
  }
  dirs_drop(&b->dirs, at);
  if (status == BP_OK && !entered && b->journal)
    status = journal_looked(b->journal, item->path, item->len);
  if (!entered)
    b->path_len = 0;
  return status;
}

static void tell_counts(const backup *b)
{
  if (b->sockets)
    bp_logf(b->host, BP_MSG_DEBUG, "%llu sockets were left out", (unsigned long long)b->sockets);
  if (b->vanished)
    bp_logf(b->host, BP_MSG_DEBUG, "%llu entries vanished between being named and being looked at",
            (unsigned long long)b->vanished);
}

bp_status backup_next_entries(backup *b, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  if (status != BP_OK)
    return status;
  forget_page(b);
  bp_beat(b->host);
  for (;;) {
    if (bp_cancelled(b->host))
      return BP_E_CANCELLED;
    if (!has_room(b, &page))
      return batch->count ? BP_OK : BP_E_TOO_BIG;
    if (b->now) {
      status = advance(b, &page);
    } else if (b->next_item < b->set.n_items) {
      status = start_item(b, &page);
    } else {
      bool again = false, done = true, complete = true;
      if (b->journal && (status = journal_lines_done(b->journal, &again)) != BP_OK)
        return status;
      if (again) {
        b->next_item = 0;
        continue;
      }
      if (b->journal && (status = journal_finish(b->journal, &page, &done, &complete)) != BP_OK)
        return status;
      if (!done)
        return BP_OK;
      tell_counts(b);
      return bp_page_end(&page, complete);
    }
    if (status != BP_OK)
      return status;
  }
}

/* ---- begin, end -------------------------------------------------------------------------------------------------------- */

bp_status backup_begin(backup **out, const bp_host_api *host, int wake, const bp_begin *how, journal_use use,
                       const char *journal_directory)
{
  backup *b = calloc(1, sizeof *b);
  long files = sysconf(_SC_OPEN_MAX);
  bp_status status;
  *out = NULL;
  if (!b)
    return BP_E_NOMEM;
  b->host = host;
  b->wake = wake;
  b->first_cookie = 1;
  b->ahead_credit = 1;
  b->stream.fd = -1;
  files = files < 0 || files > FILES_MOST ? FILES_MOST : files;
  dirs_init(&b->dirs, (uint32_t)files / 4);
  b->ahead_most = (uint32_t)files / 8;
  b->held_most = files / 16 < HELD_MOST ? (uint32_t)files / 16 + 2 : HELD_MOST;
  b->path = malloc(PATH_BYTES_MAX + NAME_MAX + 2);
  b->scratch = malloc(BACKUP_SCRATCH_BYTES);
  status = b->path && b->scratch && remotes_read(&b->remotes) ? fileset_read(&b->set, host, how->fileset) : BP_E_NOMEM;
  if (status == BP_OK)
    status = journal_begin(&b->journal, host, how, &b->set, use, journal_directory);
  if (status != BP_OK) {
    backup_end(b);
    return status;
  }
  *out = b;
  return BP_OK;
}

void backup_end(backup *b)
{
  forget_page(b);
  while (b->now) {
    listing *l = b->now;
    b->now = l->up;
    dirs_drop(&b->dirs, l->d);
    forget_names(b, l);
    free(l);
  }
  if (b->stream.fd >= 0)
    close(b->stream.fd);
  journal_end(b->journal);
  fileset_free(&b->set);
  remotes_free(&b->remotes);
  free(b->slots);
  free(b->slots_text);
  free(b->path);
  free(b->scratch);
  free(b);
}
