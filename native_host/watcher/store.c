/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../native_agents/sqlite/library.h"

#define BUSY_MS 5000 /* whoever reads the store deletes what is done with */

static const char schema[] =
  "PRAGMA journal_mode = WAL;"
  "PRAGMA synchronous = OFF;" /* it has to survive a killed process; after a crash of the machine it is begun anew */
  "PRAGMA wal_autocheckpoint = 4000;"
  "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
  "CREATE TABLE IF NOT EXISTS fs (id INTEGER PRIMARY KEY, path TEXT, fsid INTEGER, dev INTEGER, marked INTEGER,"
  "  gap INTEGER, why TEXT, gap_at INTEGER);"
  "CREATE TABLE IF NOT EXISTS dirty (fs INTEGER, dir BLOB, name BLOB, number INTEGER, PRIMARY KEY (fs, dir, name)) WITHOUT ROWID;"
  "CREATE TABLE IF NOT EXISTS object (fs INTEGER, handle BLOB, number INTEGER, PRIMARY KEY (fs, handle)) WITHOUT ROWID;"
  "CREATE TABLE IF NOT EXISTS reader (id TEXT PRIMARY KEY, number INTEGER, at INTEGER) WITHOUT ROWID;";

/* What of a file system is stored, so that it is not written with each batch. */
typedef struct stored {
  uint64_t fsid;
  dev_t    dev;
  bool     known, marked;
} stored;

struct store {
  sqlite_library sql;
  sqlite3 *db;
  sqlite3_stmt *name, *object, *number, *fs, *gap;
  stored   stored[WATCHED_MAX];
};

