/* SPDX-License-Identifier: Apache-2.0 */
#include "environment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lines.h"
#include "memory.h"
#include "text.h"

#define NEWER_FIELDS 64 /* what a newer library appends */

static ese_result env_path(const char *log_path, char *out)
{
  return path_join(out, log_path, "restore.env");
}

ese_result environment_save(const environment *saved)
{
  lines text = {0};
  char path[PATH_CAP];
  uint32_t n, stream;
  ese_result result = env_path(saved->log_path, path);
  lines_add(&text, "annotation=%s\nsource=%s\nbase=%s\ndigits=%" PRIu32 "\n", saved->annotation, saved->source, saved->base,
            saved->digits);
  lines_add(&text, "gen_low=%" PRIu32 "\ngen_high=%" PRIu32 "\nstatus=%" PRId32 "\nresult=%" PRId32 "\n", saved->gen_low,
            saved->gen_high, saved->status, saved->result);
  for (n = 0; n < saved->database_count; n++) {
    const restored_database *one = &saved->databases[n];
    char guid[33];
    guid_format(&one->guid, guid);
    lines_add(&text, "database=%s %" PRIu32 " %s\n", guid, one->announced, one->name);
    for (stream = 0; stream < one->streams; stream++)
      lines_add(&text, "from=%s\nto=%s\n", one->sources[stream], one->destinations[stream]);
  }
  if (text.failed)
    result = ESE_E_NOT_ENOUGH_MEMORY;
  if (result >= 0)
    result = files_replace(path, text.text, text.length);
  lines_free(&text);
  return result;
}

static bool parse_database(const char *value, environment *out)
{
  restored_database *one = &out->databases[out->database_count];
  char guid[33];
  int name = 0;
  if (out->database_count == DATABASES_MOST || sscanf(value, "%32s %" SCNu32 " %n", guid, &one->announced, &name) < 2 || !name ||
      !guid_parse(guid, &one->guid))
    return false;
  out->database_count++;
  snprintf(one->name, sizeof one->name, "%s", value + name);
  return true;
}

static bool parse(environment *out, const char *key, const char *value)
{
  restored_database *last = out->database_count ? &out->databases[out->database_count - 1] : NULL;
  if (!strcmp(key, "annotation"))
    snprintf(out->annotation, sizeof out->annotation, "%s", value);
  else if (!strcmp(key, "source"))
    snprintf(out->source, sizeof out->source, "%s", value);
  else if (!strcmp(key, "base"))
    snprintf(out->base, sizeof out->base, "%s", value);
  else if (!strcmp(key, "digits"))
    out->digits = (uint32_t)strtoul(value, NULL, 10);
  else if (!strcmp(key, "gen_low"))
    out->gen_low = (uint32_t)strtoul(value, NULL, 10);
  else if (!strcmp(key, "gen_high"))
    out->gen_high = (uint32_t)strtoul(value, NULL, 10);
  else if (!strcmp(key, "status"))
    out->status = (int32_t)strtol(value, NULL, 10);
  else if (!strcmp(key, "result"))
    out->result = (ese_result)strtol(value, NULL, 10);
  else if (!strcmp(key, "database"))
    return parse_database(value, out);
  else if (!strcmp(key, "from") && last && last->streams < STREAMS_MOST)
    snprintf(last->sources[last->streams], PATH_CAP, "%s", value);
  else if (!strcmp(key, "to") && last && last->streams < STREAMS_MOST)
    snprintf(last->destinations[last->streams++], PATH_CAP, "%s", value);
  else
    return false;
  return true;
}

ese_result environment_load(environment *out, const char *log_path)
{
  char path[PATH_CAP], *text, *cursor, *key, *value;
  bool good = true;
  ese_result result = env_path(log_path, path);
  memset(out, 0, sizeof *out);
  if (result < 0 || (result = files_read_all(path, &text)) < 0)
    return result;
  snprintf(out->log_path, sizeof out->log_path, "%s", log_path);
  for (cursor = text; good && lines_next(&cursor, &key, &value);)
    good = parse(out, key, value);
  free(text);
  return good ? ESE_OK : ESE_E_INVALID_PARAMETER;
}

ese_result environment_remove(const environment *gone)
{
  char path[PATH_CAP];
  ese_result result = env_path(gone->log_path, path);
  return result < 0 || !files_exists(path) ? result : files_remove(path);
}

static ese_char *strings(void *block, const char paths[][PATH_CAP], uint32_t count)
{
  text_list list = {0};
  ese_char *out = NULL;
  uint32_t n;
  bool good = true;
  for (n = 0; good && n < count; n++)
    good = text_list_add(&list, paths[n]);
  if (good && text_list_end(&list, 1) && (out = memory_more(block, list.length * sizeof *out)))
    memcpy(out, list.units, list.length * sizeof *out);
  text_list_free(&list);
  return out;
}

ese_result environment_give(const environment *of, ese_restore_environment **out)
{
  uint32_t n, count = of->database_count;
  ese_restore_environment *made = memory_give(MEMORY_ENVIRONMENT, sizeof *made + NEWER_FIELDS, 0);
  *out = NULL;
  if (!made)
    return ESE_E_NOT_ENOUGH_MEMORY;
  memset(made + 1, 0xEE, NEWER_FIELDS);
  made->restore_log_path = memory_text(made, of->log_path);
  made->source_instance = memory_text(made, of->source);
  made->annotation = memory_text(made, of->annotation);
  made->log_base_name = memory_text(made, of->base);
  made->database_names = memory_more(made, count * sizeof *made->database_names);
  made->database_guids = memory_more(made, count * sizeof *made->database_guids);
  made->source_streams = memory_more(made, count * sizeof *made->source_streams);
  made->destination_streams = memory_more(made, count * sizeof *made->destination_streams);
  if (!made->database_names || !made->database_guids || !made->source_streams || !made->destination_streams) {
    memory_drop(made);
    return ESE_E_NOT_ENOUGH_MEMORY;
  }
  for (n = 0; n < count; n++) {
    const restored_database *one = &of->databases[n];
    made->database_names[n] = memory_text(made, one->name);
    made->database_guids[n] = one->guid;
    made->source_streams[n] = strings(made, one->sources, one->streams);
    made->destination_streams[n] = strings(made, one->destinations, one->streams);
  }
  made->database_count = count;
  made->gen_low = of->gen_low;
  made->gen_high = of->gen_high;
  made->recover_status = of->status;
  made->recover_result = of->result;
  made->last_restore_time = (int64_t)time(NULL);
  *out = made;
  return ESE_OK;
}
