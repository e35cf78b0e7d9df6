/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "names.h"
#include "result.h"
#include "text.h"
#include "wide.h"

enum { RECOVERY_S = 24 * 3600, ANSWER_S = 1800 };
static const ese_char STAGING[] = u"filed-staged", ENVIRONMENT[] = u"restore.env";

/* A part of a path as the service has the name; NULL: it is none, or no memory. */
static ese_char *original(const char *part)
{
  char *name = strdup(part);
  ese_char *wide = name && part_decode(name) ? wide_of_utf8(name) : NULL;
  free(name);
  return wide;
}

static bp_status failed(const target *t, ese_result result, const char *what, const char *which)
{
  return ese_failed(t->host, result, what, which ? which : t->part);
}

/* ---- the session ----------------------------------------------------------------------------------------------- */

static bp_status find_log_path(target *t)
{
  ese_restore_environment *environment = NULL;
  ese_result result = t->library->HrESERestoreGetEnvironment(t->context, &environment);
  if (result < 0)
    return failed(t, result, "asking where the logs go of", NULL);
  t->log_path = environment->restore_log_path
                    ? wide_copy(environment->restore_log_path, wide_len(environment->restore_log_path))
                    : NULL;
  t->library->ESERestoreFreeEnvironment(environment);
  t->staging = t->log_path ? disk_join(t->log_path, STAGING) : NULL;
  if (!t->staging)
    return no_memory(t->host);
  return disk_make_directory(t->staging) ? BP_OK : disk_failed(t->host, "make directory", t->staging);
}

/* Goes on with an earlier session when the log path has one. */
static bp_status open_at(target *t, const ese_char *annotation, const ese_char *instance, const ese_char *log_path)
{
  ese_char *saved = log_path ? disk_join(log_path, ENVIRONMENT) : NULL;
  ese_result result;
  t->reopened = saved && disk_exists(saved);
  free(saved);
  bp_defer(t->host, ANSWER_S);
  result = t->reopened ? t->library->HrESERestoreReopen(t->settings->server, annotation, log_path, &t->context)
                       : t->library->HrESERestoreOpen(t->settings->server, annotation, instance, log_path, &t->context);
  if (result < 0)
    return failed(t, result, t->reopened ? "going on with the restore of" : "beginning the restore of", NULL);
  t->open = true;
  return find_log_path(t);
}

static bp_status make_open(target *t)
{
  ese_char *annotation, *instance, *log_path = NULL;
  bp_status status;
  if (t->open)
    return BP_OK;
  annotation = original(t->service);
  instance = original(t->part);
  if (t->settings->logpath)
    log_path = wide_of_utf8(t->settings->logpath);
  if (!annotation || !instance || (t->settings->logpath && !log_path))
    status = bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0, "%s: a name, or the option logpath, cannot be understood", t->part);
  else
    status = open_at(t, annotation, instance, log_path);
  free(annotation);
  free(instance);
  free(log_path);
  return status;
}

static bp_status announce(const target *t, const ese_char *path)
{
  void *handle = NULL;
  ese_result result = t->library->HrESERestoreOpenFile(t->context, path, 1, &handle);
  char *name = wide_to_utf8(path);
  bp_status status = BP_OK;
  if (result >= 0)
    status = bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0, "%s: the service wants to write it itself, which is not supported",
                      name ? name : "");
  else if (result != ESE_RESTORE_AT_FILE_LEVEL)
    status = failed(t, result, "announcing", name);
  free(name);
  return status;
}

/* ---- databases ------------------------------------------------------------------------------------------------- */

/* The newest set that has this file of this database. */
static const database_record *find_set(const target *t, const char *database, const char *file, const group_record **of,
                                       uint32_t *stream)
{
  for (uint32_t i = t->known.count; i-- > 0;) {
    const group_record *record = &t->known.at[i];
    const database_record *found = record->has_databases ? record_database(record, database) : NULL;
    char *part;
    bool same = false;
    if (!found || !found->needs)
      continue;
    for (*stream = 0; !same && (part = stream_part(found->streams, found->units, *stream)) != NULL; ++*stream) {
      same = !strcmp(part, file);
      free(part);
    }
    if (same) {
      --*stream;
      *of = record;
      return found;
    }
  }
  return NULL;
}

