/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "../sqlite/library.h"
#include "bplugin_sdk.h"

#define BUSY_MS 10000
#define BARRIER_MS 30000
#define POLL_MS 1
#define FORGOTTEN_S (40 * 86400) /* a FileSet that was not saved for so long does not keep events */
#define HANDLE_BYTES 128u

struct events {
  const bp_host_api *host;
  sqlite_library sql;
  sqlite3 *db;
  char     identity[40];
  uint64_t barrier; /* 0: not yet */
};

static bool failed(events *e, char *why, const char *what)
{
  snprintf(why, WHY_MAX, "%s: %s", what, e->sql.errmsg(e->db));
  return false;
}

/* Anyone who can lock the file knows that no watcher runs. */
static bool is_running(const char *directory)
{
  char path[4096];
  bool running;
  int fd;
  snprintf(path, sizeof path, "%s/watcher.lock", directory);
  fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return false;
  running = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
  close(fd);
  return running;
}

static sqlite3_stmt *prepare(events *e, const char *sql)
{
  sqlite3_stmt *statement = NULL;
  return e->sql.prepare_v2(e->db, sql, -1, &statement, NULL) == SQLITE_OK ? statement : NULL;
}

/* The first column of the first row; false: there is none, or it failed. */
static bool ask(events *e, const char *sql, uint64_t *number)
{
  sqlite3_stmt *statement = prepare(e, sql);
  bool found = statement && e->sql.step(statement) == SQLITE_ROW;
  if (found)
    *number = (uint64_t)e->sql.column_int64(statement, 0);
  e->sql.finalize(statement);
  return found;
}

static bool read_identity(events *e)
{
  sqlite3_stmt *statement = prepare(e, "SELECT value FROM about WHERE name = 'identity'");
  bool found = statement && e->sql.step(statement) == SQLITE_ROW;
  if (found)
    snprintf(e->identity, sizeof e->identity, "%s", (const char *)e->sql.column_text(statement, 0));
  e->sql.finalize(statement);
  return found && e->identity[0];
}

events *events_open(const bp_host_api *host, const char *directory, char why[WHY_MAX])
{
  events *e = calloc(1, sizeof *e);
  char path[4096], name[128] = "";
  const char *wrong;
  FILE *current;
  if (!e) {
    snprintf(why, WHY_MAX, "no memory");
    return NULL;
  }
  e->host = host;
  snprintf(path, sizeof path, "%s/current", directory);
  if (!is_running(directory)) {
    snprintf(why, WHY_MAX, "no watcher is running");
  } else if ((wrong = sqlite_load(&e->sql))) {
    snprintf(why, WHY_MAX, "SQLite's library: %s", wrong);
  } else if (!(current = fopen(path, "re"))) {
    snprintf(why, WHY_MAX, "the watcher's store cannot be found: %s", strerror(errno));
  } else {
    bool good = fgets(name, sizeof name, current) != NULL;
    fclose(current);
    name[strcspn(name, "\n")] = 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    good = good && name[0] && !strchr(name, '/')
           && e->sql.open_v2(path, &e->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL) == SQLITE_OK
           && e->sql.busy_timeout(e->db, BUSY_MS) == SQLITE_OK && read_identity(e);
    if (good)
      return e;
    snprintf(why, WHY_MAX, "the watcher's store cannot be read: %s", e->db ? e->sql.errmsg(e->db) : "no name");
  }
  events_close(e);
  return NULL;
}

void events_close(events *e)
{
  if (e->db)
    e->sql.close_v2(e->db);
  free(e);
}

const char *events_identity(const events *e)
{
  return e->identity;
}

