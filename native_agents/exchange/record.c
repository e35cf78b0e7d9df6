/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "wide.h"

static const char HEAD[] = "filed-exchange 1\n";
enum { GUID_BYTES = 16, MAX_UNITS = 4096 }; /* two paths of 260 letters, and room; each name is looked for among all */

group_record *records_add(records *all)
{
  group_record *larger = realloc(all->at, (all->count + 1) * sizeof *larger);
  if (!larger)
    return NULL;
  all->at = larger;
  memset(&larger[all->count], 0, sizeof *larger);
  return &larger[all->count++];
}

const group_record *records_find(const records *all, const char *service, const char *part)
{
  for (uint32_t i = 0; i < all->count; i++)
    if (!strcmp(all->at[i].part, part) && !strcmp(all->at[i].service, service))
      return &all->at[i];
  return NULL;
}

void record_free(group_record *record)
{
  for (uint32_t d = 0; d < record->n_databases; d++) {
    free(record->databases[d].part);
    free(record->databases[d].streams);
  }
  free(record->databases);
  free(record->part);
  free(record->service);
  free(record->job);
  memset(record, 0, sizeof *record);
}

void records_free(records *all)
{
  for (uint32_t i = 0; i < all->count; i++)
    record_free(&all->at[i]);
  free(all->at);
  memset(all, 0, sizeof *all);
}

static database_record *add_database(group_record *record)
{
  database_record *larger = realloc(record->databases, (record->n_databases + 1) * sizeof *larger);
  if (!larger)
    return NULL;
  record->databases = larger;
  memset(&larger[record->n_databases], 0, sizeof *larger);
  return &larger[record->n_databases++];
}

bool record_add_database(group_record *record, const ese_guid *guid, const char *part, const ese_char *streams, uint32_t units,
                         uint32_t needs)
{
  database_record *database = add_database(record);
  if (!database)
    return false;
  database->guid = *guid;
  database->part = strdup(part);
  database->streams = calloc(units + 2u, sizeof *streams);
  database->units = units;
  database->needs = needs;
  if (database->streams && units)
    memcpy(database->streams, streams, units * sizeof *streams);
  return database->part && database->streams;
}

const database_record *record_database(const group_record *record, const char *part)
{
  for (uint32_t i = 0; i < record->n_databases; i++)
    if (!strcmp(record->databases[i].part, part))
      return &record->databases[i];
  return NULL;
}

/* ---- written --------------------------------------------------------------------------------------------------- */

static void line(text *t, const char *key, const char *value)
{
  text_put(t, key);
  text_put(t, " ");
  text_put(t, value);
  text_put(t, "\n");
}

static void hex_line(text *t, const char *key, const void *bytes, size_t len)
{
  text_put(t, key);
  text_put(t, " ");
  text_hex(t, bytes, len);
  text_put(t, "\n");
}

static void guid_bytes(uint8_t out[GUID_BYTES], const ese_guid *guid)
{
  memcpy(out, guid, GUID_BYTES);
}

void record_start(text *t)
{
  text_put(t, HEAD);
}

void record_write(text *t, const group_record *record)
{
  line(t, "group", record->part);
  line(t, "service", record->service);
  text_put(t, "instance ");
  text_number(t, record->instance);
  line(t, "\njob", record->job);
  line(t, "saved", record->has_databases ? "databases" : "logs");
  text_put(t, "logs ");
  text_put(t, record->high ? record->log_base : "-");
  text_put(t, " ");
  text_number(t, record->low);
  text_put(t, " ");
  text_number(t, record->high);
  hex_line(t, "\nlast", record->high_created, sizeof record->high_created);
  hex_line(t, "signature", record->signature, sizeof record->signature);
  line(t, "truncated", record->truncated ? "yes" : "no");
  for (uint32_t i = 0; i < record->n_databases; i++) {
    const database_record *database = &record->databases[i];
    uint8_t guid[GUID_BYTES];
    guid_bytes(guid, &database->guid);
    text_put(t, "database ");
    text_hex(t, guid, sizeof guid);
    text_put(t, " ");
    text_number(t, database->needs);
    text_put(t, " ");
    for (uint32_t u = 0; u < database->units; u++) {
      uint8_t unit[2] = { (uint8_t)database->streams[u], (uint8_t)(database->streams[u] >> 8) };
      text_hex(t, unit, sizeof unit);
    }
    line(t, "", database->part);
  }
  text_put(t, "end\n");
}

/* ---- read ------------------------------------------------------------------------------------------------------ */

typedef struct reader {
  char *next; /* the line to come; the whole text is ours, each line is ended by a NUL as it is taken */
} reader;

/* The rest of the next line when it starts with `key` and a blank, else NULL and the line is still the next one. */
static char *take(reader *r, const char *key)
{
  size_t len = strlen(key);
  char *value = r->next + len + 1, *end;
  if (strncmp(r->next, key, len) || r->next[len] != ' ')
    return NULL;
  end = strchr(value, '\n');
  if (!end)
    return NULL;
  *end = 0;
  r->next = end + 1;
  return value;
}

