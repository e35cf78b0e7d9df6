/* SPDX-License-Identifier: Apache-2.0 */
/* The restore half of the interface. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "exports.h"
#include "faults.h"
#include "listing.h"
#include "log.h"
#include "memory.h"
#include "recovery.h"
#include "text.h"

typedef struct restoring {
  struct restoring *next;
  char root[PATH_CAP];
  store now;
  environment env;
  bool recovered;
  bool answered; /* the switch open_answers_ok did its work */
} restoring;

static restoring *contexts;

static ese_result start(const ese_char *server, const ese_char *annotation, const char *call, restoring **out)
{
  char root[PATH_CAP];
  restoring *made;
  ese_result result = store_root(root);
  *out = NULL;
  if (result < 0)
    return result;
  made = calloc(1, sizeof *made);
  if (!made)
    return ESE_E_NOT_ENOUGH_MEMORY;
  if ((result = store_load(&made->now, root)) < 0 || (result = fault_call(&made->now, call)) < 0 ||
      (result = store_answers(&made->now, server, annotation)) < 0) {
    free(made);
    return result;
  }
  memcpy(made->root, root, sizeof made->root);
  made->next = contexts;
  contexts = made;
  *out = made;
  return ESE_OK;
}

static void stop(restoring *gone)
{
  restoring **at = &contexts;
  while (*at != gone)
    at = &(*at)->next;
  *at = gone->next;
  free(gone);
}

static ese_result enter(ese_context context, const char *call, restoring **out)
{
  restoring *at = contexts;
  ese_result result;
  while (at && at != context)
    at = at->next;
  *out = at;
  if (!at)
    return ESE_E_INVALID_PARAMETER;
  result = store_load(&at->now, at->root);
  return result < 0 ? result : fault_call(&at->now, call);
}

/* <root>/restore/<group>-<n>, the first that is not there. */
static ese_result choose_path(restoring *of)
{
  char parent[PATH_CAP], name[NAME_CAP + 16];
  const char *directory = "group";
  uint32_t n;
  ese_result result = path_join(parent, of->root, "restore");
  for (n = 0; n < of->now.group_count; n++) {
    group one;
    if (group_load(&one, &of->now, of->now.groups[n]) >= 0 && !strcmp(one.name, of->env.source))
      directory = of->now.groups[n];
  }
  if (result < 0 || (result = files_make_directory(parent)) < 0)
    return result;
  for (n = 1;; n++) {
    snprintf(name, sizeof name, "%s-%u", directory, (unsigned)n);
    if ((result = path_join(of->env.log_path, parent, name)) < 0)
      return result;
    if (!files_exists(of->env.log_path))
      return files_make_directory(of->env.log_path);
  }
}

/* A path of the client's: a directory that is there, and no group's own. */
static ese_result take_path(restoring *of, const ese_char *path)
{
  uint32_t n;
  if (!text_to_utf8(path, of->env.log_path, sizeof of->env.log_path))
    return ESE_E_INVALID_PARAMETER;
  for (n = 0; n < of->now.group_count; n++) {
    char live[PATH_CAP];
    if (path_join(live, of->root, of->now.groups[n]) >= 0 && !strcmp(live, of->env.log_path))
      return ESE_E_INVALID_PARAMETER;
  }
  return files_exists(of->env.log_path) ? ESE_OK : ESE_E_FILE_NOT_FOUND;
}

ese_result ESE_CALL HrESERestoreOpen(const ese_char *server, const ese_char *annotation, const ese_char *source_instance,
                                     const ese_char *log_path, ese_context *context)
{
  restoring *made;
  ese_result result = start(server, annotation, "HrESERestoreOpen", &made);
  *context = NULL;
  if (result < 0)
    return result;
  memcpy(made->env.annotation, made->now.annotation, sizeof made->env.annotation);
  if (!source_instance || !text_to_utf8(source_instance, made->env.source, sizeof made->env.source))
    result = ESE_E_INVALID_PARAMETER;
  else
    result = log_path ? take_path(made, log_path) : choose_path(made);
  if (result < 0) {
    stop(made);
    return result;
  }
  *context = made;
  return ESE_OK;
}

