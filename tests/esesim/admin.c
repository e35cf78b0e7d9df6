/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esesim.h"
#include "faults.h"
#include "lines.h"
#include "lock.h"
#include "replay.h"

#define DIRTY_SHUTDOWN ESE_ENGINE_ERROR(550u) /* a database that needs recovery cannot be mounted */

int admin_open(const char *root, const char *name, group *out, ese_result *error)
{
  store of;
  int guard;
  *error = store_load(&of, root);
  if (*error >= 0)
    *error = group_load_named(out, &of, name);
  guard = *error < 0 ? -1 : group_guard(out, error);
  if (guard >= 0)
    *error = group_load_named(out, &of, name); /* again: it may have changed before the guard was ours */
  return guard;
}

ese_result admin_unlocked(const group *of)
{
  session_lock other;
  return lock_held(of, &other) ? ESE_E_BACKUP_IN_PROGRESS : ESE_OK;
}

static bool fill_text(char *out, size_t cap, const char *text)
{
  int length = snprintf(out, cap, "%s", text);
  return length >= 0 && (size_t)length < cap && !strpbrk(text, "\n\r");
}

ese_result esesim_create(const char *root, const char *annotation, const char *server)
{
  store made;
  ese_result result;
  memset(&made, 0, sizeof made);
  if (!fill_text(made.root, sizeof made.root, root) || !fill_text(made.annotation, sizeof made.annotation, annotation) ||
      !fill_text(made.server, sizeof made.server, server))
    return ESE_E_INVALID_PARAMETER;
  result = files_make_directory(root);
  return result < 0 ? result : store_save(&made);
}

static ese_result apply(group *out, const char *settings)
{
  lines text = {0};
  char *cursor, *key, *value;
  bool good = true;
  lines_add(&text, "%s", settings);
  for (cursor = text.text; good && cursor && lines_next(&cursor, &key, &value);)
    good = group_setting(out, key, value);
  good = good && strlen(out->base) == 3 && out->log_size > LOG_HEADER + 4 * LOG_RECORD && out->streams >= 1 &&
         out->streams <= STREAMS_MOST && (out->digits == 8 || out->digits == 5);
  lines_free(&text);
  return good ? ESE_OK : ESE_E_INVALID_PARAMETER;
}

ese_result esesim_add_group(const char *root, const char *directory, const char *name, const char *settings)
{
  store of;
  group made = {.log_size = 65536, .digits = 8, .streams = 1, .lag = 2, .next_index = 1};
  ese_result result = store_load(&of, root);
  if (result < 0)
    return result;
  if (of.group_count == GROUPS_MOST || !fill_text(made.name, sizeof made.name, name) ||
      !fill_text(of.groups[of.group_count], NAME_CAP, directory))
    return ESE_E_INVALID_PARAMETER;
  made.id = ++of.group_count;
  snprintf(made.base, sizeof made.base, "E%02u", (unsigned)(made.id - 1));
  if ((result = apply(&made, settings)) < 0 || (result = path_join(made.directory, root, directory)) < 0 ||
      (result = files_make_directory(made.directory)) < 0 || (result = log_start(&made, 1, 1)) < 0 ||
      (result = checkpoint_write(&made, 1)) < 0 || (result = group_save(&made)) < 0)
    return result;
  return store_save(&of);
}

ese_result esesim_set_group(const char *root, const char *name, const char *settings)
{
  group of;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  if ((result = admin_unlocked(&of)) >= 0 && (result = apply(&of, settings)) >= 0)
    result = group_save(&of);
  group_unguard(guard);
  return result;
}

/* The heads of a database and of its group's current log. */
static ese_result heads(const group *of, const database *one, database_header *header, log_header *stream)
{
  log_end end;
  ese_result result = database_read_header(of, one, header);
  return result < 0 ? result : log_current(of, stream, &end);
}

ese_result admin_adopt(group *of, database *one)
{
  database_header header;
  log_header stream;
  ese_result result = heads(of, one, &header, &stream);
  if (result < 0)
    return result;
  memcpy(header.log_signature, stream.signature, LOG_SIGNATURE);
  memset(header.records, 0, sizeof header.records);
  header.index = one->index = of->next_index++;
  result = database_write_header(of, one, &header);
  return result < 0 ? result : stream_pass(of, one);
}

ese_result admin_attach(group *of, database *one)
{
  database_header header;
  log_header stream;
  ese_result result = heads(of, one, &header, &stream);
  if (result < 0)
    return result;
  if (header.state != DATABASE_CLEAN)
    return DIRTY_SHUTDOWN;
  if (memcmp(header.log_signature, stream.signature, LOG_SIGNATURE) &&
      ((result = admin_adopt(of, one)) < 0 || (result = database_read_header(of, one, &header)) < 0))
    return result;
  header.state = DATABASE_DIRTY;
  one->index = header.index;
  one->mounted = true;
  return database_write_header(of, one, &header);
}