static bool take_number(char **p, uint32_t most, uint32_t *out)
{
  char *end;
  unsigned long long value = **p >= '0' && **p <= '9' ? strtoull(*p, &end, 10) : 0;
  if (**p < '0' || **p > '9' || end - *p > 10 || value > most || (*end && *end != ' '))
    return false;
  *out = (uint32_t)value;
  *p = *end ? end + 1 : end;
  return true;
}

static bool take_hex(reader *r, const char *key, void *bytes, size_t len)
{
  const char *value = take(r, key);
  return value && strlen(value) == 2 * len && hex_decode(value, bytes, len);
}

static bool is_part(const char *value)
{
  return *value && !strpbrk(value, "/\\") && strcmp(value, ".") && strcmp(value, "..");
}

static bool read_database(group_record *record, char *value)
{
  database_record *database = add_database(record);
  uint8_t guid[GUID_BYTES];
  size_t digits;
  if (!database || strlen(value) < 2 * GUID_BYTES + 1 || !hex_decode(value, guid, GUID_BYTES) || value[2 * GUID_BYTES] != ' ')
    return false;
  memcpy(&database->guid, guid, GUID_BYTES);
  value += 2 * GUID_BYTES + 1;
  if (!take_number(&value, INT32_MAX, &database->needs))
    return false;
  digits = strcspn(value, " ");
  if (digits % 4 || digits / 4 > MAX_UNITS || value[digits] != ' ' || !is_part(value + digits + 1))
    return false;
  database->units = (uint32_t)(digits / 4);
  database->streams = calloc(database->units + 2u, sizeof *database->streams);
  database->part = strdup(value + digits + 1);
  for (uint32_t u = 0; database->streams && u < database->units; u++) {
    uint8_t unit[2];
    if (!hex_decode(value + 4u * u, unit, sizeof unit))
      return false;
    database->streams[u] = (ese_char)(unit[0] | unit[1] << 8);
  }
  return database->streams && database->part;
}

static bool read_logs(group_record *record, char *value)
{
  size_t len = strcspn(value, " ");
  if (len > LOG_BASE_MAX || value[len] != ' ')
    return false;
  memcpy(record->log_base, value, len);
  value += len + 1;
  if (!take_number(&value, INT32_MAX, &record->low) || !take_number(&value, INT32_MAX, &record->high) || *value)
    return false;
  return record->high ? len == LOG_BASE_MAX && record->low <= record->high : !record->low;
}

static bool copy_part(char **out, const char *value)
{
  *out = value && is_part(value) ? strdup(value) : NULL;
  return *out != NULL;
}

static bool one_of(const char *value, const char *yes, const char *no, bool *out)
{
  *out = value && !strcmp(value, yes);
  return value && (*out || !strcmp(value, no));
}

static bool read_record(group_record *record, reader *r)
{
  char *value, *end;
  if (!copy_part(&record->part, take(r, "group")) || !copy_part(&record->service, take(r, "service")))
    return false;
  value = take(r, "instance");
  if (!value)
    return false;
  record->instance = (int64_t)strtoll(value, &end, 10);
  if (end == value || *end)
    return false;
  value = take(r, "job");
  record->job = value ? strdup(value) : NULL;
  if (!record->job || !one_of(take(r, "saved"), "databases", "logs", &record->has_databases))
    return false;
  value = take(r, "logs");
  if (!value || !read_logs(record, value) || !take_hex(r, "last", record->high_created, sizeof record->high_created)
      || !take_hex(r, "signature", record->signature, sizeof record->signature)
      || !one_of(take(r, "truncated"), "yes", "no", &record->truncated))
    return false;
  while ((value = take(r, "database")) != NULL)
    if (!read_database(record, value))
      return false;
  if (strncmp(r->next, "end\n", 4))
    return false;
  r->next += 4;
  return true;
}

const char *records_read(records *all, const char *bytes, uint64_t len)
{
  const char *wrong = NULL;
  char *copy;
  reader r;
  if (len < sizeof HEAD - 1 || memcmp(bytes, HEAD, sizeof HEAD - 1))
    return "it is of another version, or none of this agent's";
  if (len > BP_MAX_STATE || memchr(bytes, 0, (size_t)len))
    return "it is damaged";
  copy = malloc((size_t)len + 1);
  if (!copy)
    return "there is no memory to read it";
  memcpy(copy, bytes, (size_t)len);
  copy[len] = 0;
  r.next = copy + sizeof HEAD - 1;
  while (!wrong && *r.next) {
    group_record *record = records_add(all);
    if (!record || !read_record(record, &r))
      wrong = "it is damaged";
  }
  free(copy);
  return wrong;
}
