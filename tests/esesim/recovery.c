/* SPDX-License-Identifier: Apache-2.0 */
#include "recovery.h"

#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "faults.h"
#include "replay.h"

/* One run of hard recovery. */
typedef struct recovery {
  const environment *from;
  group restored; /* the restore directory, seen as a group's */
  group target;
  bool has_target; /* false: every database goes to a place of the client's own */
  replay_target opened[DATABASES_MOST];
  uint32_t opened_count;
  uint32_t low, high; /* generations that the copies need at least */
  uint8_t signature[LOG_SIGNATURE];
  bool blind;           /* the switch replay_blindly */
  log_header last;      /* of the log replayed last */
  uint64_t next;        /* the transaction behind it */
  bool to_the_end;      /* the target's current log was replayed too: nothing forks */
} recovery;

static database *member(group *of, const ese_guid *guid, const char *name)
{
  uint32_t n;
  for (n = 0; n < of->database_count; n++)
    if (guid ? guid_equal(&of->databases[n].guid, guid) : !strcmp(of->databases[n].name, name))
      return &of->databases[n];
  return NULL;
}

ese_result recovery_place(const store *of, const environment *from, const ese_guid *guid, const char *name, group *target,
                          database **one)
{
  int pass;
  uint32_t n;
  for (pass = 0; pass < 3; pass++) /* recovery groups by GUID, others by GUID, the source's own by name */
    for (n = 0; n < of->group_count; n++) {
      ese_result result = group_load(target, of, of->groups[n]);
      if (result < 0)
        return result;
      if (pass < 2 ? target->recovery != (pass == 0) : strcmp(target->name, from->source) != 0)
        continue;
      *one = member(target, pass < 2 ? guid : NULL, name);
      if (*one)
        return ESE_OK;
    }
  return ESE_E_DATABASE_NOT_FOUND;
}

/* The target's record of a restored database: the one with the file that it was written to. */
static database *own_record(group *of, const restored_database *one)
{
  uint32_t n;
  for (n = 0; n < of->database_count; n++) {
    char path[PATH_CAP];
    database_path(of, &of->databases[n], 0, path);
    if (!strcmp(path, one->destinations[0]))
      return &of->databases[n];
  }
  return NULL;
}

static ese_result find_target(const store *of, recovery *run, const char *name)
{
  uint32_t n, d;
  for (n = 0; n < of->group_count; n++) {
    ese_result result = group_load(&run->target, of, of->groups[n]);
    if (result < 0)
      return result;
    for (d = 0; d < run->from->database_count; d++)
      if (own_record(&run->target, &run->from->databases[d])) {
        run->has_target = true;
        return *name && strcmp(name, run->target.name) ? ESE_E_INVALID_PARAMETER : ESE_OK;
      }
  }
  return *name ? ESE_E_DATABASE_NOT_FOUND : ESE_OK;
}

/* Opens the copies and learns which logs they need. */
static ese_result open_copies(recovery *run)
{
  uint32_t n;
  for (n = 0; n < run->from->database_count; n++) {
    restored_database one = run->from->databases[n];
    const database *record = run->has_target ? own_record(&run->target, &one) : NULL;
    database_header header;
    ese_result result;
    if (record && record->mounted)
      return ESE_E_DATABASE_IN_USE;
    if (one.announced != (1u << one.streams) - 1)
      return ESE_E_FILE_NOT_FOUND;
    if ((result = header_read(one.destinations[0], &header)) < 0)
      return result;
    if (header.state != DATABASE_COPY)
      return ESE_E_INVALID_LOG_SEQUENCE;
    if (!n || header.copy_low < run->low)
      run->low = header.copy_low;
    if (header.copy_high > run->high)
      run->high = header.copy_high;
    if (n && memcmp(run->signature, header.log_signature, LOG_SIGNATURE))
      return ESE_E_GIVEN_LOG_BAD_SIGNATURE;
    memcpy(run->signature, header.log_signature, LOG_SIGNATURE);
    if ((result = replay_open(&run->opened[n], header.index, one.streams, one.destinations)) < 0)
      return result;
    run->opened_count++;
  }
  return ESE_OK;
}

