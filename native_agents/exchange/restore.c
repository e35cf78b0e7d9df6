/* SPDX-License-Identifier: Apache-2.0 */
#include "restore.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "names.h"
#include "record.h"
#include "result.h"
#include "target.h"
#include "text.h"

/* The header of a database and the copy behind it, whatever its pages; they are written when all else is there, so that one that did
 * not come whole is none. */
enum { HEAD_BYTES = 1 << 16 };
enum at_hand { NOTHING, A_DIRECTORY, A_DESCRIPTION, A_DATABASE, A_LOG };

struct restore {
  const bp_host_api *host;
  const settings    *settings;
  service  service;
  target **targets;          /* each stays where it is */
  uint32_t n_targets;

  enum at_hand at_hand;      /* the entry */
  target  *target;
  text     description;
  disk_file file;
  ese_char *path;            /* of the file; owned for a log */
  uint32_t log;
  uint8_t  start[LOG_HEAD_BYTES];
  uint8_t  head[HEAD_BYTES]; /* of a database */
  uint64_t end;
  bool     data, was_torn;
};

bp_status restore_begin(restore **out, const bp_host_api *host, service service, const settings *settings)
{
  restore *r = *out = calloc(1, sizeof *r);
  if (!r)
    return no_memory(host);
  r->host = host;
  r->service = service;
  r->settings = settings;
  return BP_OK;
}

static target *target_of(restore *r, const char *service, const char *part)
{
  target **larger, *one;
  for (uint32_t i = 0; i < r->n_targets; i++)
    if (!strcmp(r->targets[i]->part, part) && !strcmp(r->targets[i]->service, service))
      return r->targets[i];
  larger = realloc(r->targets, (r->n_targets + 1) * sizeof *larger);
  one = larger ? calloc(1, sizeof *one) : NULL;
  if (larger)
    r->targets = larger;
  if (!one)
    return NULL;
  larger[r->n_targets++] = one;
  one->host = r->host;
  one->settings = r->settings;
  one->service = strdup(service);
  one->part = strdup(part);
  return one->service && one->part ? one : NULL;
}

/* ---- descriptions ---------------------------------------------------------------------------------------------- */

/* One that came as a restore object comes as a file again. */
static bool is_known(const target *t, const group_record *record)
{
  for (uint32_t i = 0; i < t->known.count; i++)
    if (!strcmp(t->known.at[i].job, record->job))
      return true;
  return false;
}

static bp_status take_description(restore *r)
{
  records read = { 0 };
  const char *wrong = r->description.failed ? "there is no memory for it"
                                            : records_read(&read, r->description.at ? r->description.at : "", r->description.len);
  bp_status status = BP_OK;
  if (wrong)
    status = bp_failf(r->host, BP_E_ENTRY, BP_OS_NONE, 0, "a description of a storage group: %s", wrong);
  for (uint32_t i = 0; status == BP_OK && i < read.count; i++) {
    target *t = target_of(r, read.at[i].service, read.at[i].part);
    group_record *place = t && !is_known(t, &read.at[i]) ? records_add(&t->known) : NULL;
    if (place) { /* it moves */
      *place = read.at[i];
      memset(&read.at[i], 0, sizeof read.at[i]);
    } else if (!t) {
      status = no_memory(r->host);
    }
  }
  records_free(&read);
  text_free(&r->description);
  return status;
}

/* ---- entries --------------------------------------------------------------------------------------------------- */

static bp_status reach_service(restore *r, target *t)
{
  bp_status status;
  if (t->library)
    return BP_OK;
  if (r->settings->logpath && r->n_targets > 1)
    for (uint32_t i = 0; i < r->n_targets; i++)
      if (r->targets[i] != t && r->targets[i]->library)
        return bp_fail(r->host, BP_E_FAIL, BP_OS_NONE, 0, "option logpath is for one storage group: restore them one by one");
  status = r->service.library(r->service.of, &t->library);
  if (status != BP_OK)
    t->library = NULL;
  return status;
}

static bp_status start_file(restore *r, const stored_name *name)
{
  const ese_char *path = NULL;
  bool is_log = name->depth == DEPTH_DATABASE; /* a file in the group's own directory */
  bp_status status;
  r->target = target_of(r, name->parts[DEPTH_SERVICE], name->parts[DEPTH_GROUP]);
  if (!r->target)
    return no_memory(r->host);
  status = reach_service(r, r->target);
  if (status == BP_OK && is_log)
    status = target_log_file(r->target, name->parts[DEPTH_DATABASE], &r->path, &r->log);
  else if (status == BP_OK)
    status = target_database_file(r->target, name->parts[DEPTH_DATABASE], name->parts[DEPTH_FILE], &path);
  if (status == BP_OK && !disk_create(&r->file, is_log ? r->path : path))
    status = disk_failed(r->host, "create", is_log ? r->path : path);
  if (status != BP_OK) {
    r->target->failed = true;
    free(r->path);
    r->path = NULL;
    return status;
  }
  r->at_hand = is_log ? A_LOG : A_DATABASE;
  r->was_torn = r->target->torn;
  r->target->torn = r->was_torn || !is_log;
  memset(r->head, 0, sizeof r->head);
  return BP_OK;
}

