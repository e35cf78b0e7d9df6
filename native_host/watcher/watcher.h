/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher of the change journal: notes which names of a file system were touched, so that a Job looks at those alone.
 *
 *   holder   owns the fanotify descriptor, and with it the kernel's queue of events; restarts the reader; does nothing else
 *   reader   takes events off the queue, coalesces them, and stores them in one SQLite file
 *
 * Both share one page of memory. A reader may die anywhere: what it had not taken off the queue is still there. What it had taken
 * off and not stored is lost, and `in_flight` says so to the next one, which records a gap. When the holder dies the queue is
 * gone; the next watcher begins a new store with a new identity, which whoever used the old one takes for a gap.
 */
#ifndef WATCHER_H
#define WATCHER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCHED_MAX 64u
#define WHY_BYTES 160u

/* One file system that is watched, by the mark on it. */
typedef struct watched {
  char     path[4096]; /* as given: a directory on it */
  uint64_t fsid;       /* as events name it */
  dev_t    dev;        /* of the path, as stat(2) has it */
  uint32_t sdev;       /* of the mark, as the kernel lists it: on btrfs another one */
  bool     root;       /* the path is where it is mounted: when it is not, nothing is there to mark */
  bool     marked;
} watched;

typedef struct shared {
  volatile uint32_t in_flight; /* events were taken off the queue and are not stored yet */
  uint32_t n_watched;
  watched  fs[WATCHED_MAX];
  char     boot[40], uuid[40]; /* this store's identity: new with each holder */
  int64_t  started;            /* epoch seconds */
} shared;

/* Lines for the log, on stderr. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- marks.c ---- */

/* Marks the file system that holds `path`. false: said why. */
bool mark_path(int fanotify, shared *page, const char *path);

/* After a change of the mount table: calls `lost` for each mark that is gone, marks again what has come back. */
void check_marks(int fanotify, shared *page, void (*lost)(void *ctx, uint32_t fs, const char *why), void *ctx);

/* ---- reader.c ---- */

/* Reads and stores until killed. Returns an exit code only when it cannot go on. holder: gets SIGUSR1 when the store can be read. */
int reader(int fanotify, shared *page, const char *store, pid_t holder);

#endif
