/* SPDX-License-Identifier: Apache-2.0 */
/* What a store holds, as text: the content, which is what users would see, and the state of files and headers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "esesim.h"
#include "lines.h"
#include "replay.h"

/* The pages of one database; those of a mounted one have the logs applied, in memory. */
typedef struct content {
  uint32_t index, count;
  page **pages; /* by number; NULL: never written */
} content;

static page *at(content *of, uint32_t number)
{
  if (number >= of->count) {
    uint32_t count = number + 64;
    page **grown = realloc(of->pages, count * sizeof *grown);
    if (!grown)
      return NULL;
    memset(grown + of->count, 0, (count - of->count) * sizeof *grown);
    of->pages = grown;
    of->count = count;
  }
  if (!of->pages[number])
    of->pages[number] = calloc(1, sizeof **of->pages);
  return of->pages[number];
}

static void drop(content *of)
{
  uint32_t n;
  for (n = 0; n < of->count; n++)
    free(of->pages[n]);
  free(of->pages);
  memset(of, 0, sizeof *of);
}

static ese_result apply(void *arg, const log_record *record)
{
  content *to = arg;
  page *now;
  if (record->database != to->index)
    return ESE_OK;
  now = at(to, record->page);
  if (!now)
    return ESE_E_NOT_ENOUGH_MEMORY;
  if (now->transaction >= record->transaction)
    return ESE_OK;
  now->transaction = record->transaction;
  now->length = record->length;
  memcpy(now->content, record->content, record->length);
  return ESE_OK;
}

static ese_result load_stream(const group *of, const database *one, uint32_t stream, content *out)
{
  char path[PATH_CAP];
  ese_result result;
  int64_t place, size;
  int file;
  database_path(of, one, stream, path);
  file = files_open(path, &result);
  if (file < 0)
    return result;
  size = files_size(file);
  for (place = (int64_t)HEADER_PAGES * PAGE_SIZE; place < size && result >= 0; place += PAGE_SIZE) {
    page read, *kept;
    result = page_read(file, place, &read);
    if (result < 0 || !read.transaction)
      continue;
    kept = at(out, (uint32_t)(place / PAGE_SIZE - HEADER_PAGES) * of->streams + stream);
    if (!kept)
      result = ESE_E_NOT_ENOUGH_MEMORY;
    else
      *kept = read;
  }
  files_close(file);
  return result;
}

static ese_result load(const group *of, const database *one, content *out)
{
  uint32_t stream, generation;
  log_header header;
  log_end end;
  ese_result result = log_current(of, &header, &end);
  out->index = one->index;
  for (stream = 0; stream < of->streams && result >= 0; stream++)
    result = load_stream(of, one, stream, out);
  if (result < 0 || !one->mounted || (result = checkpoint_read(of, &generation)) < 0)
    return result;
  for (; generation <= header.generation && result >= 0; generation++) {
    char path[PATH_CAP];
    log_header applied;
    log_path(of, generation == header.generation ? 0 : generation, path);
    result = log_scan(path, &applied, apply, out, &end);
  }
  return result;
}

static ese_result dump_database(const group *of, const database *one, lines *out)
{
  content loaded = {0};
  database_header header;
  uint32_t n;
  ese_result result = database_read_header(of, one, &header);
  if (result >= 0)
    result = load(of, one, &loaded);
  if (result >= 0)
    lines_add(out, "database %s%s\n", one->name, header.state == DATABASE_COPY ? " (needs recovery)" : "");
  for (n = 0; n < loaded.count && result >= 0; n++) {
    const page *shown = loaded.pages[n];
    if (shown && shown->transaction)
      lines_add(out, "  page %" PRIu32 " transaction %" PRIu64 ": %.*s\n", n, shown->transaction, (int)shown->length,
                (const char *)shown->content);
  }
  drop(&loaded);
  return result;
}

static int by_name(const void *one, const void *other)
{
  return strcmp(((const database *)one)->name, ((const database *)other)->name);
}

static ese_result dump_group(const char *root, const char *name, lines *out)
{
  group of;
  uint32_t n;
  ese_result result;
  int guard = admin_open(root, name, &of, &result);
  if (guard < 0)
    return result;
  qsort(of.databases, of.database_count, sizeof *of.databases, by_name);
  lines_add(out, "group %s\n", of.name);
  for (n = 0; n < of.database_count && result >= 0; n++)
    result = dump_database(&of, &of.databases[n], out);
  group_unguard(guard);
  return result;
}

static char *finish(lines *text, ese_result *result)
{
  if (*result >= 0 && text->failed)
    *result = ESE_E_NOT_ENOUGH_MEMORY;
  if (*result < 0)
    lines_free(text);
  else if (!text->text)
    lines_add(text, "%s", "");
  return text->text;
}

char *esesim_dump(const char *root, const char *name, ese_result *result)
{
  lines out = {0};
  store of;
  uint32_t n;
  *result = store_load(&of, root);
  for (n = 0; *result >= 0 && n < of.group_count; n++) {
    group one;
    *result = group_load(&one, &of, of.groups[n]);
    if (*result >= 0 && (!name || !strcmp(one.name, name)))
      *result = dump_group(root, one.name, &out);
  }
  return finish(&out, result);
}

static ese_result show_database(const group *of, const database *one, lines *out)
{
  static const char *const kinds[RECORD_KINDS] = {"full", "incremental", "copy", "differential"};
  static const char *const states[] = {"?", "dirty", "clean", "copy"};
  database_header header;
  char guid[33];
  uint32_t kind;
  ese_result result = database_read_header(of, one, &header);
  if (result < 0)
    return result;
  guid_format(&one->guid, guid);
  lines_add(out, "database=%s|%s|%s|%s\n", one->name, one->mounted ? "mounted" : "dismounted",
            states[header.state <= DATABASE_COPY ? header.state : 0], guid);
  for (kind = 0; kind < RECORD_KINDS; kind++) {
    const backup_record *shown = &header.records[kind];
    if (shown->gen_high)
      lines_add(out, "record=%s|%s|%" PRIu32 "|%" PRIu32 "\n", one->name, kinds[kind], shown->gen_low, shown->gen_high);
  }
  return ESE_OK;
}

char *esesim_status(const char *root, const char *name, ese_result *result)
{
  lines out = {0};
  group of;
  uint32_t n, generation = 0;
  log_range range = {0};
  log_header header = {0};
  log_end end;
  int guard = admin_open(root, name, &of, result);
  if (guard < 0)
    return NULL;
  if ((*result = log_current(&of, &header, &end)) >= 0 && (*result = checkpoint_read(&of, &generation)) >= 0)
    *result = log_ranges(&of, of.directory, &range);
  lines_add(&out, "generation=%" PRIu32 "\noldest=%" PRIu32 "\nnewest=%" PRIu32 "\ncheckpoint=%" PRIu32 "\nsignature=",
            header.generation, range.oldest, range.newest, generation);
  for (n = 0; n < LOG_SIGNATURE; n++)
    lines_add(&out, "%02x", header.signature[n]);
  lines_add(&out, "\n");
  for (n = 0; n < of.database_count && *result >= 0; n++)
    *result = show_database(&of, &of.databases[n], &out);
  group_unguard(guard);
  return finish(&out, result);
}

void esesim_free(char *text)
{
  free(text);
}