bp_status restore_entry(restore *r, const bp_entry *entry, const void *base, const char *dest, uint32_t *action)
{
  const char *path = (const char *)base + entry->name_off;
  bool elsewhere = strlen(dest) != entry->name_len || memcmp(dest, path, entry->name_len);
  stored_name name;
  bp_status status = BP_OK;
  r->at_hand = NOTHING;
  r->end = 0;
  r->data = false;
  if (elsewhere) { /* `where`, or a new name: plain files, which need no Exchange */
    *action = entry->type == BP_TYPE_OBJECT ? BP_ACTION_SKIP : BP_ACTION_HOST;
    return BP_OK;
  }
  if (!name_parse(&name, path, entry->name_len))
    return bp_fail(r->host, BP_E_ENTRY, BP_OS_NONE, 0, "it is not below " ROOT_PATH);
  *action = BP_ACTION_WANT;
  if (entry->type == BP_TYPE_DIRECTORY) {
    r->at_hand = A_DIRECTORY; /* the service has its own */
    *action = BP_ACTION_CREATED;
  } else if (entry->type == BP_TYPE_OBJECT || (name.depth == DEPTH_DATABASE && !strcmp(name.parts[DEPTH_DATABASE], DESCRIPTION))) {
    r->at_hand = A_DESCRIPTION;
  } else if (entry->type != BP_TYPE_REGULAR || name.depth < DEPTH_DATABASE) {
    status = bp_fail(r->host, BP_E_ENTRY, BP_OS_NONE, 0, "nothing of this kind is ever saved here");
  } else {
    status = start_file(r, &name);
  }
  name_free(&name);
  return status;
}

bp_status restore_stream(restore *r, uint32_t stream)
{
  r->data = stream == BP_STREAM_DATA || stream == BP_STREAM_OBJECT;
  return r->data ? BP_OK : bp_fail(r->host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "Exchange has no such thing");
}

static uint64_t least(uint64_t one, uint64_t other)
{
  return one < other ? one : other;
}

bp_status restore_write(restore *r, const void *buf, const bp_chunk *chunk)
{
  uint64_t held = 0;
  if (bp_cancelled(r->host))
    return BP_E_CANCELLED;
  r->end = chunk->offset + chunk->len;
  if (r->at_hand == A_DESCRIPTION) {
    if (r->end > BP_MAX_STATE || chunk->len > BP_MAX_STATE - r->description.len) /* a Volume may say any offset */
      return bp_fail(r->host, BP_E_ENTRY, BP_OS_NONE, 0, "too long for a description");
    text_add(&r->description, buf, (size_t)chunk->len);
    return BP_OK;
  }
  for (uint64_t i = 0; i < chunk->len && chunk->offset + i < sizeof r->start; i++)
    r->start[chunk->offset + i] = ((const uint8_t *)buf)[i];
  if (r->at_hand == A_DATABASE && chunk->offset < HEAD_BYTES) {
    held = least(chunk->len, HEAD_BYTES - chunk->offset);
    memcpy(r->head + chunk->offset, buf, (size_t)held);
  }
  if (disk_write(&r->file, (const uint8_t *)buf + held, chunk->len - held, chunk->offset + held))
    return BP_OK;
  return disk_failed(r->host, "write a file of", r->path ? r->path : u"a database");
}

static bp_status finish_log(restore *r)
{
  staged_log *log = &r->target->logs[r->log];
  log->whole = !log->is_log
               || (r->end >= sizeof r->start && log_head_read(&log->head, r->start) && log->head.generation == log->generation);
  if (log->whole)
    return BP_OK;
  r->target->failed = true;
  return bp_fail(r->host, BP_E_ENTRY, BP_OS_NONE, 0, "it is not the log that its name says");
}

bp_status restore_done(restore *r, bp_status how)
{
  enum at_hand what = r->at_hand;
  bp_status status = BP_OK;
  r->at_hand = NOTHING;
  if (what == A_DESCRIPTION)
    return how == BP_OK ? take_description(r) : (text_free(&r->description), BP_OK);
  if (what != A_DATABASE && what != A_LOG)
    return BP_OK;
  if (what == A_DATABASE && how == BP_OK
      && !(disk_flush(&r->file) && disk_write(&r->file, r->head, least(r->end, HEAD_BYTES), 0)))
    status = disk_failed(r->host, "finish a file of", u"a database");
  if (!disk_finish(&r->file, r->end) && status == BP_OK)
    status = disk_failed(r->host, "finish a file of", r->path ? r->path : u"a database");
  if (what == A_DATABASE && how == BP_OK && status == BP_OK)
    r->target->torn = r->was_torn;
  if (how != BP_OK || status != BP_OK)
    r->target->failed = true;
  else if (what == A_LOG)
    status = finish_log(r);
  free(r->path);
  r->path = NULL;
  return status;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

/* A group that cannot be recovered does not keep the others from it. */
bp_status restore_commit(restore *r)
{
  bp_status worst = BP_OK;
  for (uint32_t i = 0; i < r->n_targets; i++) {
    bp_status status = target_commit(r->targets[i]);
    worst = status == BP_OK ? worst : status;
  }
  return worst;
}

void restore_end(restore *r)
{
  if (!r)
    return;
  disk_close(&r->file);
  for (uint32_t i = 0; i < r->n_targets; i++) {
    target_free(r->targets[i]);
    free(r->targets[i]);
  }
  free(r->targets);
  free(r->path);
  text_free(&r->description);
  free(r);
}
