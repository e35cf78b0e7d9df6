/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../sqlite/library.h"
#include "backup.h"
#include "bplugin_sdk.h"

#define BUSY_MS 10000
#define WAIT_MS 50
#define RACY_NS 20000000 /* before 6.13 a kernel's times have the grain of its tick, 10 ms at most */
#define FULLS_KEPT 3     /* a Job may build on the last Full, or on the one before when that did not count */
#define KEY_BYTES (PATH_BYTES_MAX + 256 + 2)

static const char schema[] =
  "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA cache_size = -16000; PRAGMA temp_store = FILE;"
  "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
  "CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, kind INTEGER, ino INTEGER, dev INTEGER,"
  "  mode INTEGER, uid INTEGER, gid INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER, nlink INTEGER, identity INTEGER);"
  "CREATE INDEX IF NOT EXISTS entry_ino ON entry (ino);"
  "CREATE TABLE IF NOT EXISTS changed (key BLOB, directory INTEGER, gone INTEGER, look INTEGER, PRIMARY KEY (key, directory)) WITHOUT ROWID;"
  "CREATE INDEX IF NOT EXISTS changed_look ON changed (look);"
  "CREATE TABLE IF NOT EXISTS again (key BLOB PRIMARY KEY) WITHOUT ROWID;"
  "CREATE TABLE IF NOT EXISTS root (key BLOB PRIMARY KEY, single INTEGER, mounts INTEGER) WITHOUT ROWID;"
  "CREATE TABLE IF NOT EXISTS look (number INTEGER PRIMARY KEY, whole INTEGER, job TEXT);" /* that a Job may build on */
  "CREATE TEMP TABLE wanted (key BLOB PRIMARY KEY, whole INTEGER) WITHOUT ROWID;"
  "CREATE TEMP TABLE linked (ino INTEGER, dev INTEGER, PRIMARY KEY (ino, dev)) WITHOUT ROWID;"
  "CREATE TEMP TABLE listed (key BLOB, directory INTEGER, PRIMARY KEY (key, directory)) WITHOUT ROWID;" /* of what is gone since the base */
  "CREATE TEMP TABLE looked (key BLOB PRIMARY KEY) WITHOUT ROWID;"
  "CREATE TEMP TABLE differs (key BLOB PRIMARY KEY) WITHOUT ROWID;" /* not as in the state, and not wanted */
  "CREATE TEMP TABLE fresh (key BLOB PRIMARY KEY) WITHOUT ROWID;"   /* directories that are not those of the state */
  "BEGIN IMMEDIATE;";

enum {
  FIND, INSERT, UPDATE, STAMP, AGAIN, WANT, WANTED, NEXT, DIFFERS, FRESH, IS_FRESH, EACH_DIFFERS, RANGE, LOOKED, RANGES, DELETE, LIST_GONE, GONE, OF_INO, ABOUT, SET_ABOUT, ROOT, NOTE_ROOT, HAS_LOOK, LOOK_OF, ADD_LOOK, LINKED,
  STATEMENTS
};

static const char *const texts[STATEMENTS] = {
  [FIND] = "SELECT id, kind, ino, dev, mode, uid, gid, size, mtime, ctime, nlink, identity FROM entry WHERE key = ?1",
  [INSERT] = "INSERT INTO entry VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
  [UPDATE] = "UPDATE entry SET kind = ?2, ino = ?3, dev = ?4, mode = ?5, uid = ?6, gid = ?7, size = ?8, mtime = ?9, ctime = ?10,"
             " nlink = ?11, identity = ?12 WHERE key = ?1",
  [STAMP] = "INSERT OR REPLACE INTO changed VALUES (?1, ?2, ?3, ?4)",
  [AGAIN] = "INSERT OR IGNORE INTO again VALUES (?1)",
  [WANT] = "INSERT INTO wanted VALUES (?1, ?2) ON CONFLICT DO UPDATE SET whole = max(whole, excluded.whole)",
  [WANTED] = "SELECT whole FROM wanted WHERE key = ?1",
  [NEXT] = "SELECT key FROM wanted WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1",
  [DIFFERS] = "INSERT OR IGNORE INTO differs VALUES (?1)",
  [FRESH] = "INSERT OR IGNORE INTO fresh VALUES (?1)",
  [IS_FRESH] = "SELECT 1 FROM fresh WHERE key = ?1",
  [EACH_DIFFERS] = "SELECT key FROM differs ORDER BY key",
  [RANGE] = "SELECT id, key, kind FROM entry WHERE key >= ?1 AND key < ?2 ORDER BY key",
  [LOOKED] = "INSERT OR IGNORE INTO looked VALUES (?1)",
  [RANGES] = "SELECT key FROM looked ORDER BY key",
  [DELETE] = "DELETE FROM entry WHERE id = ?1",
  [LIST_GONE] = "INSERT INTO listed SELECT key, directory FROM changed WHERE look > ?1 AND gone",
  [GONE] = "SELECT key, directory FROM listed WHERE (key, directory) > (?1, ?2) ORDER BY key, directory LIMIT 1",
  [OF_INO] = "SELECT key, dev, kind FROM entry WHERE ino = ?1",
  [ABOUT] = "SELECT value FROM about WHERE name = ?1",
  [SET_ABOUT] = "INSERT OR REPLACE INTO about VALUES (?1, ?2)",
  [ROOT] = "SELECT single, mounts FROM root WHERE key = ?1",
  [NOTE_ROOT] = "INSERT OR REPLACE INTO root VALUES (?1, ?2, ?3)",
  [LINKED] = "INSERT OR IGNORE INTO linked VALUES (?1, ?2)",
  [LOOK_OF] = "SELECT number FROM look WHERE job = ?1",
  [ADD_LOOK] = "INSERT INTO look VALUES (?1, ?2, ?3)",
  [HAS_LOOK] = "SELECT 1 FROM look WHERE number = ?1",
};

