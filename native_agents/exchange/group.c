/* SPDX-License-Identifier: Apache-2.0 */
#include "group.h"

#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "names.h"
#include "result.h"
#include "wide.h"

/* ---- what is read ---------------------------------------------------------------------------------------------- */

static saved_file *add_file(group *g, const ese_char *path, const char *directory, char *part)
{
  saved_file *larger = realloc(g->files, (g->n_files + 1) * sizeof *larger), *file = NULL;
  if (larger) {
    g->files = larger;
    file = &larger[g->n_files];
    memset(file, 0, sizeof *file);
    file->database = NO_DATABASE;
    file->path = wide_copy(path, wide_len(path));
    file->name = part && directory ? name_join(directory, part) : NULL;
    g->n_files++;
  }
  free(part);
  return file && file->path && file->name ? file : NULL;
}

static void forget_files(group *g)
{
  for (uint32_t i = 0; i < g->n_files; i++) {
    free(g->files[i].path);
    free(g->files[i].name);
  }
  free(g->files);
  g->files = NULL;
  g->n_files = 0;
}

static bp_status list_databases(group *g)
{
  for (uint32_t d = 0; d < g->info->n_databases; d++) {
    const store_database *database = &g->info->databases[d];
    const ese_char *path, *end = database->streams + database->units;
    char *directory = g->taken[d] ? name_join(g->path, database->part) : NULL;
    for (uint32_t i = 0; g->taken[d] && (path = stream_path(database->streams, end, i)) != NULL; i++) {
      saved_file *file = add_file(g, path, directory, stream_part(database->streams, database->units, i));
      if (!file) {
        free(directory);
        return no_memory(g->host);
      }
      file->database = d;
    }
    free(directory);
  }
  return BP_OK;
}

/* The logs of the session, oldest first, with the heads of those from generation `from` on; older ones are not wanted. */
static bp_status list_logs(group *g, uint32_t from, ese_result *refused)
{
  ese_char *list;
  bp_status status = session_logs(&g->session, &list, refused);
  for (const ese_char *path = list; status == BP_OK && wide_more(path, NULL); path = wide_next(path, NULL)) {
    char *name = wide_to_utf8(wide_file_name(path));
    saved_file *file = add_file(g, path, g->path, name ? part_of(name) : NULL);
    free(name);
    if (!file) {
      status = no_memory(g->host);
      break;
    }
    file->is_log = log_name(wide_file_name(path), file->log_base, &file->generation);
    file->unwanted = file->is_log && file->generation < from;
    if (file->is_log && !file->unwanted)
      status = session_log_head(&g->session, path, &file->head);
  }
  session_free_list(&g->session, list);
  return status;
}

/* ---- which set ------------------------------------------------------------------------------------------------- */

static const char *without_state(const group *g)
{
  switch (g->cause->state_why) {
  case BP_STATE_FOUND: return "the base Job has nothing of this storage group";
  case BP_STATE_FIRST: return "this FileSet's Exchange was never saved before";
  case BP_STATE_LOST: return "what the base Job had saved is not known here any more";
  case BP_STATE_RESTORED: return "a restore ran since the base Job";
  case BP_STATE_FILESET_CHANGED: return "the base Job was run with another FileSet";
  case BP_STATE_UNNAMED: return "the Director did not name the base Job";
  case BP_STATE_GAP: return "what the base Job had saved cannot be read";
  default: return "there is no base Job";
  }
}

static bp_status open_session(group *g, uint32_t type, ese_result *refused)
{
  return session_open(&g->session, g->settings->server, g->store->annotation, g->info->id, type, refused);
}

/* A session of logs alone, if they continue the base. Else why has the reason, and no session is open. */
static bp_status begin_with_logs(group *g, const group_record *base, text *why)
{
  ese_result refused = ESE_OK;
  bp_status status;
  if (!chain_has_databases(g, base, why))
    return BP_OK;
  status = open_session(g, ESE_BACKUP_LOGS_ONLY, &refused);
  if (status == BP_OK && refused >= 0)
    status = list_logs(g, base->high, &refused);
  if (status != BP_OK)
    return status;
  if (refused < 0)
    text_put(why, ese_meaning(refused));
  else if (chain_is_whole(g, why) && chain_continues(g, base, why))
    chain_tell_clock(g, base);
  if (why->len) {
    session_end(&g->session, false);
    forget_files(g);
    return BP_OK;
  }
  for (uint32_t i = 0; i < g->n_files; i++) /* the base's highest was listed to be looked at */
    g->files[i].unwanted = g->files[i].is_log && g->files[i].generation <= base->high;
  return BP_OK;
}

static bp_status begin_with_databases(group *g)
{
  ese_result refused = ESE_OK;
  bp_status status = open_session(g, ESE_BACKUP_FULL, &refused);
  g->has_databases = true;
  if (status == BP_OK && refused < 0)
    status = ese_failed(g->host, refused, "beginning the backup of", g->info->name);
  return status == BP_OK ? list_databases(g) : status;
}

