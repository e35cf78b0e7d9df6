/* SPDX-License-Identifier: Apache-2.0 */
/* The backup half of the interface: order of calls, what it changes on disk, and when. */
#include "backup.h"

#include <stdlib.h>
#include <string.h>

#include "exports.h"
#include "faults.h"
#include "listing.h"
#include "lock.h"
#include "memory.h"
#include "replay.h"
#include "session.h"
#include "text.h"
#include "truncation.h"

ese_result backup_prepare(const char *root, const ese_char *server, const ese_char *annotation, uint32_t *count,
                          ese_instance_info **instances, ese_context *context)
{
  session *made = NULL;
  ese_result result = session_new(root, &made);
  *count = 0;
  *instances = NULL;
  *context = NULL;
  if (result >= 0)
    result = fault_call(&made->now, "HrESEBackupPrepare");
  if (result >= 0)
    result = store_answers(&made->now, server, annotation);
  if (result >= 0)
    result = listing_instances(&made->now, count, instances);
  if (result < 0) {
    if (made)
      session_free(made);
    return result;
  }
  *context = made;
  return ESE_OK;
}

ese_result ESE_CALL HrESEBackupPrepare(const ese_char *server, const ese_char *annotation, uint32_t *count,
                                       ese_instance_info **instances, ese_context *context)
{
  char root[PATH_CAP];
  ese_result result = store_root(root);
  return result < 0 ? result : backup_prepare(root, server, annotation, count, instances, context);
}

static ese_result hold(session *of)
{
  log_header header;
  log_end end;
  session_lock other;
  ese_result result;
  int guard = group_guard(&of->of, &result);
  if (guard < 0)
    return result;
  if (lock_held(&of->of, &other))
    result = ESE_E_BACKUP_IN_PROGRESS;
  if (result >= 0 && of->type == ESE_BACKUP_LOGS_ONLY && of->of.circular)
    result = ESE_E_LOGGING_DISABLED;
  if (result >= 0 && of->type == ESE_BACKUP_LOGS_ONLY && fault_number(&of->now, "early_refusal"))
    result = truncation_precondition(&of->of);
  if (result >= 0 && (result = checkpoint_read(&of->of, &of->low)) >= 0 && (result = log_current(&of->of, &header, &end)) >= 0) {
    of->high = header.generation;
    result = lock_take(&of->of, (uintptr_t)of, of->low);
  }
  group_unguard(guard);
  return result;
}

ese_result ESE_CALL HrESEBackupSetup(ese_context context, int64_t instance_id, uint32_t type)
{
  session *of;
  ese_result result = session_enter(context, "HrESEBackupSetup", &of);
  if (result < 0)
    return result;
  if (of->set_up)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if (type < ESE_BACKUP_FULL || type > ESE_BACKUP_FULL_WITH_ALL_LOGS)
    return ESE_E_INVALID_PARAMETER;
  of->type = type;
  result = group_load_id(&of->of, &of->now, instance_id);
  if (result >= 0)
    result = hold(of);
  of->set_up = result >= 0;
  return result;
}

ese_result ESE_CALL HrESEBackupOpenFile(ese_context context, const ese_char *name, uint32_t read_hint, uint32_t sections,
                                        void **handles, int64_t *sizes)
{
  session *of;
  char path[PATH_CAP];
  reader *made;
  ese_result result = session_enter(context, "HrESEBackupOpenFile", &of);
  (void)read_hint;
  if (result < 0)
    return result;
  if (!of->set_up)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if (sections != 1 || !text_to_utf8(name, path, sizeof path))
    return ESE_E_INVALID_PARAMETER;
  result = reader_open(of, path, &made, sizes);
  if (result >= 0)
    *handles = made;
  return result;
}