struct state {
  const bp_host_api *host;
  sqlite_library sql;
  sqlite3 *db;
  sqlite3_stmt *statements[STATEMENTS];
  char    *file;
  int      lock;
  char     identity[40];
  uint64_t look;
  bool     first;    /* nothing was seen before: nothing has changed since */
  bool     audits;
  int64_t  wanted;
  uint8_t *seen;     /* a bit for each row that was there before, by its id */
  uint64_t seen_bits;
  char     key[KEY_BYTES], low[KEY_BYTES], high[KEY_BYTES];
  char     gone[KEY_BYTES]; /* the last that state_next_gone gave */
  uint32_t gone_len;
  bool     gone_directory, gone_listed;
};

/* ---- keys ----------------------------------------------------------------------------------------------------------- */

static uint32_t key_of(char *key, const char *path, uint32_t len)
{
  for (uint32_t i = 0; i < len; i++)
    key[i] = path[i] == '/' ? 0 : path[i];
  return len;
}

static uint32_t path_of(char *path, const char *key, uint32_t len)
{
  for (uint32_t i = 0; i < len; i++)
    path[i] = key[i] ? key[i] : '/';
  return len;
}

/* ---- statements -------------------------------------------------------------------------------------------------------- */

static sqlite3_stmt *with_key(state *s, unsigned which, const char *key, uint32_t len)
{
  sqlite3_stmt *statement = s->statements[which];
  s->sql.bind_blob(statement, 1, key ? key : "", (int)len, NULL);
  return statement;
}

static sqlite3_stmt *with_path(state *s, unsigned which, const char *path, uint32_t len)
{
  return with_key(s, which, s->key, key_of(s->key, path, len));
}

/* To its end; false: it failed. */
static bool done(state *s, sqlite3_stmt *statement)
{
  int code = s->sql.step(statement);
  s->sql.reset(statement);
  return code == SQLITE_DONE;
}

static bool run(state *s, const char *sql)
{
  return s->sql.exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static uint64_t about(state *s, const char *name)
{
  sqlite3_stmt *ask = s->statements[ABOUT];
  uint64_t value = 0;
  s->sql.bind_text(ask, 1, name, -1, NULL);
  if (s->sql.step(ask) == SQLITE_ROW)
    value = (uint64_t)s->sql.column_int64(ask, 0);
  s->sql.reset(ask);
  return value;
}

static bool about_text(state *s, const char *name, char *out, uint32_t cap)
{
  sqlite3_stmt *ask = s->statements[ABOUT];
  const char *text = NULL;
  s->sql.bind_text(ask, 1, name, -1, NULL);
  if (s->sql.step(ask) == SQLITE_ROW)
    text = (const char *)s->sql.column_text(ask, 0);
  if (text)
    snprintf(out, cap, "%s", text);
  s->sql.reset(ask);
  return text != NULL;
}

static bool set_about(state *s, const char *name, uint64_t value)
{
  s->sql.bind_text(s->statements[SET_ABOUT], 1, name, -1, NULL);
  s->sql.bind_int64(s->statements[SET_ABOUT], 2, (int64_t)value);
  return done(s, s->statements[SET_ABOUT]);
}

static bool set_about_text(state *s, const char *name, const char *value)
{
  s->sql.bind_text(s->statements[SET_ABOUT], 1, name, -1, NULL);
  s->sql.bind_text(s->statements[SET_ABOUT], 2, value, -1, NULL);
  return done(s, s->statements[SET_ABOUT]);
}

/* ---- open, close -------------------------------------------------------------------------------------------------------- */

const char *state_error(state *s)
{
  return s->sql.errmsg(s->db);
}

static uint64_t digest(const char *text)
{
  uint64_t hash = 14695981039346656037u;
  for (; *text; text++)
    hash = (hash ^ (uint8_t)*text) * 1099511628211u;
  return hash;
}

/* One Job of a FileSet at a time. */
static bool take_lock(state *s, bool no_wait)
{
  char path[4096];
  struct timespec pause = { .tv_nsec = WAIT_MS * 1000000L };
  snprintf(path, sizeof path, "%s.lock", s->file);
  s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (s->lock < 0)
    return false;
  while (flock(s->lock, LOCK_EX | LOCK_NB)) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return false;
    if (no_wait || bp_cancelled(s->host)) {
      errno = EWOULDBLOCK;
      return false;
    }
    bp_beat(s->host);
    nanosleep(&pause, NULL);
  }
  return true;
}

