/* SPDX-License-Identifier: Apache-2.0 */
#include "backup.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "group.h"
#include "listing.h"
#include "names.h"
#include "plan.h"
#include "record.h"
#include "result.h"

enum phase { NEXT_GROUP, ITS_LOGS, ITS_END, ALL_LISTED };

struct backup {
  const bp_host_api *host;
  bool    is_estimate;
  plan    plan;
  backup_cause cause;
  listing waiting;
  uint32_t current;        /* the group at work; n_groups: none is left */
  enum phase phase;
  int64_t now;
};

/* ---- begin ----------------------------------------------------------------------------------------------------- */

static bp_status read_base(backup *b, const settings *settings, const bp_begin *why)
{
  const char *wrong;
  if (why->state_why != BP_STATE_FOUND)
    return BP_OK;
  wrong = why->state_format == RECORD_FORMAT ? records_read(&b->cause.base, why->state, why->state_len)
                                             : "it is of another version of this agent";
  if (!wrong)
    return BP_OK;
  return bp_failf(b->host, settings->self_contained ? BP_E_BASE : BP_E_FAIL, BP_OS_NONE, 0,
                  "what Job %s left for its successors cannot be used: %s", why->base_job, wrong);
}

/* The first session is opened here, so that a service that is busy is reported before anything moves. */
bp_status backup_begin(backup **out, const bp_host_api *host, const ese_library *library, const settings *settings,
                       const bp_begin *why)
{
  backup *b = *out = calloc(1, sizeof *b);
  bp_status status;
  if (!b)
    return no_memory(host);
  b->host = host;
  b->is_estimate = why->kind == BP_KIND_ESTIMATE;
  b->now = (int64_t)time(NULL);
  b->cause.level = why->level;
  b->cause.state_why = why->state_why;
  b->cause.since = why->since.sec;
  b->cause.job = strdup(why->job);
  b->cause.base_job = strdup(why->base_job);
  if (!b->cause.job || !b->cause.base_job)
    return no_memory(host);
  status = read_base(b, settings, why);
  if (status == BP_OK)
    status = plan_make(&b->plan, host, library, settings, &b->cause, why->fileset);
  if (status == BP_OK && !b->is_estimate && b->plan.n_groups)
    status = group_begin(&b->plan.groups[0]);
  return status;
}

/* ---- what is listed -------------------------------------------------------------------------------------------- */

static group *at_work(const backup *b)
{
  return &b->plan.groups[b->current];
}

/* Directories stand behind what is in them; those on the way to a line are not saved. */
static bool list_directory(backup *b, const char *path)
{
  return !choice_covers(&b->plan.choice, path)
         || listing_directory(&b->waiting, path, b->now, choice_names(&b->plan.choice, path));
}

static bool list_database_directories(backup *b, const group *g)
{
  bool enough = true;
  for (uint32_t d = 0; enough && d < g->info->n_databases; d++) {
    char *path = g->taken[d] ? name_join(g->path, g->info->databases[d].part) : NULL;
    enough = !g->taken[d] || (path && list_directory(b, path));
    free(path);
  }
  return enough;
}

static bp_status list_files(backup *b, const group *g, uint32_t from)
{
  bool enough = true;
  for (uint32_t i = from; enough && i < g->n_files; i++) {
    const saved_file *file = &g->files[i];
    int64_t created = file->is_log && !file->unwanted ? log_time(file->head.created) : 0;
    if (!file->unwanted)
      enough = listing_file(&b->waiting, file->name, i + 1u, created ? created : b->now, BP_SIZE_UNKNOWN);
  }
  return enough ? BP_OK : no_memory(b->host);
}

/* The description comes twice: as a restore object, which a restore gets first, and as a file, for people. */
static bp_status list_end(backup *b, const group *g)
{
  text description = { 0 };
  char *path = name_join(g->path, DESCRIPTION), *object = name_join(g->path, DESCRIPTION_OBJECT);
  bool enough;
  record_start(&description);
  record_write(&description, &g->record);
  enough = path && object && !description.failed
           && listing_content(&b->waiting, object, BP_TYPE_OBJECT, b->now, &description)
           && listing_content(&b->waiting, path, BP_TYPE_REGULAR, b->now, &description) && list_database_directories(b, g)
           && list_directory(b, g->path);
  free(path);
  free(object);
  text_free(&description);
  return enough ? BP_OK : no_memory(b->host);
}

/* Of an estimate: what a Full would read. Logs are not counted: asking for them closes the current one. */
static bp_status estimate_group(backup *b, group *g)
{
  char *description = name_join(g->path, DESCRIPTION);
  bool enough = description && listing_file(&b->waiting, description, UINT32_MAX, b->now, BP_SIZE_UNKNOWN);
  free(description);
  for (uint32_t d = 0; enough && b->cause.level == BP_LEVEL_FULL && d < g->info->n_databases; d++) {
    const store_database *database = &g->info->databases[d];
    char *directory = name_join(g->path, database->part), *part;
    for (uint32_t i = 0; enough && g->taken[d] && (part = stream_part(database->streams, database->units, i)) != NULL; i++) {
      char *path = directory ? name_join(directory, part) : NULL;
      enough = path && listing_file(&b->waiting, path, (uint64_t)d << 16 | (i + 1u), b->now, BP_SIZE_UNKNOWN);
      free(path);
      free(part);
    }
    enough = enough && directory;
    free(directory);
  }
  return enough && list_database_directories(b, g) && list_directory(b, g->path) ? BP_OK : no_memory(b->host);
}