enum origin { GIVEN, EXISTING };

/* One log, which must follow the last one. */
static ese_result replay_next(recovery *run, const char *path, uint32_t generation, enum origin origin)
{
  log_header header;
  bool closed;
  ese_result result = log_read_header(path, &header);
  if (result < 0)
    return result;
  if (!run->blind) {
    if (memcmp(header.signature, run->signature, LOG_SIGNATURE))
      return origin == GIVEN ? ESE_E_GIVEN_LOG_BAD_SIGNATURE : ESE_E_EXISTING_LOG_BAD_SIGNATURE;
    if (header.generation != generation ||
        (run->last.generation && (run->last.generation + 1 != generation || memcmp(header.previous, run->last.created, LOG_TIME))))
      return origin == GIVEN ? ESE_E_GIVEN_LOG_NOT_CONTIGUOUS : ESE_E_EXISTING_LOG_NOT_CONTIGUOUS;
  }
  result = replay_log(path, run->opened, run->opened_count, &run->next, &closed);
  if (result >= 0 && origin == GIVEN && !closed)
    result = ESE_E_LOG_FILE_CORRUPT;
  run->last = header;
  return result;
}

/* A log beside the announced ones is a leftover of another restore. */
static ese_result refuse_strangers(recovery *run)
{
  log_range range;
  uint32_t generation;
  ese_result result = log_ranges(&run->restored, run->restored.directory, &range);
  for (generation = range.oldest; result >= 0 && generation && generation <= range.newest; generation++) {
    char path[PATH_CAP];
    log_header header;
    if (generation >= run->from->gen_low && generation <= run->from->gen_high)
      continue;
    log_path(&run->restored, generation, path);
    if (!files_exists(path))
      continue;
    if (log_read_header(path, &header) < 0 || memcmp(header.signature, run->signature, LOG_SIGNATURE))
      return ESE_E_EXISTING_LOG_BAD_SIGNATURE;
    return ESE_E_EXISTING_LOG_NOT_CONTIGUOUS;
  }
  return result;
}

static ese_result replay_given(recovery *run)
{
  const environment *from = run->from;
  uint32_t generation;
  ese_result result = ESE_OK;
  if (!run->blind && (!from->gen_high || from->gen_low > run->low || from->gen_high < run->high))
    return ESE_E_GIVEN_LOG_MISSING;
  if (!run->blind && (result = refuse_strangers(run)) < 0)
    return result;
  for (generation = from->gen_low; generation <= from->gen_high && result >= 0; generation++) {
    char path[PATH_CAP];
    log_path(&run->restored, generation, path);
    if (!files_exists(path)) {
      if (run->blind)
        continue;
      return ESE_E_GIVEN_LOG_MISSING;
    }
    result = replay_next(run, path, generation, GIVEN);
  }
  return result;
}

/* Goes on with the logs that the running target still has. */
static ese_result roll_forward(recovery *run)
{
  log_range range;
  log_header current;
  log_end end;
  char path[PATH_CAP];
  uint32_t generation = run->from->gen_high + 1;
  bool same;
  ese_result result = log_current(&run->target, &current, &end);
  if (result < 0 || (result = log_ranges(&run->target, run->target.directory, &range)) < 0)
    return result;
  same = !memcmp(current.signature, run->signature, LOG_SIGNATURE);
  if (!same)
    return range.newest < generation || run->target.recovery ? ESE_OK : ESE_E_EXISTING_LOG_BAD_SIGNATURE;
  if (current.generation < generation) /* the stream was put back in time */
    return ESE_OK;
  if (range.newest >= generation && range.oldest > generation)
    return ESE_E_EXISTING_LOG_NOT_CONTIGUOUS;
  for (; generation < current.generation && result >= 0; generation++) {
    log_path(&run->target, generation, path);
    result = files_exists(path) ? replay_next(run, path, generation, EXISTING) : ESE_E_EXISTING_LOG_NOT_CONTIGUOUS;
  }
  if (result < 0)
    return result;
  log_path(&run->target, 0, path);
  run->to_the_end = true;
  return replay_next(run, path, current.generation, EXISTING);
}