/* Was it saved without a log? The last set that has it decides. */
static bool saved_without_logs(const target *t, const char *database)
{
  for (uint32_t i = t->known.count; i-- > 0;) {
    const group_record *record = &t->known.at[i];
    if (record->has_databases && record_database(record, database))
      return !record->high;
  }
  return false;
}

static target_database *added(const target *t, const char *part)
{
  for (uint32_t i = 0; i < t->n_databases; i++)
    if (!strcmp(t->databases[i].part, part))
      return &t->databases[i];
  return NULL;
}

static bp_status add_database(target *t, const database_record *set, const group_record *of)
{
  target_database *larger = realloc(t->databases, (t->n_databases + 1) * sizeof *larger), *database;
  ese_char *name = original(set->part);
  ese_result result;
  if (larger)
    t->databases = larger;
  if (!larger || !name) {
    free(name);
    return no_memory(t->host);
  }
  database = &larger[t->n_databases];
  memset(database, 0, sizeof *database);
  bp_defer(t->host, ANSWER_S);
  result = t->library->HrESERestoreAddDatabase(t->context, name, set->guid, set->streams, &database->destinations);
  free(name);
  if (result < 0)
    return failed(t, result, "restoring database", set->part);
  t->n_databases++;
  database->needs = set->needs;
  memcpy(database->signature, of->signature, sizeof database->signature);
  database->part = strdup(set->part);
  return database->part ? BP_OK : no_memory(t->host);
}

bp_status target_database_file(target *t, const char *database, const char *file, const ese_char **path)
{
  const group_record *of = NULL;
  uint32_t stream = 0;
  const database_record *set = find_set(t, database, file, &of, &stream);
  bp_status status;
  if (!set) {
    t->failed = true;
    return bp_failf(t->host, BP_E_ENTRY, BP_OS_NONE, 0, "%s/%s: %s: restore it with `where`", database, file,
                    saved_without_logs(t, database) ? "it was saved without a log, and cannot be recovered without one"
                                                    : "no description of such a database came with this restore");
  }
  status = make_open(t);
  if (status == BP_OK && !added(t, database))
    status = add_database(t, set, of);
  if (status != BP_OK)
    return status;
  *path = stream_path(added(t, database)->destinations, NULL, stream);
  if (!*path)
    return bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0, "%s/%s: the service has no place for it", database, file);
  return announce(t, *path);
}

/* ---- logs ------------------------------------------------------------------------------------------------------ */

bp_status target_log_file(target *t, const char *file, ese_char **path, uint32_t *log)
{
  bp_status status = make_open(t);
  ese_char *name = status == BP_OK ? original(file) : NULL;
  char base[LOG_BASE_MAX + 1];
  staged_log *larger;
  if (status != BP_OK)
    return status;
  larger = realloc(t->logs, (t->n_logs + 1) * sizeof *larger);
  if (larger)
    t->logs = larger;
  if (!larger || !name || *wide_file_name(name) == 0 || wide_file_name(name) != name) {
    free(name);
    return bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0, "%s is no name of a log", file);
  }
  *log = t->n_logs++;
  memset(&larger[*log], 0, sizeof *larger);
  larger[*log].name = name;
  larger[*log].is_log = log_name(name, base, &larger[*log].generation);
  *path = disk_join(t->staging, name);
  return *path ? BP_OK : no_memory(t->host);
}

static int by_generation(const void *a, const void *b)
{
  const staged_log *one = a, *other = b;
  if (one->is_log != other->is_log)
    return one->is_log - other->is_log;
  return (one->generation > other->generation) - (one->generation < other->generation);
}

/* The first log that is needed, and of which stream. False: the databases are of two streams. */
static bool needed(const target *t, uint32_t *first, const uint8_t **signature)
{
  *first = 0;
  *signature = t->known.count ? t->known.at[t->known.count - 1].signature : NULL;
  for (uint32_t i = 0; i < t->n_databases; i++) {
    const target_database *database = &t->databases[i];
    if (i && memcmp(*signature, database->signature, LOG_SIGNATURE_BYTES))
      return false;
    *signature = database->signature;
    if (!i || database->needs < *first)
      *first = database->needs;
  }
  return true;
}