ese_result ESE_CALL HrESEBackupReadFile(ese_context context, void *handle, void *buffer, uint32_t size, uint32_t *got)
{
  session *of;
  uint32_t read;
  uint16_t word;
  ese_result result = session_enter(context, "HrESEBackupReadFile", &of);
  if (result < 0)
    return result;
  if (!reader_known(of, handle) || !size)
    return ESE_E_INVALID_PARAMETER;
  process_sleep_ms(fault_number(&of->now, "read_delay_ms"));
  result = reader_read(of, handle, buffer, size, &read);
  if (result < 0)
    return result;
  word = (uint16_t)read;
  if (fault_number(&of->now, "got_is_word"))
    memcpy(got, &word, sizeof word); /* the low half, on the little-endian machines there are */
  else
    *got = read;
  return ESE_OK;
}

ese_result ESE_CALL HrESEBackupCloseFile(ese_context context, void *handle)
{
  session *of;
  ese_result result = session_enter(context, "HrESEBackupCloseFile", &of);
  return result < 0 ? result : reader_close(of, handle);
}

/* Closes the current log and decides what is offered; the group is guarded. */
static ese_result offer(session *of)
{
  log_range range;
  ese_result result = of->type == ESE_BACKUP_LOGS_ONLY ? truncation_precondition(&of->of) : ESE_OK;
  if (result < 0 || (result = stream_roll(&of->of)) < 0 || (result = log_ranges(&of->of, of->of.directory, &range)) < 0)
    return result;
  of->offered_low = of->type == ESE_BACKUP_FULL ? of->low : range.oldest;
  of->offered_high = range.newest;
  if (range.gap || range.oldest > of->offered_low || (of->type != ESE_BACKUP_LOGS_ONLY && range.oldest > of->low))
    return ESE_E_MISSING_FILE_TO_BACKUP;
  of->log_read = calloc(range.newest - of->offered_low + 1, sizeof *of->log_read);
  if (fault_number(&of->now, "no_logs"))
    of->offered_low = of->offered_high + 1;
  return of->log_read ? ESE_OK : ESE_E_NOT_ENOUGH_MEMORY;
}

/* Offered logs below `below` as a multi-string. */
static ese_result give_logs(const session *of, uint32_t from, uint32_t below, ese_char **files)
{
  text_list list = {0};
  char path[PATH_CAP];
  bool good = true;
  for (; good && from < below; from++) {
    log_path(&of->of, from, path);
    good = text_list_add(&list, path);
  }
  good = good && text_list_end(&list, 1);
  *files = good ? memory_give(MEMORY_BACKUP, list.length * sizeof **files, 0) : NULL;
  if (*files)
    memcpy(*files, list.units, list.length * sizeof **files);
  text_list_free(&list);
  return *files ? ESE_OK : ESE_E_NOT_ENOUGH_MEMORY;
}

static bool any_database(const session *of)
{
  uint32_t n;
  for (n = 0; n < of->of.database_count; n++)
    if (session_has_database(of, n))
      return true;
  return false;
}

ese_result ESE_CALL HrESEBackupGetLogAndPatchFiles(ese_context context, ese_char **files)
{
  session *of;
  ese_result result = session_enter(context, "HrESEBackupGetLogAndPatchFiles", &of);
  if (result < 0)
    return result;
  if (!of->set_up || of->readers || (of->type == ESE_BACKUP_FULL && !any_database(of)))
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if (!of->listed) {
    int guard = group_guard(&of->of, &result);
    if (guard < 0)
      return result;
    result = offer(of);
    group_unguard(guard);
    of->listed = result >= 0;
  }
  return result < 0 ? result : give_logs(of, of->offered_low, of->offered_high + 1, files);
}

static ese_result bound(const session *of, uint32_t *below)
{
  bool taken[DATABASES_MOST];
  uint32_t n;
  for (n = 0; n < DATABASES_MOST; n++)
    taken[n] = session_has_database(of, n);
  return truncation_bound(&of->of, of->type == ESE_BACKUP_LOGS_ONLY ? NULL : taken, of->offered_high, below);
}

ese_result ESE_CALL HrESEBackupGetTruncateLogFiles(ese_context context, ese_char **files)
{
  session *of;
  uint32_t below;
  log_range range;
  ese_result result = session_enter(context, "HrESEBackupGetTruncateLogFiles", &of);
  if (result < 0)
    return result;
  if (!of->set_up || !of->listed)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if ((result = bound(of, &below)) < 0 || (result = log_ranges(&of->of, of->of.directory, &range)) < 0)
    return result;
  return give_logs(of, range.oldest, below, files);
}