/* The watcher's number of the file system that `fd` is on; -1: it is not watched. */
static int64_t number_of_fs(events *e, int fd, uint64_t *gap, char *gap_why, uint32_t cap)
{
  sqlite3_stmt *find = prepare(e, "SELECT id, gap, why FROM fs WHERE fsid = ?1 AND dev = ?2 AND marked");
  struct statfs fs;
  struct stat st;
  int64_t id = -1, fsid;
  if (!find || fstatfs(fd, &fs) || fstat(fd, &st)) {
    e->sql.finalize(find);
    return -1;
  }
  memcpy(&fsid, &fs.f_fsid, sizeof fsid);
  e->sql.bind_int64(find, 1, fsid);
  e->sql.bind_int64(find, 2, (int64_t)st.st_dev);
  if (e->sql.step(find) == SQLITE_ROW) {
    id = e->sql.column_int64(find, 0);
    *gap = (uint64_t)e->sql.column_int64(find, 1);
    snprintf(gap_why, cap, "%s", (const char *)e->sql.column_text(find, 2));
  }
  e->sql.finalize(find);
  return id;
}

static const char not_watched[] = "its file system is not watched";

bool events_cover(events *e, int fd, uint64_t since, char why[WHY_MAX])
{
  char gap_why[160];
  uint64_t gap = 0, pruned = 0;
  if (number_of_fs(e, fd, &gap, gap_why, sizeof gap_why) < 0) {
    snprintf(why, WHY_MAX, not_watched);
    return false;
  }
  if (since < gap) {
    snprintf(why, WHY_MAX, "events may be missing: %s", gap_why);
    return false;
  }
  if (ask(e, "SELECT value FROM about WHERE name = 'pruned'", &pruned) && since < pruned) {
    snprintf(why, WHY_MAX, "events since the last look have been deleted");
    return false;
  }
  return true;
}

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A file's handle as the store has it; 0: it has none. */
static uint32_t handle_of(int fd, uint8_t *out)
{
  union { struct file_handle head; uint8_t room[sizeof(struct file_handle) + HANDLE_BYTES]; } h = { .head.handle_bytes = HANDLE_BYTES };
  int mount, type;
  if (name_to_handle_at(fd, "", &h.head, &mount, AT_EMPTY_PATH))
    return 0;
  type = h.head.handle_type;
  memcpy(out, &type, sizeof type);
  memcpy(out + sizeof type, h.head.f_handle, h.head.handle_bytes);
  return (uint32_t)sizeof type + h.head.handle_bytes;
}

bool events_barrier(events *e, int fd, uint64_t *number, char why[WHY_MAX])
{
  sqlite3_stmt *find = NULL;
  struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
  uint8_t handle[sizeof(int) + HANDLE_BYTES];
  int64_t until = now_ms() + BARRIER_MS;
  char gap_why[160];
  uint64_t gap;
  uint32_t len;
  int file;
  if (number_of_fs(e, fd, &gap, gap_why, sizeof gap_why) < 0) {
    snprintf(why, WHY_MAX, not_watched);
    return false;
  }
  if (e->barrier) {
    *number = e->barrier;
    return true;
  }
  file = openat(fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0 || !(len = handle_of(file, handle)) || fchmod(file, 0400)) {
    snprintf(why, WHY_MAX, "cannot ask the watcher, by a file without a name: %s", strerror(errno));
    if (file >= 0)
      close(file);
    return false;
  }
  snprintf(why, WHY_MAX, "the watcher does not answer");
  find = prepare(e, "SELECT number FROM object WHERE handle = ?1");
  while (find && !bp_cancelled(e->host) && now_ms() < until) {
    int code;
    e->sql.bind_blob(find, 1, handle, (int)len, NULL);
    code = e->sql.step(find);
    if (code == SQLITE_ROW)
      e->barrier = *number = (uint64_t)e->sql.column_int64(find, 0);
    e->sql.reset(find);
    if (code == SQLITE_ROW)
      break;
    if (code != SQLITE_DONE) {
      (void)failed(e, why, "the watcher's store cannot be read");
      break;
    }
    bp_beat(e->host);
    nanosleep(&pause, NULL);
  }
  e->sql.finalize(find);
  close(file);
  if (e->barrier)
    why[0] = 0;
  return e->barrier != 0;
}

void events_go_on(events *e)
{
  e->barrier = 0;
}