ese_result ESE_CALL HrESERestoreReopen(const ese_char *server, const ese_char *annotation, const ese_char *log_path,
                                       ese_context *context)
{
  restoring *made;
  char path[PATH_CAP];
  ese_result result = start(server, annotation, "HrESERestoreReopen", &made);
  *context = NULL;
  if (result < 0)
    return result;
  result = log_path && text_to_utf8(log_path, path, sizeof path) ? environment_load(&made->env, path) : ESE_E_INVALID_PARAMETER;
  if (result < 0) {
    stop(made);
    return result;
  }
  *context = made;
  return ESE_OK;
}

/* The source streams as the client was given them. */
static ese_result new_database(restoring *of, const ese_char *name, const ese_guid *guid, const ese_char *sources,
                               restored_database **out)
{
  restored_database *one = &of->env.databases[of->env.database_count];
  uint32_t n;
  if (of->recovered)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if (of->env.database_count == DATABASES_MOST || !name || !sources || !text_to_utf8(name, one->name, sizeof one->name))
    return ESE_E_INVALID_PARAMETER;
  for (n = 0; n < of->env.database_count; n++)
    if (!strcmp(of->env.databases[n].name, one->name))
      return ESE_E_INVALID_PARAMETER;
  one->guid = *guid;
  one->streams = one->announced = 0;
  for (; *sources; sources += text_units(sources) + 1)
    if (one->streams == STREAMS_MOST || !text_to_utf8(sources, one->sources[one->streams++], PATH_CAP))
      return ESE_E_INVALID_PARAMETER;
  *out = one;
  return one->streams ? ESE_OK : ESE_E_INVALID_PARAMETER;
}

ese_result ESE_CALL HrESERestoreAddDatabase(ese_context context, const ese_char *name, ese_guid guid,
                                            const ese_char *source_streams, ese_char **destination_streams)
{
  restoring *of;
  restored_database *one;
  group target;
  database *record;
  text_list list = {0};
  uint32_t stream;
  bool good = true;
  ese_result result = enter(context, "HrESERestoreAddDatabase", &of);
  *destination_streams = NULL;
  if (result < 0 || (result = new_database(of, name, &guid, source_streams, &one)) < 0 ||
      (result = recovery_place(&of->now, &of->env, &guid, one->name, &target, &record)) < 0)
    return result;
  if (record->mounted)
    return ESE_E_DATABASE_IN_USE;
  if (target.streams != one->streams)
    return ESE_E_INVALID_PARAMETER;
  for (stream = 0; stream < one->streams; stream++) {
    database_path(&target, record, stream, one->destinations[stream]);
    good = good && text_list_add(&list, one->destinations[stream]);
  }
  if (good && text_list_end(&list, one->streams == 1 ? 2 : 1))
    *destination_streams = memory_give(MEMORY_BACKUP, list.length * sizeof **destination_streams, 0);
  if (*destination_streams)
    memcpy(*destination_streams, list.units, list.length * sizeof **destination_streams);
  text_list_free(&list);
  of->env.database_count += *destination_streams != NULL;
  return *destination_streams ? ESE_OK : ESE_E_NOT_ENOUGH_MEMORY;
}

ese_result ESE_CALL HrESERestoreAddDatabaseNS(ese_context context, const ese_char *name, ese_guid guid,
                                              const ese_char *source_streams, const ese_char *destination_streams)
{
  restoring *of;
  restored_database *one;
  uint32_t stream;
  ese_result result = enter(context, "HrESERestoreAddDatabaseNS", &of);
  if (result < 0 || (result = new_database(of, name, &guid, source_streams, &one)) < 0)
    return result;
  for (stream = 0; stream < one->streams; stream++) {
    if (!destination_streams || !*destination_streams ||
        !text_to_utf8(destination_streams, one->destinations[stream], PATH_CAP))
      return ESE_E_INVALID_PARAMETER;
    destination_streams += text_units(destination_streams) + 1;
  }
  of->env.database_count++;
  return ESE_OK;
}

/* A log by its name: three characters of base, digits, ".log". */
static bool announce_log(environment *env, const char *path)
{
  const char *name = path_base(path);
  size_t length = strlen(name);
  group shape = {0};
  uint32_t generation;
  if (length != 3 + 8 + 4 && length != 3 + 5 + 4)
    return false;
  shape.digits = (uint32_t)length - 3 - 4;
  memcpy(shape.base, name, 3);
  generation = log_generation(&shape, name);
  if (!generation || (env->base[0] && (strcmp(env->base, shape.base) || env->digits != shape.digits)))
    return false;
  memcpy(env->base, shape.base, sizeof env->base);
  env->digits = shape.digits;
  if (!env->gen_low || generation < env->gen_low)
    env->gen_low = generation;
  if (generation > env->gen_high)
    env->gen_high = generation;
  return true;
}

