/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"

#ifdef _WIN32
#include <windows.h>
#endif

static bool copy(char *out, size_t cap, const char *text)
{
  size_t length = strlen(text);
  if (length >= cap)
    return false;
  memcpy(out, text, length + 1);
  return true;
}

ese_result store_root(char *root)
{
#ifdef _WIN32
  static const wchar_t key[] = L"SYSTEM\\CurrentControlSet\\Control\\BackupRestore\\DLLPaths";
  wchar_t value[PATH_CAP];
  DWORD size = sizeof value;
  DWORD length = GetEnvironmentVariableW(L"ESESIM_ROOT", value, PATH_CAP);
  bool found = length && length < PATH_CAP;
  if (!found)
    found = RegGetValueW(HKEY_LOCAL_MACHINE, key, L"EsesimRoot", RRF_RT_REG_SZ, NULL, value, &size) == ERROR_SUCCESS;
  return found && WideCharToMultiByte(CP_UTF8, 0, value, -1, root, PATH_CAP, NULL, NULL) ? ESE_OK : ESE_E_FILE_NOT_FOUND;
#else
  const char *value = getenv("ESESIM_ROOT");
  return value && copy(root, PATH_CAP, value) ? ESE_OK : ESE_E_FILE_NOT_FOUND;
#endif
}

ese_result store_load(store *out, const char *root)
{
  char path[PATH_CAP], *text, *cursor, *key, *value;
  bool fits = true;
  ese_result result = path_join(path, root, "store.ini");
  memset(out, 0, sizeof *out);
  if (result < 0 || (result = files_read_all(path, &text)) < 0)
    return result;
  fits = copy(out->root, sizeof out->root, root);
  for (cursor = text; lines_next(&cursor, &key, &value);) {
    if (!strcmp(key, "annotation"))
      fits &= copy(out->annotation, sizeof out->annotation, value);
    else if (!strcmp(key, "server"))
      fits &= copy(out->server, sizeof out->server, value);
    else if (!strcmp(key, "group") && out->group_count < GROUPS_MOST)
      fits &= copy(out->groups[out->group_count++], NAME_CAP, value);
    else if (!strncmp(key, "fault.", 6) && out->fault_count < FAULTS_MOST) {
      fault *one = &out->faults[out->fault_count++];
      fits &= copy(one->key, sizeof one->key, key + 6) && copy(one->value, sizeof one->value, value);
    } else
      fits = false;
  }
  free(text);
  return fits ? ESE_OK : ESE_E_INVALID_PARAMETER;
}

static ese_result save(lines *text, const char *directory, const char *name)
{
  char path[PATH_CAP];
  ese_result result = text->failed ? ESE_E_NOT_ENOUGH_MEMORY : path_join(path, directory, name);
  if (result >= 0)
    result = files_replace(path, text->text, text->length);
  lines_free(text);
  return result;
}

ese_result store_save(const store *saved)
{
  lines text = {0};
  uint32_t n;
  lines_add(&text, "annotation=%s\nserver=%s\n", saved->annotation, saved->server);
  for (n = 0; n < saved->group_count; n++)
    lines_add(&text, "group=%s\n", saved->groups[n]);
  for (n = 0; n < saved->fault_count; n++)
    lines_add(&text, "fault.%s=%s\n", saved->faults[n].key, saved->faults[n].value);
  return save(&text, saved->root, "store.ini");
}

const char *store_fault(const store *of, const char *key)
{
  uint32_t n;
  for (n = 0; n < of->fault_count; n++)
    if (!strcmp(of->faults[n].key, key))
      return of->faults[n].value;
  return NULL;
}

bool guid_equal(const ese_guid *one, const ese_guid *other)
{
  return !memcmp(one, other, sizeof *one);
}

void guid_format(const ese_guid *guid, char out[33])
{
  const uint8_t *byte = (const uint8_t *)guid;
  int n;
  for (n = 0; n < 16; n++)
    snprintf(out + 2 * n, 3, "%02x", byte[n]);
}

bool guid_parse(const char *text, ese_guid *out)
{
  uint8_t *byte = (uint8_t *)out;
  unsigned value;
  int n;
  for (n = 0; n < 16; n++) {
    if (sscanf(text + 2 * n, "%2x", &value) != 1)
      return false;
    byte[n] = (uint8_t)value;
  }
  return true;
}

/* `<index> <m|d> <guid> <file>|<name>` */
static bool parse_database(char *text, database *out)
{
  char state, guid[33], *file = text, *name;
  int field;
  if (sscanf(text, "%" SCNu32 " %c %32s", &out->index, &state, guid) != 3 || !guid_parse(guid, &out->guid))
    return false;
  for (field = 0; field < 3 && file; field++)
    file = strchr(file, ' ') ? strchr(file, ' ') + 1 : NULL;
  name = file ? strchr(file, '|') : NULL;
  if (!name)
    return false;
  *name++ = 0;
  out->mounted = state == 'm';
  return copy(out->file, sizeof out->file, file) && copy(out->name, sizeof out->name, name);
}

