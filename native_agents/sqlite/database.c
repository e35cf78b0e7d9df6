/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "database.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

enum { PAGES_A_STEP = 256, MAX_RESTARTS = 3, OPCODES_A_LOOK = 20000, JUST_MADE_S = 60 };

#define COPY_NAME "/filed-sqlite-"

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Somebody else holds a lock. Zero gives up. */
static int wait_for_lock(void *data, int times)
{
  databases *all = data;
  struct timespec nap = { 0, 20 * 1000 * 1000 };
  if (!times)
    all->waited_from_ms = now_ms();
  if (bp_cancelled(all->host) || now_ms() - all->waited_from_ms > (int64_t)all->wait_s * 1000)
    return 0;
  bp_beat(all->host);
  (void)nanosleep(&nap, NULL);
  return 1;
}

/* Non-zero interrupts a statement. */
static int look_up(void *data)
{
  databases *all = data;
  bp_beat(all->host);
  return bp_cancelled(all->host);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static int failed(const databases *all, sqlite3 *db, int code, char *why)
{
  const char *said = db ? all->sqlite->errmsg(db) : all->sqlite->errstr(code);
  (void)snprintf(why, BP_TEXT_MAX, "%s", code == SQLITE_NOTADB ? "it is no SQLite database, or an encrypted one" : said);
  return 0;
}

/* NULL with the reason. Its schema is not trusted: whoever could write the file does not give this process orders. */
static sqlite3 *connect(databases *all, const char *path, int flags, char *why)
{
  const sqlite_library *sqlite = all->sqlite;
  sqlite3 *db = NULL;
  int code = sqlite->open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
  if (code == SQLITE_OK) {
    (void)sqlite->busy_handler(db, wait_for_lock, all);
    sqlite->progress_handler(db, OPCODES_A_LOOK, look_up, all);
    code = sqlite->exec(db, "PRAGMA trusted_schema = OFF; PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL);
  }
  if (code == SQLITE_OK)
    return db;
  (void)failed(all, db, code, why);
  (void)sqlite->close_v2(db);
  return NULL;
}

/* For reading, with the guard up until leave_source(). SQLite follows a link that stands for a journal, or takes it for none. */
static sqlite3 *connect_source(databases *all, guard *guard, char *why)
{
  static const char *const files[] = { "", "-journal", "-wal", "-shm" };
  char name[PATH_MAX + sizeof "-journal"];
  struct stat about;
  for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
    (void)snprintf(name, sizeof name, "%s%s", guard->path, files[i]);
    if (lstat(name, &about) == 0 && !S_ISREG(about.st_mode)) {
      (void)snprintf(why, BP_TEXT_MAX, "%s is no ordinary file", strrchr(name, '/') + 1);
      return NULL;
    }
  }
  guard_raise(all->sqlite, guard);
  sqlite3 *db = connect(all, guard->path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, why);
  if (db && !guard->opened)
    guard->refused = "this process has it open already";
  return db;
}

/* What the guard has refused is the reason, whatever SQLite made of it. */
static void leave_source(databases *all, const guard *guard, sqlite3 *db, char *why)
{
  (void)all->sqlite->close_v2(db);
  guard_lower(all->sqlite);
  if (guard->refused)
    (void)snprintf(why, BP_TEXT_MAX, "%s", guard->refused);
}

/* The first value of a statement's first row; False with the reason. */
static int ask(databases *all, sqlite3 *db, const char *sql, char *answer, size_t cap, char *why, int *code)
{
  sqlite3_stmt *statement = NULL;
  *code = all->sqlite->prepare_v2(db, sql, -1, &statement, NULL);
  if (*code == SQLITE_OK)
    *code = all->sqlite->step(statement);
  int found = *code == SQLITE_ROW;
  if (found) {
    const unsigned char *text = all->sqlite->column_text(statement, 0);
    (void)snprintf(answer, cap, "%s", text ? (const char *)text : "");
  } else
    (void)failed(all, db, *code, why);
  (void)all->sqlite->finalize(statement);
  return found;
}

uint64_t database_size(databases *all, const char *path, int object, char *why)
{
  char pages[32] = "0", bytes[32] = "0";
  guard guard = { .path = path, .object = object };
  int code;
  sqlite3 *db = connect_source(all, &guard, why);
  int good = db && ask(all, db, "PRAGMA page_count", pages, sizeof pages, why, &code)
             && ask(all, db, "PRAGMA page_size", bytes, sizeof bytes, why, &code);
  uint64_t size = good ? strtoull(pages, NULL, 10) * strtoull(bytes, NULL, 10) : 0;
  if (good && !size)
    (void)snprintf(why, BP_TEXT_MAX, "it is empty");
  leave_source(all, &guard, db, why);
  return guard.refused ? 0 : size;
}

/* ---- copy and check ---------------------------------------------------------------------------------------------- */

static int sound(databases *all, sqlite3 *db, int quick, char *why)
{
  char answer[512];
  int code;
  if (!ask(all, db, quick ? "PRAGMA quick_check(1)" : "PRAGMA integrity_check(1)", answer, sizeof answer, why, &code)) {
    if (code != SQLITE_ERROR)
      return 0;
    /* Its schema needs a function or a module of its application: that is no damage. */
    (void)bp_logf(all->host, BP_MSG_INFO, "a database could not be checked: %s", why);
    return 1;
  }
  if (strcmp(answer, "ok"))
    (void)snprintf(why, BP_TEXT_MAX, "it is corrupt: %s", answer);
  return !strcmp(answer, "ok");
}

int database_check(databases *all, int descriptor, int quick, char *why)
{
  char uri[64]; /* nobody else has the file: no lock is taken, and no log made beside it */
  (void)snprintf(uri, sizeof uri, "file:/proc/self/fd/%d?immutable=1", descriptor);
  sqlite3 *db = connect(all, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, why);
  int good = db && sound(all, db, quick, why);
  (void)all->sqlite->close_v2(db);
  return good;
}

/* All pages as of one moment. With a log (WAL) that moment is held, and no writer waits. Without one, others may write between
 * two steps, and the copy begins again; after a few times they have to wait. */
static int copy_pages(databases *all, sqlite3 *from, sqlite3 *to, char *why)
{
  const sqlite_library *sqlite = all->sqlite;
  static const char hold[] = "BEGIN; SELECT count(*) FROM sqlite_schema";
  char mode[16];
  int left = INT_MAX, restarts = 0, code;
  if (!ask(all, from, "PRAGMA journal_mode", mode, sizeof mode, why, &code))
    return 0;
  if (!strcmp(mode, "wal") && (code = sqlite->exec(from, hold, NULL, NULL, NULL)) != SQLITE_OK)
    return failed(all, from, code, why);
  sqlite3_backup *backup = sqlite->backup_init(to, "main", from, "main");
  if (!backup)
    return failed(all, to, SQLITE_ERROR, why);
  while ((code = sqlite->backup_step(backup, PAGES_A_STEP)) == SQLITE_OK && !bp_cancelled(all->host)) {
    bp_beat(all->host);
    if (sqlite->backup_remaining(backup) > left && ++restarts == MAX_RESTARTS)
      (void)sqlite->exec(from, hold, NULL, NULL, NULL);
    left = sqlite->backup_remaining(backup);
  }
  (void)sqlite->backup_finish(backup);
  return code == SQLITE_DONE ? 1 : failed(all, NULL, code, why);
}

int database_copy(databases *all, const char *path, int object, char *why)
{
  char name[PATH_MAX];
  guard guard = { .path = path, .object = object };
  int good = 0;
  (void)snprintf(name, sizeof name, "%s" COPY_NAME "XXXXXX", all->scratch);
  int copy = mkostemp(name, O_CLOEXEC);
  if (copy < 0) {
    (void)snprintf(why, BP_TEXT_MAX, "no copy can be made in %s: %s", all->scratch, strerror(errno));
    return -1;
  }
  (void)flock(copy, LOCK_EX | LOCK_NB); /* in use: database_sweep looks for it */
  sqlite3 *from = connect_source(all, &guard, why);
  sqlite3 *to = from ? connect(all, name, SQLITE_OPEN_READWRITE, why) : NULL;
  if (to) {
    (void)all->sqlite->exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    good = copy_pages(all, from, to, why);
  }
  (void)all->sqlite->close_v2(to);
  leave_source(all, &guard, from, why);
  good = good && !guard.refused && database_check(all, copy, 1, why);
  (void)unlink(name);
  if (good)
    return copy;
  close(copy);
  return -1;
}

void database_sweep(const char *scratch)
{
  char pattern[PATH_MAX];
  glob_t found;
  (void)snprintf(pattern, sizeof pattern, "%s" COPY_NAME "??????", scratch);
  if (glob(pattern, 0, NULL, &found) != 0)
    return;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    struct stat about;
    int left = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (left >= 0 && fstat(left, &about) == 0 && about.st_uid == geteuid() && time(NULL) - about.st_mtime > JUST_MADE_S
        && flock(left, LOCK_EX | LOCK_NB) == 0)
      (void)unlink(found.gl_pathv[i]);
    if (left >= 0)
      close(left);
  }
  globfree(&found);
}
