/* SPDX-License-Identifier: Apache-2.0 */
/* Another backup product, through the same interface as every client. It throws away what it reads: what counts is what it
 * does to logs and headers. */
#include <string.h>

#include "backup.h"
#include "exports.h"
#include "store.h"
#include "text.h"

static ese_result read_file(ese_context context, const ese_char *name)
{
  static uint8_t buffer[ESE_READ_MOST];
  void *handle;
  int64_t size;
  uint32_t got = 0;
  ese_result closed, result = HrESEBackupOpenFile(context, name, ESE_READ_MOST, 1, &handle, &size);
  if (result < 0)
    return result;
  do {
    got = 0;
    result = HrESEBackupReadFile(context, handle, buffer, sizeof buffer, &got);
  } while (result >= 0 && got);
  closed = HrESEBackupCloseFile(context, handle);
  return result < 0 ? result : closed;
}

static ese_result read_list(ese_context context, const ese_char *files)
{
  ese_result result = ESE_OK;
  for (; *files && result >= 0; files += text_units(files) + 1)
    result = read_file(context, files);
  return result;
}

static ese_result one_backup(ese_context context, const ese_instance_info *instance, bool databases, bool truncate)
{
  uint32_t n;
  ese_char *logs = NULL;
  ese_result ended, result = HrESEBackupSetup(context, instance->id, databases ? ESE_BACKUP_FULL : ESE_BACKUP_LOGS_ONLY);
  if (result < 0)
    return result;
  for (n = 0; databases && n < instance->database_count && result >= 0; n++)
    if (instance->databases[n].flags & ESE_DATABASE_MOUNTED)
      result = read_list(context, instance->databases[n].streams);
  if (result >= 0 && (result = HrESEBackupGetLogAndPatchFiles(context, &logs)) >= 0)
    result = read_list(context, logs);
  ESEBackupFree(logs);
  if (result >= 0 && truncate)
    result = HrESEBackupTruncateLogs(context);
  ended = HrESEBackupInstanceEnd(context, result < 0 ? ESE_INSTANCE_END_ERROR : ESE_INSTANCE_END_SUCCESS);
  return result < 0 ? result : ended;
}

ese_result esesim_foreign_backup(const char *root, const char *name, const char *kind)
{
  bool databases = !strcmp(kind, "full") || !strcmp(kind, "copy");
  bool truncate = !strcmp(kind, "full") || !strcmp(kind, "incremental");
  char annotation[NAME_CAP], utf8[NAME_CAP];
  ese_char wide[NAME_CAP];
  store of;
  uint32_t count, n;
  ese_instance_info *instances;
  ese_context context;
  ese_result result = store_load(&of, root);
  if (result < 0)
    return result;
  if (!databases && !truncate && strcmp(kind, "differential"))
    return ESE_E_INVALID_PARAMETER;
  memcpy(annotation, of.annotation, sizeof annotation);
  text_to_utf16(annotation, wide);
  if ((result = backup_prepare(root, NULL, wide, &count, &instances, &context)) < 0)
    return result;
  result = ESE_E_DATABASE_NOT_FOUND;
  for (n = 0; n < count; n++)
    if (text_to_utf8(instances[n].name, utf8, sizeof utf8) && !strcmp(utf8, name))
      result = one_backup(context, &instances[n], databases, truncate);
  ESEBackupFreeInstanceInfo(count, instances);
  HrESEBackupEnd(context);
  return result;
}