static ese_result create_files(group *of, database *one)
{
  database_header header = {.state = DATABASE_CLEAN, .guid = one->guid};
  uint32_t stream;
  ese_result result = ESE_OK;
  random_bytes(header.signature, LOG_SIGNATURE);
  for (stream = 0; stream < of->streams && result >= 0; stream++) {
    char path[PATH_CAP];
    database_path(of, one, stream, path);
    files_close(files_create(path, &result));
  }
  return result < 0 ? result : database_write_header(of, one, &header);
}

ese_result esesim_add_database(const char *root, const char *name, const char *database_name, const char *file, const char *guid)
{
  group of;
  database *one;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  one = &of.databases[of.database_count];
  if ((result = admin_unlocked(&of)) < 0)
    goto out;
  if (of.database_count == DATABASES_MOST || group_database(&of, database_name) || strchr(file, '|') ||
      !fill_text(one->name, sizeof one->name, database_name) || !fill_text(one->file, sizeof one->file, file) ||
      (guid && !guid_parse(guid, &one->guid))) {
    result = ESE_E_INVALID_PARAMETER;
    goto out;
  }
  if (!guid)
    random_bytes(&one->guid, sizeof one->guid);
  of.database_count++;
  if ((result = create_files(&of, one)) >= 0 && (result = admin_attach(&of, one)) >= 0)
    result = group_save(&of);
out:
  group_unguard(guard);
  return result;
}

static ese_result detach(group *of, database *one)
{
  database_header header;
  ese_result result = one->mounted ? database_flush(of, one) : ESE_OK;
  if (result < 0 || !one->mounted || (result = database_read_header(of, one, &header)) < 0)
    return result;
  header.state = DATABASE_CLEAN;
  one->mounted = false;
  return database_write_header(of, one, &header);
}

ese_result esesim_remove_database(const char *root, const char *name, const char *database_name)
{
  group of;
  database *one;
  uint32_t stream;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  one = group_database(&of, database_name);
  result = one ? admin_unlocked(&of) : ESE_E_DATABASE_NOT_FOUND;
  for (stream = 0; result >= 0 && stream < of.streams; stream++) {
    char path[PATH_CAP];
    database_path(&of, one, stream, path);
    result = files_remove(path);
  }
  if (result >= 0) {
    memmove(one, one + 1, (size_t)(&of.databases[of.database_count--] - (one + 1)) * sizeof *one);
    result = group_save(&of);
  }
  group_unguard(guard);
  return result;
}

ese_result esesim_rename_database(const char *root, const char *name, const char *database_name, const char *to)
{
  group of;
  database *one;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  one = group_database(&of, database_name);
  result = one ? admin_unlocked(&of) : ESE_E_DATABASE_NOT_FOUND;
  if (result >= 0)
    result = !group_database(&of, to) && fill_text(one->name, sizeof one->name, to) ? group_save(&of) : ESE_E_INVALID_PARAMETER;
  group_unguard(guard);
  return result;
}

static ese_result each(const char *root, const char *name, const char *database_name, bool mount)
{
  group of;
  uint32_t n;
  bool found = !database_name;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  result = admin_unlocked(&of);
  for (n = 0; n < of.database_count && result >= 0; n++) {
    database *one = &of.databases[n];
    if ((database_name && strcmp(one->name, database_name)) || (mount && one->mounted))
      continue;
    found = true;
    result = mount ? admin_attach(&of, one) : detach(&of, one);
  }
  if (result >= 0)
    result = found ? group_save(&of) : ESE_E_DATABASE_NOT_FOUND;
  group_unguard(guard);
  return result;
}

ese_result esesim_mount(const char *root, const char *name, const char *database_name)
{
  return each(root, name, database_name, true);
}

ese_result esesim_dismount(const char *root, const char *name, const char *database_name)
{
  return each(root, name, database_name, false);
}

ese_result esesim_wipe_stream(const char *root, const char *name)
{
  group of;
  uint32_t n;
  log_range range;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  result = admin_unlocked(&of);
  for (n = 0; n < of.database_count && result >= 0; n++)
    if (of.databases[n].mounted)
      result = ESE_E_DATABASE_IN_USE;
  if (result >= 0)
    result = log_ranges(&of, of.directory, &range);
  for (; result >= 0 && range.oldest && range.oldest <= range.newest; range.oldest++) {
    char path[PATH_CAP];
    log_path(&of, range.oldest, path);
    if (files_exists(path))
      result = files_remove(path);
  }
  if (result >= 0 && (result = log_start(&of, 1, 1)) >= 0)
    result = checkpoint_write(&of, 1);
  group_unguard(guard);
  return result;
}

ese_result esesim_fault(const char *root, const char *key, const char *value)
{
  store of;
  uint32_t n, kept = 0;
  ese_result result = store_load(&of, root);
  if (result < 0)
    return result;
  for (n = 0; n < of.fault_count; n++)
    if (strcmp(of.faults[n].key, key))
      of.faults[kept++] = of.faults[n];
  of.fault_count = kept;
  if (!fault_known(key) || (value && (kept == FAULTS_MOST || !fill_text(of.faults[kept].key, sizeof of.faults->key, key) ||
                                      !fill_text(of.faults[kept].value, sizeof of.faults->value, value))))
    return ESE_E_INVALID_PARAMETER;
  of.fault_count += value != NULL;
  fault_reset();
  return store_save(&of);
}