static bool announce_database(environment *env, const char *path)
{
  uint32_t n, stream;
  for (n = 0; n < env->database_count; n++)
    for (stream = 0; stream < env->databases[n].streams; stream++)
      if (!strcmp(env->databases[n].sources[stream], path) || !strcmp(env->databases[n].destinations[stream], path)) {
        env->databases[n].announced |= 1u << stream;
        return true;
      }
  return false;
}

ese_result ESE_CALL HrESERestoreOpenFile(ese_context context, const ese_char *name, uint32_t sections, void **handles)
{
  restoring *of;
  char path[PATH_CAP];
  ese_result result = enter(context, "HrESERestoreOpenFile", &of);
  if (result < 0)
    return result;
  if (of->recovered)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if (sections != 1 || !name || !text_to_utf8(name, path, sizeof path))
    return ESE_E_INVALID_PARAMETER;
  if (!announce_database(&of->env, path) && !announce_log(&of->env, path))
    return ESE_E_FILE_NOT_FOUND;
  if (fault_number(&of->now, "open_answers_ok") && !of->answered) {
    of->answered = true;
    *handles = of;
    return ESE_OK;
  }
  *handles = NULL;
  return ESE_RESTORE_AT_FILE_LEVEL;
}

ese_result ESE_CALL HrESERestoreSaveEnvironment(ese_context context)
{
  restoring *of;
  ese_result result = enter(context, "HrESERestoreSaveEnvironment", &of);
  if (result < 0)
    return result;
  return of->recovered ? ESE_E_INVALID_BACKUP_SEQUENCE : environment_save(&of->env);
}

ese_result ESE_CALL HrESERestoreLoadEnvironment(const ese_char *server, const ese_char *log_path,
                                                ese_restore_environment **environment_out)
{
  char path[PATH_CAP];
  environment *read = calloc(1, sizeof *read);
  ese_result result = read ? ESE_OK : ESE_E_NOT_ENOUGH_MEMORY;
  (void)server;
  *environment_out = NULL;
  if (read)
    result = log_path && text_to_utf8(log_path, path, sizeof path) ? environment_load(read, path) : ESE_E_INVALID_PARAMETER;
  if (result >= 0)
    result = environment_give(read, environment_out);
  free(read);
  return result;
}

ese_result ESE_CALL HrESERestoreGetEnvironment(ese_context context, ese_restore_environment **environment_out)
{
  restoring *of;
  ese_result result = enter(context, "HrESERestoreGetEnvironment", &of);
  *environment_out = NULL;
  return result < 0 ? result : environment_give(&of->env, environment_out);
}

static bool optional_text(const ese_char *text, char *out, size_t cap)
{
  *out = 0;
  return !text || text_to_utf8(text, out, cap);
}

ese_result ESE_CALL HrESERestoreComplete(ese_context context, const ese_char *checkpoint_path, const ese_char *log_path,
                                         const ese_char *target_instance, uint32_t flags)
{
  restoring *of;
  char checkpoint[PATH_CAP], logs[PATH_CAP], target[NAME_CAP];
  ese_result result = enter(context, "HrESERestoreComplete", &of);
  if (result < 0)
    return result;
  if (of->recovered)
    return ESE_E_INVALID_BACKUP_SEQUENCE;
  if (!optional_text(checkpoint_path, checkpoint, sizeof checkpoint) || !optional_text(log_path, logs, sizeof logs) ||
      !optional_text(target_instance, target, sizeof target))
    return ESE_E_INVALID_PARAMETER;
  result = recovery_run(&of->now, &of->env, logs, target, flags);
  of->recovered = result >= 0;
  return result;
}

ese_result ESE_CALL HrESERestoreClose(ese_context context, uint32_t how)
{
  restoring *of;
  ese_result result = enter(context, "HrESERestoreClose", &of);
  (void)how; /* an abort leaves the directory as it is: somebody may want to recover from it by hand */
  if (of)
    stop(of);
  return result;
}

void ESE_CALL ESERestoreFreeEnvironment(ese_restore_environment *given)
{
  memory_take_back(MEMORY_ENVIRONMENT, given, 0);
}