bool group_setting(group *out, const char *key, const char *value)
{
  const struct {
    const char *key;
    uint32_t *number;
  } numbers[] = {
      {"log_size", &out->log_size}, {"digits", &out->digits},     {"streams", &out->streams},
      {"lag", &out->lag},           {"circular", &out->circular}, {"recovery", &out->recovery},
      {"next_index", &out->next_index},
  };
  size_t n;
  if (!strcmp(key, "base"))
    return copy(out->base, sizeof out->base, value);
  for (n = 0; n < sizeof numbers / sizeof *numbers; n++)
    if (!strcmp(key, numbers[n].key)) {
      *numbers[n].number = (uint32_t)strtoul(value, NULL, 10);
      return true;
    }
  return false;
}

ese_result group_load(group *out, const store *of, const char *directory_name)
{
  char path[PATH_CAP], *text, *cursor, *key, *value;
  const char *clock = store_fault(of, "clock_s");
  bool good = true;
  ese_result result;
  memset(out, 0, sizeof *out);
  out->clock_s = clock ? strtoll(clock, NULL, 10) : 0;
  if ((result = path_join(out->directory, of->root, directory_name)) < 0 ||
      (result = path_join(path, out->directory, "group.ini")) < 0 || (result = files_read_all(path, &text)) < 0)
    return result;
  for (cursor = text; good && lines_next(&cursor, &key, &value);) {
    if (!strcmp(key, "id"))
      out->id = strtoll(value, NULL, 10);
    else if (!strcmp(key, "name"))
      good = copy(out->name, sizeof out->name, value);
    else if (!strcmp(key, "database") && out->database_count < DATABASES_MOST)
      good = parse_database(value, &out->databases[out->database_count++]);
    else
      good = group_setting(out, key, value);
  }
  free(text);
  return good ? ESE_OK : ESE_E_INVALID_PARAMETER;
}

ese_result group_load_named(group *out, const store *of, const char *name)
{
  uint32_t n;
  for (n = 0; n < of->group_count; n++) {
    ese_result result = group_load(out, of, of->groups[n]);
    if (result < 0 || !strcmp(out->name, name))
      return result;
  }
  return ESE_E_DATABASE_NOT_FOUND;
}

ese_result group_load_id(group *out, const store *of, int64_t id)
{
  uint32_t n;
  for (n = 0; n < of->group_count; n++) {
    ese_result result = group_load(out, of, of->groups[n]);
    if (result < 0 || out->id == id)
      return result;
  }
  return ESE_E_INVALID_PARAMETER;
}

ese_result group_save(const group *saved)
{
  lines text = {0};
  uint32_t n;
  lines_add(&text, "id=%" PRId64 "\nname=%s\nbase=%s\nlog_size=%" PRIu32 "\ndigits=%" PRIu32 "\nstreams=%" PRIu32 "\n", saved->id,
            saved->name, saved->base, saved->log_size, saved->digits, saved->streams);
  lines_add(&text, "lag=%" PRIu32 "\ncircular=%" PRIu32 "\nrecovery=%" PRIu32 "\nnext_index=%" PRIu32 "\n", saved->lag,
            saved->circular, saved->recovery, saved->next_index);
  for (n = 0; n < saved->database_count; n++) {
    const database *one = &saved->databases[n];
    char guid[33];
    guid_format(&one->guid, guid);
    lines_add(&text, "database=%" PRIu32 " %c %s %s|%s\n", one->index, one->mounted ? 'm' : 'd', guid, one->file, one->name);
  }
  return save(&text, saved->directory, "group.ini");
}

database *group_database(group *of, const char *name)
{
  uint32_t n;
  for (n = 0; n < of->database_count; n++)
    if (!strcmp(of->databases[n].name, name))
      return &of->databases[n];
  return NULL;
}

void database_path(const group *of, const database *one, uint32_t stream, char *out)
{
  char name[NAME_CAP + 8];
  snprintf(name, sizeof name, "%s.%s", one->file, stream ? "stm" : "edb");
  if (path_join(out, of->directory, name) < 0)
    *out = 0;
}

int group_guard(const group *of, ese_result *error)
{
  char path[PATH_CAP];
  *error = path_join(path, of->directory, "guard");
  return *error < 0 ? -1 : files_guard(path, error);
}

void group_unguard(int guard)
{
  files_unguard(guard);
}