static bool new_identity(state *s)
{
  uint8_t random[16];
  if (getrandom(random, sizeof random, 0) != sizeof random)
    return false;
  for (unsigned i = 0; i < sizeof random; i++)
    snprintf(s->identity + 2 * i, 3, "%02x", random[i]);
  return true;
}

static void disconnect(state *s)
{
  for (unsigned i = 0; i < STATEMENTS; i++) {
    s->sql.finalize(s->statements[i]);
    s->statements[i] = NULL;
  }
  s->sql.close_v2(s->db);
  s->db = NULL;
}

static bool connect(state *s, const char *fileset)
{
  sqlite3_stmt *most = NULL;
  struct timespec now;
  uint64_t last = 0;
  bool is_its;
  int fd = open(s->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); /* names of files are nobody else's business */
  if (fd >= 0)
    close(fd);
  if (s->sql.open_v2(s->file, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL)
        != SQLITE_OK
      || s->sql.busy_timeout(s->db, BUSY_MS) != SQLITE_OK || !run(s, schema))
    return false;
  for (unsigned i = 0; i < STATEMENTS; i++)
    if (s->sql.prepare_v2(s->db, texts[i], -1, &s->statements[i], NULL) != SQLITE_OK)
      return false;
  if (!about_text(s, "identity", s->identity, sizeof s->identity)) {
    if (!new_identity(s) || !set_about_text(s, "identity", s->identity) || !set_about_text(s, "fileset", fileset))
      return false;
  }
  /* two FileSets with one digest: the file of the other is no use */
  s->sql.bind_text(s->statements[ABOUT], 1, "fileset", -1, NULL);
  is_its = s->sql.step(s->statements[ABOUT]) == SQLITE_ROW
           && !strcmp((const char *)s->sql.column_text(s->statements[ABOUT], 0), fileset);
  s->sql.reset(s->statements[ABOUT]);
  if (!is_its)
    return false;
  if (s->sql.prepare_v2(s->db, "SELECT (SELECT max(id) FROM entry), (SELECT max(number) FROM look)", -1, &most, NULL) == SQLITE_OK
      && s->sql.step(most) == SQLITE_ROW) {
    s->seen_bits = (uint64_t)s->sql.column_int64(most, 0) + 1;
    last = (uint64_t)s->sql.column_int64(most, 1);
  }
  s->sql.finalize(most);
  /* the time, so that a file that comes back from an earlier day never gives out a number twice */
  clock_gettime(CLOCK_REALTIME, &now);
  s->look = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
  s->look = s->look > last ? s->look : last + 1;
  s->first = last == 0;
  free(s->seen);
  s->seen = s->seen_bits ? calloc(s->seen_bits / 8 + 1, 1) : NULL;
  return s->seen != NULL;
}

static void remove_file(const state *s)
{
  char path[4096];
  (void)unlink(s->file);
  snprintf(path, sizeof path, "%s-journal", s->file);
  (void)unlink(path);
}