static bp_status begin_after_gap(group *g, const group_record *base, const char *why)
{
  if (!g->settings->self_contained)
    return bp_failf(g->host, BP_E_FAIL, BP_OS_NONE, 0,
                    "%s: a gap after generation %u: %s. Run a Full, or set on-gap = self-contained", g->info->name,
                    (unsigned)(base ? base->high : 0), why);
  bp_logf(g->host, BP_MSG_WARNING,
          "%s: gap after generation %u: %s. A complete set is saved instead, databases and logs, and no log is truncated; run a "
          "Full soon",
          g->info->name, (unsigned)(base ? base->high : 0), why);
  g->self_contained = true;
  return begin_with_databases(g);
}

bp_status group_begin(group *g)
{
  const group_record *base = records_find(&g->cause->base, g->store->part, g->info->part);
  text why = { 0 };
  bp_status status = BP_OK;
  g->session.host = g->host;
  g->session.group = g->info->name;
  if (g->cause->level == BP_LEVEL_FULL)
    return begin_with_databases(g);
  if (base)
    status = begin_with_logs(g, base, &why);
  else
    text_put(&why, without_state(g));
  if (status == BP_OK && why.failed)
    status = no_memory(g->host);
  else if (status == BP_OK && why.len)
    status = begin_after_gap(g, base, why.at);
  text_free(&why);
  return status;
}

/* Was every file of this database read? */
static bool database_is_whole(const group *g, uint32_t database)
{
  for (uint32_t i = 0; i < g->n_files; i++)
    if (g->files[i].database == database && !g->files[i].whole)
      return false;
  return true;
}

static bool any_database_is_whole(const group *g)
{
  for (uint32_t d = 0; d < g->info->n_databases; d++)
    if (g->taken[d] && database_is_whole(g, d))
      return true;
  return false;
}