static bool run(store *s, const char *sql)
{
  return s->sql.exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* One statement with its values bound, to its end. */
static bool done(store *s, sqlite3_stmt *statement)
{
  bool good = s->sql.step(statement) == SQLITE_DONE;
  return s->sql.reset(statement) == SQLITE_OK && good;
}

static bool prepare(store *s, sqlite3_stmt **statement, const char *sql)
{
  return s->sql.prepare_v2(s->db, sql, -1, statement, NULL) == SQLITE_OK;
}

/* `current` names the store in one step: nobody sees half of it. */
static bool make_current(const char *directory, const char *file)
{
  char path[4096], next[4096];
  FILE *out;
  snprintf(path, sizeof path, "%s/current", directory);
  snprintf(next, sizeof next, "%s/current.next", directory);
  out = fopen(next, "we");
  if (!out)
    return false;
  fprintf(out, "%s\n", file);
  return fclose(out) == 0 && rename(next, path) == 0;
}

static bool describe(store *s, const shared *page)
{
  sqlite3_stmt *about = NULL;
  const char *texts[][2] = { { "identity", page->uuid }, { "boot", page->boot } };
  bool good = prepare(s, &about, "INSERT OR REPLACE INTO about VALUES (?, ?)");
  for (unsigned i = 0; good && i < 2; i++) {
    s->sql.bind_text(about, 1, texts[i][0], -1, NULL);
    s->sql.bind_text(about, 2, texts[i][1], -1, NULL);
    good = done(s, about);
  }
  if (good) {
    s->sql.bind_text(about, 1, "started", -1, NULL);
    s->sql.bind_int64(about, 2, page->started);
    good = done(s, about);
  }
  s->sql.finalize(about);
  return good;
}

static uint64_t last_number(store *s)
{
  sqlite3_stmt *ask = NULL;
  uint64_t number = 0;
  if (prepare(s, &ask, "SELECT value FROM about WHERE name = 'number'") && s->sql.step(ask) == SQLITE_ROW)
    number = (uint64_t)s->sql.column_int64(ask, 0);
  s->sql.finalize(ask);
  return number;
}

store *store_open(const shared *page, const char *directory, uint64_t *number)
{
  store *s = calloc(1, sizeof *s);
  char file[64], path[4096];
  const char *wrong;
  if (!s)
    return NULL;
  if ((wrong = sqlite_load(&s->sql))) {
    say("SQLite's library: %s; on Debian: apt-get install libsqlite3-0", wrong);
    free(s);
    return NULL;
  }
  snprintf(file, sizeof file, "events-%s.sqlite", page->uuid);
  snprintf(path, sizeof path, "%s/%s", directory, file);
  umask(077);
  if (s->sql.open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK
      || s->sql.busy_timeout(s->db, BUSY_MS) != SQLITE_OK || !run(s, schema) || !describe(s, page)
      || !prepare(s, &s->name, "INSERT INTO dirty VALUES (?1, ?2, ?3, ?4)"
                               " ON CONFLICT DO UPDATE SET number = excluded.number")
      || !prepare(s, &s->object, "INSERT INTO object VALUES (?1, ?2, ?4)"
                                 " ON CONFLICT DO UPDATE SET number = excluded.number")
      || !prepare(s, &s->number, "INSERT OR REPLACE INTO about VALUES ('number', ?1)")
      || !prepare(s, &s->fs, "INSERT INTO fs VALUES (?1, ?2, ?3, ?4, ?5, 0, '', 0) ON CONFLICT (id) DO UPDATE"
                             " SET fsid = excluded.fsid, dev = excluded.dev, marked = excluded.marked")
      || !prepare(s, &s->gap, "UPDATE fs SET gap = ?2, why = ?3, gap_at = ?4 WHERE id = ?1")) {
    say("cannot open the store %s: %s", path, s->sql.errmsg(s->db));
    return NULL;
  }
  if (!make_current(directory, file)) {
    say("cannot write %s/current", directory);
    return NULL;
  }
  *number = last_number(s);
  return s;
}

static bool store_items(store *s, const batch *b)
{
  for (uint32_t i = 0; i < b->count; i++) {
    const touched *item = &b->items[i];
    const uint8_t *key = b->keys + item->key;
    sqlite3_stmt *into = item->object ? s->object : s->name;
    s->sql.bind_int64(into, 1, item->fs);
    s->sql.bind_blob(into, 2, key, (int)item->handle_len, NULL);
    if (!item->object)
      s->sql.bind_blob(into, 3, key + item->handle_len, (int)(item->key_len - item->handle_len), NULL);
    s->sql.bind_int64(into, 4, (int64_t)item->number);
    if (!done(s, into))
      return false;
  }
  return true;
}

static bool store_fs(store *s, const watched *fs, uint32_t id)
{
  stored *known = &s->stored[id];
  if (known->known && known->fsid == fs->fsid && known->dev == fs->dev && known->marked == fs->marked)
    return true;
  s->sql.bind_int64(s->fs, 1, id);
  s->sql.bind_text(s->fs, 2, fs->path, -1, NULL);
  s->sql.bind_int64(s->fs, 3, (int64_t)fs->fsid);
  s->sql.bind_int64(s->fs, 4, (int64_t)fs->dev);
  s->sql.bind_int64(s->fs, 5, fs->marked);
  *known = (stored){ .fsid = fs->fsid, .dev = fs->dev, .known = true, .marked = fs->marked };
  return done(s, s->fs);
}

static bool store_state(store *s, const shared *page, const batch *b)
{
  for (uint32_t i = 0; i < page->n_watched; i++) {
    if (!store_fs(s, &page->fs[i], i))
      return false;
    if (!b->gap[i][0])
      continue;
    s->sql.bind_int64(s->gap, 1, i);
    s->sql.bind_int64(s->gap, 2, (int64_t)b->number);
    s->sql.bind_text(s->gap, 3, b->gap[i], -1, NULL);
    s->sql.bind_int64(s->gap, 4, time(NULL));
    if (!done(s, s->gap))
      return false;
  }
  s->sql.bind_int64(s->number, 1, (int64_t)b->number);
  return done(s, s->number);
}

const char *store_batch(store *s, const shared *page, const batch *b)
{
  const char *why;
  if (run(s, "BEGIN IMMEDIATE") && store_items(s, b) && store_state(s, page, b) && run(s, "COMMIT"))
    return NULL;
  why = s->sql.errstr(s->sql.errcode(s->db));
  (void)run(s, "ROLLBACK");
  memset(s->stored, 0, sizeof s->stored);
  return why;
}