/* Is it the file itself that is wrong, not the disk, or somebody who has it? */
static bool is_spoilt(state *s)
{
  int code = s->sql.errcode(s->db);
  return code == SQLITE_OK || code == SQLITE_ERROR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

state *state_open(const bp_host_api *host, const char *directory, const char *fileset, bool no_wait, char *why, uint32_t why_cap)
{
  state *s = calloc(1, sizeof *s);
  const char *wrong;
  why[0] = 0;
  if (!s || asprintf(&s->file, "%s/state-%016llx.sqlite", directory, (unsigned long long)digest(fileset)) < 0) {
    snprintf(why, why_cap, "no memory");
    free(s);
    return NULL;
  }
  s->host = host;
  s->lock = -1;
  if ((wrong = sqlite_load(&s->sql))) {
    snprintf(why, why_cap, "SQLite's library: %s", wrong);
  } else if ((mkdir(directory, 0700) && errno != EEXIST) || !take_lock(s, no_wait)) {
    if (errno != EWOULDBLOCK)
      snprintf(why, why_cap, "%s: %s", directory, strerror(errno));
  } else {
    bool good = connect(s, fileset);
    if (!good && is_spoilt(s)) {
      bp_logf(host, BP_MSG_WARNING, "journal: %s cannot be used (%s); it is begun again", s->file, state_error(s));
      disconnect(s);
      remove_file(s);
      s->identity[0] = 0;
      good = connect(s, fileset);
    }
    if (good)
      return s;
    snprintf(why, why_cap, "%s: %s", s->file, state_error(s));
    disconnect(s);
  }
  state_close(s, false);
  return NULL;
}

void state_close(state *s, bool broken)
{
  if (s->db)
    disconnect(s); /* an open transaction is rolled back */
  if (broken)
    remove_file(s);
  if (s->lock >= 0)
    close(s->lock);
  free(s->seen);
  free(s->file);
  free(s);
}

/* ---- what it knows -------------------------------------------------------------------------------------------------------- */

const char *state_identity(const state *s)
{
  return s->identity;
}

uint64_t state_look(const state *s)
{
  return s->look;
}

bool state_reaches(state *s, uint64_t look)
{
  sqlite3_stmt *ask = s->statements[HAS_LOOK];
  bool found;
  s->sql.bind_int64(ask, 1, (int64_t)look);
  found = s->sql.step(ask) == SQLITE_ROW;
  s->sql.reset(ask);
  return found;
}

bool state_look_of(state *s, const char *job, uint64_t *look)
{
  sqlite3_stmt *ask = s->statements[LOOK_OF];
  bool found;
  s->sql.bind_text(ask, 1, job, -1, NULL);
  found = job[0] && s->sql.step(ask) == SQLITE_ROW;
  if (found)
    *look = (uint64_t)s->sql.column_int64(ask, 0);
  s->sql.reset(ask);
  return found;
}

bool state_position(state *s, char *identity, uint64_t *number)
{
  *number = about(s, "position");
  return about_text(s, "events", identity, 40) && identity[0];
}

bool state_root(state *s, const char *path, uint32_t len, bool *single, uint64_t *mounts)
{
  sqlite3_stmt *ask = with_path(s, ROOT, path, len);
  bool found = s->sql.step(ask) == SQLITE_ROW;
  if (found) {
    *single = s->sql.column_int64(ask, 0) != 0;
    *mounts = (uint64_t)s->sql.column_int64(ask, 1);
  }
  s->sql.reset(ask);
  return found;
}

/* ---- what is wanted --------------------------------------------------------------------------------------------------------- */

static bool want_key(state *s, const char *key, uint32_t len, bool whole)
{
  sqlite3_stmt *want = with_key(s, WANT, key, len);
  s->sql.bind_int64(want, 2, whole);
  s->wanted++;
  return done(s, want);
}

bool state_want(state *s, const char *path, uint32_t len, bool whole)
{
  return want_key(s, s->key, key_of(s->key, path, len), whole);
}

bool state_want_changed(state *s, uint64_t since)
{
  char sql[200];
  snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO wanted SELECT DISTINCT key, 0 FROM changed WHERE look > %llu", (unsigned long long)since);
  s->wanted++;
  return run(s, sql);
}

bool state_want_again(state *s)
{
  s->wanted++;
  return run(s, "INSERT INTO wanted SELECT key, 1 FROM again WHERE true ON CONFLICT DO UPDATE SET whole = 1; DELETE FROM again");
}

/* Each path of an inode, or, with a name, that name in it. */
static bool want_of_ino(state *s, uint64_t ino, uint64_t dev, bool any_dev, const char *name, uint32_t name_len, bool whole)
{
  sqlite3_stmt *ask = s->statements[OF_INO];
  bool self = name && name_len == 1 && name[0] == '.', good = true;
  int code;
  s->sql.bind_int64(ask, 1, (int64_t)ino);
  while (good && (code = s->sql.step(ask)) == SQLITE_ROW) {
    uint32_t len = (uint32_t)s->sql.column_bytes(ask, 0);
    bool directory = (s->sql.column_int64(ask, 2) & SEEN_DIRECTORY) != 0;
    const void *key = s->sql.column_blob(ask, 0);
    if ((!any_dev && (uint64_t)s->sql.column_int64(ask, 1) != dev) || directory != (name != NULL))
      continue;
    if (len)
      memcpy(s->low, key, len);
    if (name && !self && len + 1 + name_len < KEY_BYTES) {
      s->low[len] = 0;
      memcpy(s->low + len + 1, name, name_len);
      len += 1 + name_len;
    }
    good = want_key(s, s->low, len, whole);
  }
  s->sql.reset(ask);
  return good && code == SQLITE_DONE;
}

bool state_want_file(state *s, uint64_t ino, uint64_t dev, bool any_dev)
{
  return want_of_ino(s, ino, dev, any_dev, NULL, 0, false);
}

bool state_want_name(state *s, uint64_t ino, uint64_t dev, const char *name, uint32_t len, bool whole)
{
  return want_of_ino(s, ino, dev, false, name, len, whole);
}

bool state_want_linked(state *s, bool *any)
{
  char sql[600];
  sqlite3_stmt *count = NULL;
  bool good;
  snprintf(sql, sizeof sql,
           "DELETE FROM wanted; INSERT INTO wanted SELECT key, 0 FROM linked CROSS JOIN entry USING (ino, dev)" /* in this order: not through all entries */
           " WHERE NOT kind & %d AND NOT EXISTS (SELECT 1 FROM changed WHERE changed.key = entry.key AND NOT gone AND look = %llu)",
           SEEN_DIRECTORY, (unsigned long long)s->look);
  good = run(s, sql) && s->sql.prepare_v2(s->db, "SELECT count(*) FROM wanted", -1, &count, NULL) == SQLITE_OK
         && s->sql.step(count) == SQLITE_ROW;
  s->wanted = good ? s->sql.column_int64(count, 0) : 0;
  s->sql.finalize(count);
  *any = s->wanted > 0;
  return good;
}

bool state_is_wanted(state *s, const char *path, uint32_t len, bool *whole)
{
  sqlite3_stmt *ask;
  bool found;
  *whole = false;
  if (!s->wanted)
    return false;
  ask = with_path(s, WANTED, path, len);
  found = s->sql.step(ask) == SQLITE_ROW;
  if (found)
    *whole = s->sql.column_int64(ask, 0) != 0;
  s->sql.reset(ask);
  return found;
}

bool state_next_wanted(state *s, const char *path, uint32_t len, char name[256])
{
  sqlite3_stmt *ask = s->statements[NEXT];
  uint32_t low = key_of(s->low, path, len), before = (uint32_t)strlen(name), n;
  const char *key;
  bool found;
  memcpy(s->high, s->low, low);
  s->high[low] = 1;
  s->low[low] = 0;
  if (before) {
    memcpy(s->low + low + 1, name, before);
    s->low[low + 1 + before] = 1; /* behind all that is below it */
    n = low + 2 + before;
  } else {
    n = low + 1;
  }
  s->sql.bind_blob(ask, 1, s->low, (int)n, NULL);
  s->sql.bind_blob(ask, 2, s->high, (int)low + 1, NULL);
  found = s->sql.step(ask) == SQLITE_ROW;
  if (found) {
    uint32_t end = (uint32_t)s->sql.column_bytes(ask, 0), at = low + 1;
    key = s->sql.column_blob(ask, 0);
    for (n = 0; at < end && key[at] && n < 255; at++)
      name[n++] = key[at];
    name[n] = 0;
  }
  s->sql.reset(ask);
  return found;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------ */

static void mark_seen(state *s, int64_t id)
{
  if ((uint64_t)id < s->seen_bits)
    s->seen[id / 8] |= (uint8_t)(1u << (id % 8));
}

static bool is_seen(const state *s, int64_t id)
{
  return (uint64_t)id >= s->seen_bits || s->seen[id / 8] >> (id % 8) & 1; /* a new row was made by seeing it */
}

bool state_find(state *s, const char *path, uint32_t len, seen_row *row)
{
  sqlite3_stmt *ask = with_path(s, FIND, path, len);
  bool found = s->sql.step(ask) == SQLITE_ROW;
  if (found)
    *row = (seen_row){ .id = s->sql.column_int64(ask, 0), .kind = (uint32_t)s->sql.column_int64(ask, 1),
                       .ino = (uint64_t)s->sql.column_int64(ask, 2), .dev = (uint64_t)s->sql.column_int64(ask, 3),
                       .identity = (uint64_t)s->sql.column_int64(ask, 11) };
  s->sql.reset(ask);
  return found;
}

static bool stamp(state *s, const char *key, uint32_t len, bool directory, bool gone)
{
  sqlite3_stmt *into = with_key(s, STAMP, key, len);
  if (s->first)
    return true;
  s->sql.bind_int64(into, 2, directory);
  s->sql.bind_int64(into, 3, gone);
  s->sql.bind_int64(into, 4, (int64_t)s->look);
  return done(s, into);
}

/* For the audit: what a look at events alone may miss, and where it looks at all. */
static bool note_difference(state *s, const char *key, uint32_t len, bool differs, bool fresh)
{
  return (!differs || done(s, with_key(s, DIFFERS, key, len))) && (!fresh || done(s, with_key(s, FRESH, key, len)));
}

static int64_t in_ns(const bp_time *t)
{
  return (int64_t)((uint64_t)t->sec * 1000000000u + t->nsec);
}

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

bool state_saw(state *s, const char *path, uint32_t len, const bp_entry *entry, uint32_t kind, uint64_t identity, bool touched,
               bool *changed)
{
  const int64_t values[] = { kind, (int64_t)entry->ino, (int64_t)entry->dev, (int64_t)(entry->type << 16 | (entry->mode & 07777)),
                             entry->uid, entry->gid, (int64_t)entry->size, in_ns(&entry->mtime), in_ns(&entry->chtime),
                             entry->nlink, (int64_t)identity };
  enum { KIND, INO, DEV, MODE, UID, GID, SIZE, MTIME, CTIME, NLINK, IDENTITY, COUNT };
  sqlite3_stmt *ask = with_path(s, FIND, path, len), *into;
  bool known = s->sql.step(ask) == SQLITE_ROW, other_dev = false, stale = false, directory = kind & SEEN_DIRECTORY;
  bool differs = !known, fresh = !known;
  uint32_t was = 0;
  if (known) {
    mark_seen(s, s->sql.column_int64(ask, 0));
    was = (uint32_t)s->sql.column_int64(ask, 1);
    stale = (was & SEEN_RACY) != 0;
    differs = (was & ~(uint32_t)SEEN_RACY) != kind;
    fresh = s->sql.column_int64(ask, INO + 1) != values[INO] || s->sql.column_int64(ask, IDENTITY + 1) != values[IDENTITY]
            || !(was & SEEN_ENTERED);
    for (int i = INO; i < COUNT; i++)
      if (i == DEV) /* a device's number may be another one after each start of the machine */
        other_dev = s->sql.column_int64(ask, i + 1) != values[i];
      else
        differs |= s->sql.column_int64(ask, i + 1) != values[i];
  }
  s->sql.reset(ask);
  if (s->audits && !note_difference(s, s->key, len, differs && !touched, fresh && (directory || was & SEEN_DIRECTORY)))
    return false;
  *changed = differs || stale || touched;
  if (!*changed && !other_dev)
    return true;
  into = with_path(s, known ? UPDATE : INSERT, path, len);
  for (int i = 0; i < COUNT; i++)
    s->sql.bind_int64(into, i + 2, values[i]);
  if (now_ns() - values[CTIME] < RACY_NS && !(kind & SEEN_DIRECTORY))
    s->sql.bind_int64(into, KIND + 2, kind | SEEN_RACY);
  if (!done(s, into))
    return false;
  if (!*changed)
    return true;
  if (!directory && entry->nlink > 1) {
    s->sql.bind_int64(s->statements[LINKED], 1, values[INO]);
    s->sql.bind_int64(s->statements[LINKED], 2, values[DEV]);
    if (!done(s, s->statements[LINKED]))
      return false;
  }
  /* another kind of thing, or no longer part of the backup: what was there under this name is gone */
  if (known && was & SEEN_SAVED && (!(kind & SEEN_SAVED) || (was & SEEN_DIRECTORY) != (kind & SEEN_DIRECTORY))
      && !stamp(s, s->key, len, (was & SEEN_DIRECTORY) != 0, true))
    return false;
  return !(kind & SEEN_SAVED) || stamp(s, s->key, len, directory, false);
}

/* Calls `each` for all rows at and below a path. */
static bool for_range(state *s, const char *key, uint32_t len, bool (*each)(state *, void *, int64_t, const char *, uint32_t, uint32_t),
                      void *ctx)
{
  sqlite3_stmt *ask = s->statements[RANGE];
  bool good = true;
  int code = SQLITE_DONE;
  if (len)
    memcpy(s->high, key, len);
  s->high[len] = 1;
  s->sql.bind_blob(ask, 1, len ? key : "", (int)len, NULL);
  s->sql.bind_blob(ask, 2, s->high, (int)len + 1, NULL);
  while (good && (code = s->sql.step(ask)) == SQLITE_ROW)
    good = each(s, ctx, s->sql.column_int64(ask, 0), s->sql.column_blob(ask, 1), (uint32_t)s->sql.column_bytes(ask, 1),
                (uint32_t)s->sql.column_int64(ask, 2));
  s->sql.reset(ask);
  return good && code == SQLITE_DONE;
}

static bool keep_row(state *s, void *ctx, int64_t id, const char *key, uint32_t len, uint32_t kind)
{
  (void)ctx, (void)key, (void)len, (void)kind;
  mark_seen(s, id);
  return true;
}

void state_still_there(state *s, const char *path, uint32_t len)
{
  seen_row row;
  if (state_find(s, path, len, &row))
    mark_seen(s, row.id);
}

bool state_failed(state *s, const char *path, uint32_t len)
{
  return state_again(s, path, len) && for_range(s, s->key, len, keep_row, NULL);
}

bool state_again(state *s, const char *path, uint32_t len)
{
  return done(s, with_path(s, AGAIN, path, len));
}

bool state_looked(state *s, const char *path, uint32_t len)
{
  return done(s, with_path(s, LOOKED, path, len));
}

typedef struct settling {
  const fileset *set;
  uint32_t owner_len; /* of the range's File line */
  uint64_t gone;
} settling;

/* How much of a path is the File line that it belongs to: the longest one at or above it. */
static uint32_t owner_of(const fileset *set, const char *path, uint32_t len)
{
  for (;; len--) {
    if (fileset_names(set, path, len))
      return len;
    while (len && path[len - 1] != '/')
      len--;
    if (!len)
      return 0;
  }
}

static bool settle_row(state *s, void *ctx, int64_t id, const char *key, uint32_t len, uint32_t kind)
{
  settling *how = ctx;
  sqlite3_stmt *drop = s->statements[DELETE];
  if (is_seen(s, id))
    return true;
  (void)path_of(s->low, key, len);
  if (owner_of(how->set, s->low, len) != how->owner_len) /* a File line of its own, below: it has its own look */
    return true;
  (void)key_of(s->low, s->low, len);
  if (s->audits && !note_difference(s, s->low, len, true, kind & SEEN_DIRECTORY))
    return false;
  s->sql.bind_int64(drop, 1, id);
  if ((kind & SEEN_SAVED && !stamp(s, s->low, len, (kind & SEEN_DIRECTORY) != 0, true)) || !done(s, drop))
    return false;
  how->gone += (kind & SEEN_SAVED) != 0;
  return true;
}

bool state_settle(state *s, const fileset *set, uint64_t *gone)
{
  sqlite3_stmt *ranges = s->statements[RANGES];
  settling how = { .set = set };
  bool good = true;
  int code = SQLITE_DONE;
  while (good && (code = s->sql.step(ranges)) == SQLITE_ROW) {
    uint32_t len = (uint32_t)s->sql.column_bytes(ranges, 0);
    if (len)
      memcpy(s->key, s->sql.column_blob(ranges, 0), len);
    (void)path_of(s->low, s->key, len);
    how.owner_len = owner_of(set, s->low, len);
    bp_beat(s->host);
    good = for_range(s, s->key, len, settle_row, &how);
  }
  s->sql.reset(ranges);
  *gone = how.gone;
  return good && code == SQLITE_DONE;
}

int state_next_gone(state *s, uint64_t since, char *path, uint32_t *len, bool *directory)
{
  sqlite3_stmt *ask;
  int code;
  if (!s->gone_listed) {
    s->sql.bind_int64(s->statements[LIST_GONE], 1, (int64_t)since);
    if (!done(s, s->statements[LIST_GONE]))
      return -1;
    s->gone_listed = true;
  }
  ask = with_key(s, GONE, s->gone, s->gone_len);
  s->sql.bind_int64(ask, 2, s->gone_len ? s->gone_directory : -1);
  code = s->sql.step(ask);
  if (code == SQLITE_ROW) {
    s->gone_len = (uint32_t)s->sql.column_bytes(ask, 0);
    memcpy(s->gone, s->sql.column_blob(ask, 0), s->gone_len);
    s->gone_directory = *directory = s->sql.column_int64(ask, 1) != 0;
    *len = path_of(path, s->gone, s->gone_len);
  }
  s->sql.reset(ask);
  return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : -1;
}

/* ---- the audit ----------------------------------------------------------------------------------------------------------------- */

void state_audit(state *s)
{
  s->audits = true;
}

/* Is a path wanted that is this one, or below it? */
static bool wanted_in(state *s, const char *key, uint32_t len)
{
  sqlite3_stmt *ask = s->statements[NEXT];
  bool found;
  memcpy(s->high, key, len);
  s->high[len] = 1;
  s->sql.bind_blob(ask, 1, len ? key : "", (int)len, NULL);
  s->sql.bind_blob(ask, 2, s->high, (int)len + 1, NULL);
  found = s->sql.step(ask) == SQLITE_ROW;
  s->sql.reset(ask);
  return found;
}

static bool is_whole(state *s, const char *key, uint32_t len)
{
  sqlite3_stmt *ask = with_key(s, WANTED, key, len);
  bool whole = s->sql.step(ask) == SQLITE_ROW && s->sql.column_int64(ask, 0) != 0;
  s->sql.reset(ask);
  return whole;
}

static bool has_key(state *s, unsigned which, const char *key, uint32_t len)
{
  sqlite3_stmt *ask = with_key(s, which, key, len);
  bool found = s->sql.step(ask) == SQLITE_ROW;
  s->sql.reset(ask);
  return found;
}

/* Does one that looks at what is wanted alone, from its File line (`owner` bytes of the key) down, come to this path? */
static bool comes_to(state *s, const char *key, uint32_t len, uint32_t owner)
{
  for (uint32_t end = owner; end < len; end++) {
    if (end != owner && key[end])
      continue;
    if (!wanted_in(s, key, end))
      return false;
    if (has_key(s, IS_FRESH, key, end) || is_whole(s, key, end))
      return true; /* and to all that is in it */
  }
  return len == owner || wanted_in(s, key, len);
}

/* Of a file with several names, all are saved when it comes to one. */
static bool comes_to_another(state *s, const fileset *set, uint64_t ino, uint64_t dev)
{
  sqlite3_stmt *ask = s->statements[OF_INO];
  bool found = false;
  s->sql.bind_int64(ask, 1, (int64_t)ino);
  while (!found && s->sql.step(ask) == SQLITE_ROW) {
    uint32_t len = (uint32_t)s->sql.column_bytes(ask, 0);
    if ((uint64_t)s->sql.column_int64(ask, 1) != dev || (s->sql.column_int64(ask, 2) & SEEN_DIRECTORY))
      continue;
    memcpy(s->gone, s->sql.column_blob(ask, 0), len);
    (void)path_of(s->low, s->gone, len);
    found = comes_to(s, s->gone, len, owner_of(set, s->low, len));
  }
  s->sql.reset(ask);
  return found;
}

bool state_missed(state *s, const fileset *set, void (*missed)(void *ctx, const char *path, uint32_t len), void *ctx)
{
  sqlite3_stmt *each = s->statements[EACH_DIFFERS];
  int code;
  while ((code = s->sql.step(each)) == SQLITE_ROW) {
    uint32_t len = (uint32_t)s->sql.column_bytes(each, 0);
    seen_row row;
    bp_beat(s->host);
    if (len)
      memcpy(s->gone, s->sql.column_blob(each, 0), len);
    (void)path_of(s->low, s->gone, len);
    if (comes_to(s, s->gone, len, owner_of(set, s->low, len)))
      continue;
    (void)path_of(s->low, s->gone, len);
    if (state_find(s, s->low, len, &row) && !(row.kind & SEEN_DIRECTORY) && comes_to_another(s, set, row.ino, row.dev))
      continue;
    if (len)
      memcpy(s->gone, s->sql.column_blob(each, 0), len);
    (void)path_of(s->low, s->gone, len);
    missed(ctx, s->low, len);
  }
  s->sql.reset(each);
  return code == SQLITE_DONE;
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------- */

bool state_note_root(state *s, const char *path, uint32_t len, bool single, uint64_t mounts)
{
  sqlite3_stmt *into = with_path(s, NOTE_ROOT, path, len);
  s->sql.bind_int64(into, 2, single);
  s->sql.bind_int64(into, 3, (int64_t)mounts);
  return done(s, into);
}

bool state_note_position(state *s, const char *identity, uint64_t number)
{
  return set_about_text(s, "events", identity) && set_about(s, "position", number);
}

bool state_commit(state *s, bool full, const char *job)
{
  sqlite3_stmt *look = s->statements[ADD_LOOK];
  char sql[600];
  s->sql.bind_int64(look, 1, (int64_t)s->look);
  s->sql.bind_int64(look, 2, full);
  s->sql.bind_text(look, 3, job, -1, NULL);
  if (!done(s, look))
    return false;
  snprintf(sql, sizeof sql,
           "CREATE TEMP TABLE oldest AS SELECT min(number) AS number FROM"
           "  (SELECT number FROM main.look WHERE whole ORDER BY number DESC LIMIT %u);"
           "DELETE FROM look WHERE %d AND number < (SELECT number FROM oldest);"
           "DELETE FROM changed WHERE %d AND look <= (SELECT min(number) FROM main.look);"
           "COMMIT",
           FULLS_KEPT, full, full);
  return run(s, sql);
}