ese_result ESE_CALL HrESEBackupTruncateLogs(ese_context context)
{
  session *of;
  uint32_t below, n;
  ese_result result = session_enter(context, "HrESEBackupTruncateLogs", &of);
  int guard;
  if (result < 0)
    return result;
  if (!of->set_up || !of->listed || of->readers || of->truncated)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  for (n = of->offered_low; n <= of->offered_high; n++)
    if (!of->log_read[n - of->offered_low])
      return ESE_E_LOG_SEQUENCE_NOT_READ;
  guard = group_guard(&of->of, &result);
  if (guard < 0)
    return result;
  result = bound(of, &below);
  if (result >= 0)
    result = truncation_delete(&of->of, below, fault_number(&of->now, "die_in_truncate"));
  group_unguard(guard);
  of->truncated = result >= 0;
  return result;
}

static enum record_kind kind_of(const session *of)
{
  if (of->type == ESE_BACKUP_LOGS_ONLY)
    return of->truncated ? RECORD_INCREMENTAL : RECORD_DIFFERENTIAL;
  return of->truncated || fault_number(&of->now, "old_engine") ? RECORD_FULL : RECORD_COPY;
}

/* What the engine remembers of a backup: in the header of each database that took part. */
static ese_result record(const session *of)
{
  log_header current;
  log_end end;
  backup_record made = {.gen_low = of->offered_low, .gen_high = of->offered_high};
  uint32_t n;
  ese_result result = log_current(&of->of, &current, &end);
  made.generation = current.generation;
  made.offset = end.offset;
  log_time(of->of.clock_s, made.time);
  for (n = 0; n < of->of.database_count && result >= 0; n++) {
    const database *one = &of->of.databases[n];
    database_header header;
    if (!one->mounted || (of->type != ESE_BACKUP_LOGS_ONLY && !session_has_database(of, n)))
      continue;
    if ((result = database_read_header(&of->of, one, &header)) < 0)
      break;
    header.records[kind_of(of)] = made;
    if (kind_of(of) == RECORD_FULL) {
      memset(&header.records[RECORD_INCREMENTAL], 0, sizeof *header.records);
      memset(&header.records[RECORD_DIFFERENTIAL], 0, sizeof *header.records);
    }
    result = database_write_header(&of->of, one, &header);
  }
  return result;
}

ese_result ESE_CALL HrESEBackupInstanceEnd(ese_context context, uint32_t flags)
{
  session *of;
  ese_result result = session_enter(context, "HrESEBackupInstanceEnd", &of);
  if (result < 0)
    return result;
  if (!of->set_up)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if (flags == ESE_INSTANCE_END_SUCCESS && (!of->listed || of->readers))
    result = ESE_E_INVALID_BACKUP_SEQUENCE; /* ends as error all the same */
  else if (flags == ESE_INSTANCE_END_SUCCESS) {
    int guard = group_guard(&of->of, &result);
    if (guard >= 0)
      result = record(of);
    group_unguard(guard);
  }
  session_leave_group(of);
  return result;
}

ese_result ESE_CALL HrESEBackupEnd(ese_context context)
{
  session *of;
  ese_result result = session_enter(context, "HrESEBackupEnd", &of);
  if (of)
    session_free(of);
  return result;
}

ese_result ESE_CALL HrESEBackupGetDependencyInfo(ese_context context, ese_char **info, uint32_t *info_size, ese_char **annotations)
{
  session *of;
  ese_result result = session_enter(context, "HrESEBackupGetDependencyInfo", &of);
  *info = *annotations = NULL;
  *info_size = 0;
  return result;
}

void ESE_CALL ESEBackupFreeInstanceInfo(uint32_t count, ese_instance_info *instances)
{
  memory_take_back(MEMORY_INSTANCES, instances, count);
}

void ESE_CALL ESEBackupFree(void *memory)
{
  memory_take_back(MEMORY_BACKUP, memory, 0);
}
