/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <ctype.h>
#include <string.h>

#include "exports.h"
#include "memory.h"
#include "text.h"

/* By value in the records: a client that takes them for pointers sees nonsense behind them. */
#define ICON_GROUP 5u
#define ICON_DATABASE 9u

static bool same_server(const char *one, const char *other)
{
  while (*one && tolower((unsigned char)*one) == tolower((unsigned char)*other)) {
    one++;
    other++;
  }
  return !*one && !*other;
}

ese_result store_answers(const store *asked, const ese_char *server, const ese_char *annotation)
{
  char name[NAME_CAP];
  if (asked->server[0] && server && *server && (!text_to_utf8(server, name, sizeof name) || !same_server(asked->server, name)))
    return ESE_E_DATABASE_NOT_FOUND;
  if (!annotation || !text_to_utf8(annotation, name, sizeof name) || strcmp(asked->annotation, name))
    return ESE_E_DATABASE_NOT_FOUND;
  return ESE_OK;
}

/* The paths of one database; of a single one, an empty second entry stands where the .stm used to be. */
static ese_result streams(const group *of, const database *one, void *block, ese_database_info *out)
{
  text_list list = {0};
  char path[PATH_CAP];
  uint32_t stream;
  bool good = true;
  for (stream = 0; good && stream < of->streams; stream++) {
    database_path(of, one, stream, path);
    good = text_list_add(&list, path);
  }
  good = good && text_list_end(&list, of->streams == 1 ? 2 : 1);
  out->streams = good ? memory_more(block, list.length * sizeof *out->streams) : NULL;
  out->streams_length = (uint32_t)list.length;
  if (out->streams)
    memcpy(out->streams, list.units, list.length * sizeof *out->streams);
  text_list_free(&list);
  return out->streams ? ESE_OK : ESE_E_NOT_ENOUGH_MEMORY;
}

static ese_result fill(const group *of, void *block, ese_instance_info *out)
{
  uint32_t n;
  out->id = of->id;
  out->icon_index = ICON_GROUP;
  out->name = memory_text(block, of->name);
  out->databases = memory_more(block, of->database_count * sizeof *out->databases);
  if (!out->name || !out->databases)
    return ESE_E_NOT_ENOUGH_MEMORY;
  for (n = 0; n < of->database_count; n++) {
    const database *one = &of->databases[n];
    ese_database_info *info = &out->databases[n];
    info->display_name = memory_text(block, one->name);
    info->guid = one->guid;
    info->icon_index = ICON_DATABASE;
    info->flags = one->mounted ? ESE_DATABASE_MOUNTED : 0;
    if (!info->display_name || streams(of, one, block, info) < 0)
      return ESE_E_NOT_ENOUGH_MEMORY;
    out->database_count++;
  }
  return ESE_OK;
}

ese_result listing_instances(const store *of, uint32_t *count, ese_instance_info **instances)
{
  static group groups[GROUPS_MOST]; /* large; the simulator has one thread */
  uint32_t n, found = 0;
  ese_result result = ESE_OK;
  for (n = 0; n < of->group_count && result >= 0; n++) {
    result = group_load(&groups[found], of, of->groups[n]);
    found += result >= 0 && !groups[found].recovery;
  }
  if (result < 0)
    return result;
  *instances = memory_give(MEMORY_INSTANCES, found * sizeof **instances, found);
  if (!*instances)
    return ESE_E_NOT_ENOUGH_MEMORY;
  for (n = 0; n < found && result >= 0; n++)
    result = fill(&groups[n], *instances, &(*instances)[n]);
  *count = found;
  if (result < 0) {
    memory_drop(*instances);
    *instances = NULL;
  }
  return result;
}

ese_result ESE_CALL HrESEBackupRestoreGetNodes(const ese_char *computer, ese_node **tree)
{
  char root[PATH_CAP], name[NAME_CAP];
  store now;
  ese_result result = store_root(root);
  *tree = NULL;
  if (result < 0 || (result = store_load(&now, root)) < 0)
    return result;
  if (!computer || !text_to_utf8(computer, name, sizeof name))
    return ESE_E_INVALID_PARAMETER;
  *tree = memory_give(MEMORY_NODES, sizeof **tree, 0);
  if (!*tree)
    return ESE_E_NOT_ENOUGH_MEMORY;
  (*tree)->name = memory_text(*tree, name);
  (*tree)->flags = ESE_NODE_MACHINE;
  (*tree)->child = memory_more(*tree, sizeof **tree);
  if ((*tree)->child) {
    (*tree)->child->name = memory_text(*tree, now.annotation);
    (*tree)->child->flags = ESE_NODE_ANNOTATION;
  }
  return ESE_OK;
}

ese_result ESE_CALL HrESEBackupRestoreGetRegistered(const ese_char *server, const ese_char *display_name, uint32_t flags,
                                                    uint32_t *count, ese_registered_info **registered)
{
  char root[PATH_CAP];
  store now;
  ese_result result = store_root(root);
  (void)server;
  (void)display_name;
  *count = 0;
  *registered = NULL;
  if (result < 0 || (result = store_load(&now, root)) < 0)
    return result;
  *registered = memory_give(MEMORY_REGISTERED, sizeof **registered, 1);
  if (!*registered)
    return ESE_E_NOT_ENOUGH_MEMORY;
  (*registered)->display_name = memory_text(*registered, now.annotation);
  (*registered)->annotation = memory_text(*registered, now.annotation);
  (*registered)->flags = flags;
  *count = 1;
  return ESE_OK;
}

void ESE_CALL ESEBackupRestoreFreeNodes(ese_node *tree)
{
  memory_take_back(MEMORY_NODES, tree, 0);
}

void ESE_CALL ESEBackupRestoreFreeRegisteredInfo(uint32_t count, ese_registered_info *registered)
{
  memory_take_back(MEMORY_REGISTERED, registered, count);
}