/* No page may know of a transaction that no log brought. */
static ese_result check_pages(const recovery *run)
{
  uint32_t n;
  for (n = 0; n < run->opened_count; n++) {
    uint64_t newest;
    ese_result result = replay_newest(&run->opened[n], &newest);
    if (result < 0)
      return result;
    if (newest >= run->next && newest && !run->blind)
      return ESE_E_GIVEN_LOG_MISSING;
  }
  return ESE_OK;
}

static ese_result finish_database(recovery *run, const restored_database *one, bool attach)
{
  database *record = run->has_target ? own_record(&run->target, one) : NULL;
  database_header header;
  uint32_t stream;
  ese_result result = header_read(one->destinations[0], &header);
  if (result < 0)
    return result;
  header.state = DATABASE_CLEAN;
  header.copy_low = header.copy_high = 0;
  if (record)
    header.guid = record->guid;
  for (stream = 0; stream < one->streams && result >= 0; stream++)
    result = header_write(one->destinations[stream], &header);
  if (result < 0 || !record)
    return result;
  record->index = header.index;
  if (!run->to_the_end && (result = admin_adopt(&run->target, record)) < 0)
    return result;
  return attach ? admin_attach(&run->target, record) : ESE_OK;
}

static void drop_restored(const recovery *run)
{
  uint32_t generation;
  for (generation = run->from->gen_low; generation && generation <= run->from->gen_high; generation++) {
    char path[PATH_CAP];
    log_path(&run->restored, generation, path);
    files_remove(path);
  }
}

static ese_result recover(recovery *run, uint32_t flags)
{
  uint32_t n;
  bool keep = flags & ESE_RESTORE_KEEP_LOG_FILES;
  ese_result result = open_copies(run);
  if (result >= 0)
    result = replay_given(run);
  if (result >= 0 && run->has_target && !keep)
    result = roll_forward(run);
  if (result >= 0)
    result = check_pages(run);
  while (run->opened_count)
    replay_close(&run->opened[--run->opened_count]);
  for (n = 0; n < run->from->database_count && result >= 0; n++)
    result = finish_database(run, &run->from->databases[n], flags & ESE_RESTORE_ATTACH_DATABASES);
  if (result >= 0 && run->has_target)
    result = group_save(&run->target);
  if (result >= 0)
    result = environment_remove(run->from);
  if (result >= 0 && !keep)
    drop_restored(run);
  return result;
}

ese_result recovery_run(const store *of, environment *from, const char *log_path, const char *target, uint32_t flags)
{
  recovery *run = calloc(1, sizeof *run);
  ese_result result = run ? ESE_OK : ESE_E_NOT_ENOUGH_MEMORY;
  int guard = -1;
  if (!run)
    return result;
  run->from = from;
  run->blind = fault_number(of, "replay_blindly");
  memcpy(run->restored.directory, from->log_path, sizeof run->restored.directory);
  memcpy(run->restored.base, from->base, sizeof run->restored.base);
  run->restored.digits = from->digits;
  result = from->database_count ? find_target(of, run, target) : ESE_E_INVALID_PARAMETER;
  if (result >= 0 && *log_path && strcmp(log_path, run->target.directory))
    result = ESE_E_INVALID_PARAMETER; /* a group runs in its own directory */
  if (result >= 0 && run->has_target) {
    guard = group_guard(&run->target, &result);
    if (guard >= 0)
      result = admin_unlocked(&run->target);
  }
  if (result >= 0)
    result = recover(run, flags);
  group_unguard(guard);
  from->status = result < 0 ? 2 : 1;
  from->result = result;
  free(run);
  return result;
}