/* Takes out of the list what is not needed, and sorts the rest. */
static void choose_logs(target *t, uint32_t first, const uint8_t *signature)
{
  uint32_t kept = 0, dropped = 0;
  for (uint32_t i = 0; i < t->n_logs; i++) {
    staged_log *log = &t->logs[i];
    bool other = log->is_log && log->whole
                 && (log->generation < first || (signature && memcmp(log->head.signature, signature, LOG_SIGNATURE_BYTES)));
    ese_char *path = other ? disk_join(t->staging, log->name) : NULL;
    if (!other) {
      t->logs[kept++] = *log;
      continue;
    }
    if (path)
      disk_remove(path);
    free(path);
    free(log->name);
    dropped++;
  }
  t->n_logs = kept;
  qsort(t->logs, t->n_logs, sizeof *t->logs, by_generation);
  if (dropped)
    bp_logf(t->host, BP_MSG_INFO, "%s: %u restored logs older than the databases are not needed", t->part, (unsigned)dropped);
}

/* Logs up to `last` are missing. A set with databases has the logs that these need, no older ones: a database that is not in
 * the newest set, since it was renamed or removed, comes from an older Job, and what it needs may be in no Job. */
static bp_status tell_missing(target *t, uint32_t first, uint32_t last)
{
  text older = { 0 };
  bp_status status;
  for (uint32_t i = 0; i < t->n_databases; i++)
    t->mixed = t->mixed || t->databases[i].needs > last;
  for (uint32_t i = 0; t->mixed && i < t->n_databases; i++)
    if (t->databases[i].needs <= last) {
      text_put(&older, older.len ? ", " : "");
      text_put(&older, t->databases[i].part);
    }
  if (older.len)
    status = bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0,
                      "%s: %s came from an older Job than the other databases, and the logs of generations %u to %u, which it "
                      "needs, did not come: it was renamed or removed before the newer Job. Restore without it, and it by "
                      "itself from that older Job, or with `where`",
                      t->part, older.at, (unsigned)first, (unsigned)last);
  else
    status = bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0,
                      "%s: logs of generations %u to %u are missing: they are in the Jobs between; mark them, too", t->part,
                      (unsigned)first, (unsigned)last);
  text_free(&older);
  return status;
}

/* Do they follow each other, from the first one needed? */
static bp_status check_logs(target *t, uint32_t first)
{
  const staged_log *before = NULL;
  for (uint32_t i = 0; i < t->n_logs; i++) {
    const staged_log *log = &t->logs[i];
    uint32_t expected = before ? before->generation + 1 : first;
    if (!log->is_log)
      continue;
    if (expected && log->generation != expected)
      return tell_missing(t, expected, log->generation - 1);
    if (before && !log_follows(&before->head, &log->head))
      return bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0, "%s: the log of generation %u does not follow the one before it", t->part,
                      (unsigned)log->generation);
    before = log;
  }
  if (!before && t->n_databases)
    return bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0, "%s: none of the logs from generation %u on came with the databases",
                    t->part, (unsigned)first);
  return BP_OK;
}

static bp_status place_log(const target *t, staged_log *log)
{
  ese_char *from = disk_join(t->staging, log->name), *to = disk_join(t->log_path, log->name);
  bp_status status = from && to ? announce(t, to) : no_memory(t->host);
  if (status == BP_OK && !disk_move(from, to))
    status = disk_failed(t->host, "move to its place", to);
  log->placed = status == BP_OK;
  free(from);
  free(to);
  return status;
}