static bp_status list_roots(backup *b)
{
  bool enough = true;
  for (uint32_t s = 0; enough && s < b->plan.n_stores; s++) {
    char *path = name_join(ROOT_PATH, b->plan.stores[s].part);
    enough = path && list_directory(b, path);
    free(path);
  }
  return enough && list_directory(b, ROOT_PATH) ? BP_OK : no_memory(b->host);
}

/* ---- the state ------------------------------------------------------------------------------------------------- */

static bool is_planned(const backup *b, const group_record *record)
{
  for (uint32_t i = 0; i < b->plan.n_groups; i++)
    if (!strcmp(b->plan.groups[i].info->part, record->part) && !strcmp(b->plan.groups[i].store->part, record->service))
      return true;
  return false;
}

/* Of each group what is saved now; a group of the base that is not there today keeps what is known of it. */
static bp_status put_state(backup *b)
{
  text state = { 0 };
  bp_status status;
  record_start(&state);
  for (uint32_t i = 0; i < b->plan.n_groups; i++)
    if (b->plan.groups[i].recorded && b->plan.groups[i].record.high)
      record_write(&state, &b->plan.groups[i].record);
  for (uint32_t i = 0; b->cause.level != BP_LEVEL_FULL && i < b->cause.base.count; i++) {
    const group_record *base = &b->cause.base.at[i];
    if (is_planned(b, base))
      continue;
    bp_logf(b->host, BP_MSG_WARNING, "storage group %s of the base is not there or not mounted: nothing of it is saved", base->part);
    record_write(&state, base);
  }
  status = state.failed ? no_memory(b->host) : bp_put_state(b->host, state.at, state.len, RECORD_FORMAT);
  text_free(&state);
  return status;
}

/* ---- step by step ---------------------------------------------------------------------------------------------- */

/* No more sessions than the settings allow: the oldest ends now, as a backup after which nothing is truncated. */
static void make_room(backup *b)
{
  uint32_t open = 0, most = b->plan.settings.max_open_groups;
  for (uint32_t i = 0; i < b->current; i++)
    open += b->plan.groups[i].session.set_up;
  for (uint32_t i = 0; most && open >= most && i < b->current; i++) {
    group *g = &b->plan.groups[i];
    if (!g->session.set_up)
      continue;
    if (g->truncates)
      bp_logf(b->host, BP_MSG_WARNING, "%s: its session ends before the Job does (max-open-groups = %u): no log is truncated",
              g->info->name, (unsigned)most);
    g->truncates = g->record.truncated = false;
    group_commit(g);
    open--;
  }
}

static bp_status start_group(backup *b)
{
  group *g = at_work(b);
  bp_status status;
  if (b->is_estimate) {
    b->current++;
    return estimate_group(b, g);
  }
  make_room(b);
  status = b->current ? group_begin(g) : BP_OK; /* the first one is open since `begin` */
  if (status != BP_OK)
    return status;
  b->phase = g->has_databases ? ITS_LOGS : ITS_END;
  return list_files(b, g, 0);
}

static bp_status end_group(backup *b)
{
  group *g = at_work(b);
  bp_status status = group_finish(g);
  b->current++;
  b->phase = NEXT_GROUP;
  return status == BP_OK ? list_end(b, g) : status;
}

/* One phase: what it lists has to be read before the next. */
static bp_status step(backup *b)
{
  group *g = at_work(b);
  uint32_t known;
  bp_status status;
  switch (b->phase) {
  case ITS_LOGS:
    known = g->n_files;
    status = group_list_logs(g);
    b->phase = ITS_END;
    return status == BP_OK ? list_files(b, g, known) : status;
  case ITS_END:
    return end_group(b);
  default:
    if (b->current < b->plan.n_groups)
      return start_group(b);
    b->phase = ALL_LISTED;
    return list_roots(b);
  }
}

bp_status backup_next_entries(backup *b, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  while (status == BP_OK) {
    if (bp_cancelled(b->host))
      return BP_E_CANCELLED;
    status = listing_page(&b->waiting, &page);
    if (status != BP_OK || bp_page_count(&page))
      break;
    if (b->phase == ALL_LISTED) {
      status = b->is_estimate ? BP_OK : put_state(b);
      /* Never complete: databases and logs of the base count although they are not listed again. */
      return status == BP_OK ? bp_page_end(&page, 0) : status;
    }
    status = step(b);
  }
  return status == BP_PAGE_FULL ? BP_OK : status;
}

/* ---- streams --------------------------------------------------------------------------------------------------- */

bp_status backup_open(backup *b, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  group *g = at_work(b);
  if (b->is_estimate || b->current >= b->plan.n_groups || !cookie || cookie > g->n_files || stream != BP_STREAM_DATA || offset)
    return bp_fail(b->host, BP_E_INVAL, BP_OS_NONE, 0, "no such stream");
  return group_open_file(g, (uint32_t)(cookie - 1), size);
}

bp_status backup_read(backup *b, void *buf, uint64_t cap, bp_chunk *chunk)
{
  return group_read(at_work(b), buf, cap, chunk);
}

bp_status backup_close(backup *b)
{
  return group_close_file(at_work(b));
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

void backup_commit(backup *b)
{
  for (uint32_t i = 0; i < b->plan.n_groups; i++)
    group_commit(&b->plan.groups[i]);
}

void backup_end(backup *b)
{
  if (!b)
    return;
  plan_free(&b->plan);
  listing_free(&b->waiting);
  records_free(&b->cause.base);
  free(b->cause.job);
  free(b->cause.base_job);
  free(b);
}