bp_status group_list_logs(group *g)
{
  ese_result refused = ESE_OK;
  text why = { 0 };
  bp_status status;
  if (!any_database_is_whole(g)) {
    session_end(&g->session, false);
    return BP_OK;
  }
  status = list_logs(g, 0, &refused);
  if (status == BP_OK && refused < 0)
    status = ese_failed(g->host, refused, "listing the logs of", g->info->name);
  if (status == BP_OK && !chain_is_whole(g, &why))
    status = why.failed ? no_memory(g->host)
                        : bp_failf(g->host, BP_E_FAIL, BP_OS_NONE, 0,
                                   "%s: %s. Databases saved with such logs cannot be restored; check the logs with eseutil /ml",
                                   g->info->name, why.at);
  text_free(&why);
  return status;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

bp_status group_open_file(group *g, uint32_t file, uint64_t *size)
{
  bp_status status = session_open_file(&g->session, g->files[file].path, size);
  g->reading = file;
  g->position = 0;
  return status;
}

/* As many bytes as fit, by as many reads as that takes. */
bp_status group_read(group *g, void *buf, uint64_t cap, bp_chunk *chunk)
{
  saved_file *file = &g->files[g->reading];
  uint8_t *out = buf;
  uint64_t start = g->position, filled = 0, got = 1;
  log_head head;
  while (got && cap - filled >= ESE_READ_MOST) {
    bp_status status = session_read(&g->session, out + filled, cap - filled, &got);
    if (status != BP_OK)
      return status;
    for (uint64_t i = 0; i < got && g->position + i < sizeof g->start; i++)
      g->start[g->position + i] = out[filled + i];
    filled += got;
    g->position += got;
  }
  if (!got) {
    file->whole = true;
    if (file->is_log
        && (g->position < sizeof g->start || !log_head_read(&head, g->start) || memcmp(&head, &file->head, sizeof head)))
      return bp_failf(g->host, BP_E_FAIL, BP_OS_NONE, 0, "%s is not the log any more that was listed", file->name);
  }
  return bp_chunk_set(chunk, start, filled, !got);
}

bp_status group_close_file(group *g)
{
  return session_close_file(&g->session);
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

/* The unbroken run of saved logs from the first one on. */
static bool record_logs(group *g)
{
  group_record *record = &g->record;
  bool whole = true;
  for (uint32_t i = 0; i < g->n_files; i++) {
    const saved_file *file = &g->files[i];
    if (file->database != NO_DATABASE || file->unwanted)
      continue;
    if (!file->whole && whole) {
      bp_logf(g->host, BP_MSG_WARNING,
              "%s: %s was left out by the FileSet: what came after it cannot be replayed, and no log is truncated",
              g->info->name, file->name);
      whole = false;
    }
    if (!file->is_log || !whole)
      continue;
    if (!record->low) {
      record->low = file->generation;
      memcpy(record->log_base, file->log_base, sizeof record->log_base);
      memcpy(record->signature, file->head.signature, sizeof record->signature);
    }
    record->high = file->generation;
    memcpy(record->high_created, file->head.created, sizeof record->high_created);
  }
  return whole;
}

/* Of a set with databases: those that were read. False: no memory. */
static bool record_databases(group *g, bool *whole)
{
  for (uint32_t d = 0; d < g->info->n_databases; d++) {
    const store_database *database = &g->info->databases[d];
    bool saved = g->taken[d] && database_is_whole(g, d);
    if (!g->taken[d])
      continue;
    if (!saved) {
      bp_logf(g->host, BP_MSG_WARNING, "%s: database %s was left out by the FileSet: no log is truncated", g->info->name,
              database->name);
      *whole = false;
    }
    if (!record_add_database(&g->record, &database->guid, database->part, database->streams, database->units,
                             saved ? g->record.low : 0))
      return false;
  }
  return true;
}

/* Of logs alone: what the base says of its databases still holds. False: no memory. */
static bool record_continued_databases(group *g, const group_record *base, bool *whole)
{
  for (uint32_t d = 0; d < base->n_databases; d++) {
    const database_record *was = &base->databases[d];
    *whole = *whole && was->needs; /* one that the base left out stands on an older Job: so may its logs */
    if (!record_add_database(&g->record, &was->guid, was->part, was->streams, was->units, was->needs))
      return false;
  }
  if (!g->record.high) { /* not one log was saved: the next Job continues where this one should have */
    g->record.high = base->high;
    memcpy(g->record.log_base, base->log_base, sizeof base->log_base);
    memcpy(g->record.high_created, base->high_created, sizeof base->high_created);
    memcpy(g->record.signature, base->signature, sizeof base->signature);
  }
  return true;
}

/* Truncation asks that each log of the session was read, also those that the base has. */
static bp_status read_unwanted(group *g)
{
  for (uint32_t i = 0; i < g->n_files; i++) {
    bp_status status = g->files[i].unwanted ? session_pass_over(&g->session, g->files[i].path) : BP_OK;
    if (status != BP_OK)
      return status;
  }
  return BP_OK;
}

/* Databases that were read while the service was at work are nothing without the logs of that time. False: it named none. */
static bool has_its_logs(const group *g)
{
  if (!g->has_databases || !any_database_is_whole(g))
    return true;
  for (uint32_t i = 0; i < g->n_files; i++)
    if (g->files[i].is_log)
      return true;
  bp_logf(g->host, BP_MSG_WARNING,
          "%s: Exchange named no log behind its databases: without one they cannot be recovered, only restored as plain files. No "
          "log is truncated, and no Job can continue from this one; look at Exchange's own event log",
          g->info->name);
  return false;
}

static void tell(const group *g)
{
  uint32_t databases = 0, logs = 0;
  for (uint32_t i = 0; i < g->n_files; i++) {
    databases += g->files[i].database != NO_DATABASE && g->files[i].whole;
    logs += g->files[i].is_log && g->files[i].whole;
  }
  bp_logf(g->host, BP_MSG_INFO, "%s: %u database files and %u logs, generations %u to %u", g->info->name, (unsigned)databases,
          (unsigned)logs, (unsigned)g->record.low, (unsigned)g->record.high);
}

bp_status group_finish(group *g)
{
  const group_record *base = records_find(&g->cause->base, g->store->part, g->info->part);
  bool asked = settings_truncates(g->settings, g->cause->level) && !g->self_contained, logs_whole, whole, enough;
  g->record.part = strdup(g->info->part);
  g->record.service = strdup(g->store->part);
  g->record.job = strdup(g->cause->job);
  g->record.instance = g->info->id;
  g->record.has_databases = g->has_databases;
  if (!g->record.part || !g->record.service || !g->record.job)
    return no_memory(g->host);
  whole = logs_whole = record_logs(g);
  whole = has_its_logs(g) && whole;
  tell(g);
  if (asked && !g->all_taken)
    bp_logf(g->host, BP_MSG_INFO, "%s: not all of its databases were asked for, so no log is truncated", g->info->name);
  enough = g->has_databases ? record_databases(g, &whole) : record_continued_databases(g, base, &whole);
  if (!enough)
    return no_memory(g->host);
  if (asked && logs_whole && !whole && !g->has_databases)
    bp_logf(g->host, BP_MSG_WARNING, "%s: the base has not all of its databases: no log is truncated", g->info->name);
  g->truncates = g->record.truncated = asked && whole && g->all_taken;
  g->recorded = true;
  return g->truncates ? read_unwanted(g) : BP_OK;
}

void group_commit(group *g)
{
  if (!g->session.set_up)
    return;
  if (g->truncates)
    session_truncate(&g->session);
  session_end(&g->session, true);
}

void group_free(group *g)
{
  session_end(&g->session, false);
  forget_files(g);
  record_free(&g->record);
  free(g->path);
  free(g->taken);
}