static bp_status place_logs(target *t)
{
  bp_status status = BP_OK;
  for (uint32_t i = 0; i < t->n_logs && status == BP_OK; i++)
    if (t->logs[i].whole && !t->logs[i].placed)
      status = place_log(t, &t->logs[i]);
  if (status == BP_OK)
    disk_remove_directory(t->staging);
  return status;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static bp_status recover(target *t)
{
  ese_char *instance = t->settings->target ? wide_of_utf8(t->settings->target) : NULL;
  uint32_t flags = ESE_RESTORE_ATTACH_DATABASES | (t->settings->keep_logs ? ESE_RESTORE_KEEP_LOG_FILES : 0);
  ese_result result;
  if (t->settings->target && !instance)
    return bp_fail(t->host, BP_E_FAIL, BP_OS_NONE, 0, "the option target cannot be understood");
  bp_defer(t->host, RECOVERY_S);
  result = t->library->HrESERestoreComplete(t->context, NULL, NULL, instance, flags);
  free(instance);
  return result < 0 ? failed(t, result, "recovering", NULL) : BP_OK;
}

static void tell_way_on(const target *t, int32_t severity, const char *what)
{
  char *path = t->log_path ? wide_to_utf8(t->log_path) : NULL;
  bp_logf(t->host, severity,
          "%s: %s. Its logs and restore.env are in %s: restore what is missing with logpath set to that directory, or run "
          "eseutil /cc \"%s\". The databases cannot be mounted before",
          t->part, what, path ? path : "?", path ? path : "?");
  free(path);
}

bp_status target_commit(target *t)
{
  const uint8_t *signature;
  uint32_t first;
  bp_status status = BP_OK;
  if (!t->open && !t->failed)
    return BP_OK; /* only its description was restored */
  if (t->failed)
    return bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0, "%s: something of it was not restored, so it is not recovered", t->part);
  if (!needed(t, &first, &signature))
    return bp_failf(t->host, BP_E_FAIL, BP_OS_NONE, 0,
                    "%s: its databases were saved from two log streams; restore them one after the other", t->part);
  choose_logs(t, first, signature);
  if (t->settings->recover && !t->reopened) /* one that goes on has others already: the service looks at them all */
    status = check_logs(t, first);
  if (status == BP_OK)
    status = place_logs(t);
  if (status == BP_OK) {
    ese_result result = t->library->HrESERestoreSaveEnvironment(t->context);
    status = result < 0 ? failed(t, result, "saving the session of", NULL) : BP_OK;
  }
  if (status == BP_OK && t->settings->recover)
    status = recover(t);
  if (status != BP_OK)
    return status;
  if (t->settings->recover)
    bp_logf(t->host, BP_MSG_INFO, "%s: recovered, %u logs replayed, databases mounted", t->part, (unsigned)t->n_logs);
  else
    tell_way_on(t, BP_MSG_INFO, "restored, not recovered, as asked (recover = no)");
  (void)t->library->HrESERestoreClose(t->context, ESE_RESTORE_CLOSE_NORMAL);
  t->open = false;
  return BP_OK;
}

/* The staged logs are of no use to anybody: their databases have to come again, and they with them. */
static void forget_logs(target *t)
{
  for (uint32_t i = 0; i < t->n_logs; i++) {
    ese_char *path = disk_join(t->staging, t->logs[i].name);
    if (path)
      disk_remove(path);
    free(path);
  }
  disk_remove_directory(t->staging);
  if (!t->settings->logpath)
    disk_remove_directory(t->log_path);
  bp_logf(t->host, BP_MSG_WARNING,
          "%s: not recovered. A database did not come whole: it has no header and cannot be mounted before its databases and logs are "
          "restored again",
          t->part);
}

void target_free(target *t)
{
  if (t->open && t->log_path && t->torn) {
    forget_logs(t);
  } else if (t->open && t->log_path) {
    (void)place_logs(t); /* what came whole: eseutil looks for it beside restore.env */
    (void)t->library->HrESERestoreSaveEnvironment(t->context);
    if (t->mixed)
      bp_logf(t->host, BP_MSG_WARNING, "%s: not recovered. Its databases cannot be mounted before they are restored again", t->part);
    else
      tell_way_on(t, BP_MSG_WARNING, "not recovered");
  }
  if (t->open)
    (void)t->library->HrESERestoreClose(t->context, t->torn ? ESE_RESTORE_CLOSE_ABORT : ESE_RESTORE_CLOSE_NORMAL);
  for (uint32_t i = 0; i < t->n_databases; i++) {
    free(t->databases[i].part);
    t->library->ESEBackupFree(t->databases[i].destinations);
  }
  for (uint32_t i = 0; i < t->n_logs; i++)
    free(t->logs[i].name);
  free(t->databases);
  free(t->logs);
  free(t->log_path);
  free(t->staging);
  free(t->service);
  free(t->part);
  records_free(&t->known);
}