/* The inode that a handle stands for. 1; 0: it is gone; -1: it cannot be looked up. */
static int stat_handle(int mount, const void *key, uint32_t len, struct stat *st)
{
  union { struct file_handle head; uint8_t room[sizeof(struct file_handle) + HANDLE_BYTES]; } h;
  int fd, type, good;
  if (len <= sizeof type || len - sizeof type > HANDLE_BYTES)
    return -1;
  memcpy(&type, key, sizeof type);
  h.head.handle_type = type;
  h.head.handle_bytes = len - (uint32_t)sizeof type;
  memcpy(h.head.f_handle, (const uint8_t *)key + sizeof type, h.head.handle_bytes);
  fd = open_by_handle_at(mount, &h.head, O_PATH | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return errno == ESTALE || errno == ENOENT ? 0 : -1;
  good = fstat(fd, st);
  close(fd);
  return good ? -1 : 1;
}

/* One row: a name in a directory, or a file. What is gone has left its traces in the directory above it. */
static bool want_row(int mount, sqlite_library *sql, sqlite3_stmt *row, bool object, state *s, bool whole, char *why)
{
  struct stat st;
  int there = stat_handle(mount, sql->column_blob(row, 0), (uint32_t)sql->column_bytes(row, 0), &st);
  bool good = true;
  if (there < 0) {
    snprintf(why, WHY_MAX, "cannot look at what was touched, by its handle: %s", strerror(errno));
    return false;
  }
  if (!there)
    return true;
  if (object)
    good = state_want_file(s, st.st_ino, st.st_dev, false);
  else
    good = state_want_name(s, st.st_ino, st.st_dev, sql->column_blob(row, 1), (uint32_t)sql->column_bytes(row, 1), whole);
  if (!good)
    snprintf(why, WHY_MAX, "%s", state_error(s));
  return good;
}

bool events_want(events *e, int fd, uint64_t since, state *s, bool whole, char why[WHY_MAX])
{
  static const char *const queries[] = { "SELECT dir, name FROM dirty WHERE fs = ?1 AND number > ?2",
                                         "SELECT handle FROM object WHERE fs = ?1 AND number > ?2" };
  char gap_why[160];
  uint64_t gap;
  int64_t fs = number_of_fs(e, fd, &gap, gap_why, sizeof gap_why);
  bool good = fs >= 0;
  for (unsigned i = 0; good && i < 2; i++) {
    sqlite3_stmt *rows = prepare(e, queries[i]);
    int code = SQLITE_ERROR;
    if (rows) {
      e->sql.bind_int64(rows, 1, fs);
      e->sql.bind_int64(rows, 2, (int64_t)since);
    }
    while (good && rows && (code = e->sql.step(rows)) == SQLITE_ROW) {
      bp_beat(e->host);
      good = want_row(fd, &e->sql, rows, i == 1, s, whole, why);
    }
    if (good && code != SQLITE_DONE)
      good = failed(e, why, "the watcher's store cannot be read");
    e->sql.finalize(rows);
  }
  return good;
}

void events_done(events *e, const char *identity, uint64_t number)
{
  char sql[1024];
  snprintf(sql, sizeof sql,
           "BEGIN IMMEDIATE;"
           "INSERT OR REPLACE INTO reader VALUES ('%s', %llu, %lld);"
           "DELETE FROM reader WHERE at < %lld;"
           "INSERT OR REPLACE INTO about SELECT 'pruned', min(number) FROM reader;"
           "DELETE FROM dirty WHERE number <= (SELECT min(number) FROM reader);"
           "DELETE FROM object WHERE number <= (SELECT min(number) FROM reader);"
           "COMMIT",
           identity, (unsigned long long)number, (long long)time(NULL), (long long)time(NULL) - FORGOTTEN_S);
  if (e->sql.exec(e->db, sql, NULL, NULL, NULL) != SQLITE_OK) /* then the next Job does it */
    bp_logf(e->host, BP_MSG_WARNING, "journal: cannot delete events that were seen: %s", e->sql.errmsg(e->db));
}
