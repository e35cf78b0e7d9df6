/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One backup: a walk that lists (walk.c), then small things of what the host wants (fetch.c), then large data (stream.c).
 * The three share what was listed: a slot per entry of the last page says which directory holds which name.
 */
#ifndef FILESYSTEM_BACKUP_H
#define FILESYSTEM_BACKUP_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "bplugin.h"
#include "dirs.h"
#include "fileset.h"
#include "remote.h"
#include "journal.h"

/* A longer path is left out and told: 16 times what one call of the kernel takes. */
#define PATH_BYTES_MAX (64u * 1024)

/*
 * A file of size 0 may have content anyway, as those in /proc have: it is read, and no more of it than this. Those of /sys say a
 * page, whatever they have: a size of that kind is taken for 0.
 */
#define UNSIZED_MOST (64u << 20)

/* Files that fetch leaves open for their data, at most; an eighth of what the process may have open. */
#define HELD_MOST 64u

/* The kernel's longest list of attribute names, and its longest value. */
#define BACKUP_SCRATCH_BYTES (2u * 64 * 1024)

typedef struct slot {
  dir     *at;          /* where `name` is; for a directory that was listed from inside: itself */
  uint64_t path;        /* offset into slots_text, NUL at the end */
  uint32_t path_len, name; /* name: offset into the path of the last component; at the path's end: `at` itself */
  uint32_t mode, nlink, flags;
  uint32_t uid, gid;
  bool     nominal;     /* its size means nothing: 0 is what we say */
  bool     unseen;      /* a mount point that is not looked at, as that may hang */
  int      ahead;       /* opened before its turn, while the disk reads it; -1: not */
  int      held;        /* a file whose attributes fetch gave and whose data is still to be read: opened then; -1: not */
  uint64_t turn;        /* in which it was held last; opened.c */
  uint64_t dev, ino, size, options;
  bp_time  atime, mtime, chtime;
} slot;

typedef struct listing listing;   /* one directory being read; walk.c */

typedef struct stream {
  slot    *of;
  int      fd;               /* -1: none is open */
  bool     fifo, unsized, holes, ended, shrunk, heard, uncache;
  uint64_t at, limit, data_end; /* next byte; where it ends; where the known stretch of data ends */
} stream;

typedef struct backup {
  const bp_host_api *host;
  int      wake;             /* readable once cancel() was called */
  dirs     dirs;
  fileset  set;
  remotes  remotes;
  journal *journal;          /* NULL: this Job does without */

  /* the walk */
  listing *now;              /* innermost directory being listed */
  uint32_t next_item, depth;
  uint32_t names_held;       /* bytes of sorted names, of all listings */
  char    *path;             /* of `now`, PATH_BYTES_MAX + some room */
  uint32_t path_len;
  uint64_t sockets, vanished;
  struct { uint64_t dev; uint32_t type; bool known; } fs_types[16];
  uint32_t next_fs_type;

  /* what the last page listed */
  slot    *slots;
  uint32_t n_slots, cap_slots;
  uint64_t first_cookie;
  char    *slots_text;
  uint64_t text_used, text_cap;

  uint32_t ahead_most;       /* files open before their turn */
  uint32_t ahead_credit;     /* how many more are opened so; fetch.c */
  uint32_t holding[HELD_MOST], held_most; /* which slot was held in a turn: held_most turns later it gives way */
  uint64_t turn;
  stream   stream;
  uint8_t *scratch;          /* BACKUP_SCRATCH_BYTES: names and values of extended attributes */
} backup;

bp_status backup_begin(backup **out, const bp_host_api *host, int wake, const bp_begin *how, journal_use use,
                       const char *journal_directory);
void backup_end(backup *b);

bp_status backup_next_entries(backup *b, bp_batch *batch);                                       /* walk.c */
bp_status backup_fetch(backup *b, const bp_want *wants, uint32_t count, bp_batch *batch);        /* fetch.c */
bp_status backup_open(backup *b, uint64_t cookie, uint32_t number, uint64_t offset, uint64_t *size); /* stream.c */
bp_status backup_read(backup *b, void *buf, uint64_t cap, bp_chunk *chunk);
bp_status backup_close(backup *b, bp_status how);

/* ---- shared by the three, in entry.c ---- */

/* NULL: no such entry in the last page. */
slot *backup_slot(backup *b, uint64_t cookie);
const char *slot_path(const backup *b, const slot *s);
const char *slot_name(const backup *b, const slot *s); /* "" when `at` is meant */

/* What statx said, as an entry; type 0 for a socket. Times, sizes and numbers, no flags, no streams. */
void entry_from_stat(bp_entry *entry, const struct statx *st);

/* The same of one that was listed. */
void entry_from_stat_again(bp_entry *entry, const struct statx *st, const slot *s);

/* A file that the kernel writes when it is read; fs_type has to be known. */
bool has_nominal_size(const bp_entry *entry);

/* A mount point of which no more is known. */
bp_entry entry_unseen(uint64_t cookie, uint32_t flags);

/* Which streams such an entry can have. */
uint64_t entry_streams(const bp_entry *entry);

/* Remembers what later questions are checked against. */
void slot_remember(slot *s, const bp_entry *entry);

#define STAT_MASK (STATX_BASIC_STATS | STATX_BTIME)

#endif
