/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "text.h"
#include "wide.h"

static const ese_char NOTHING[] = { 0 };

static bool name_copy(char **name, char **part, const ese_char *wide)
{
  *name = wide_to_utf8(wide ? wide : NOTHING);
  *part = *name ? part_of(*name) : NULL;
  return *part != NULL;
}

static bool copy_database(store_database *to, const ese_database_info *from)
{
  to->guid = from->guid;
  to->mounted = (from->flags & ESE_DATABASE_MOUNTED) != 0;
  to->units = from->streams ? from->streams_length : 0;
  to->streams = calloc((size_t)to->units + 2, sizeof *to->streams);
  if (!to->streams)
    return false;
  if (to->units)
    memcpy(to->streams, from->streams, to->units * sizeof *to->streams);
  return name_copy(&to->name, &to->part, from->display_name);
}

static bool copy_group(store_group *to, const ese_instance_info *from)
{
  to->id = from->id;
  if (!name_copy(&to->name, &to->part, from->name))
    return false;
  to->databases = calloc(from->database_count + 1u, sizeof *to->databases);
  if (!to->databases)
    return false;
  for (; to->n_databases < from->database_count; to->n_databases++)
    if (!copy_database(&to->databases[to->n_databases], &from->databases[to->n_databases])) {
      to->n_databases++; /* what is there of it is freed */
      return false;
    }
  return true;
}

static bool copy_all(store *to, const ese_instance_info *from, uint32_t count)
{
  to->groups = calloc(count + 1u, sizeof *to->groups);
  if (!to->groups)
    return false;
  while (to->n_groups < count) {
    uint32_t i = to->n_groups++;
    if (!copy_group(&to->groups[i], &from[i]))
      return false;
  }
  return true;
}

bp_status store_list(store *out, const ese_library *library, const bp_host_api *host, const ese_char *server, const char *part)
{
  ese_instance_info *instances = NULL;
  ese_context context = NULL;
  uint32_t count = 0;
  char *name = strdup(part);
  ese_result result;
  bool copied;
  memset(out, 0, sizeof *out);
  out->part = strdup(part);
  if (!name || !out->part || !part_decode(name)) {
    free(name);
    return bp_failf(host, BP_E_INVAL, BP_OS_NONE, 0, "%s is no name of a service", part);
  }
  out->annotation = wide_of_utf8(name);
  free(name);
  if (!out->annotation)
    return bp_failf(host, BP_E_INVAL, BP_OS_NONE, 0, "%s is no name of a service", part);
  bp_defer(host, 300);
  result = library->HrESEBackupPrepare(server, out->annotation, &count, &instances, &context);
  if (result == ESE_E_DATABASE_NOT_FOUND)
    return bp_failf(host, BP_E_FAIL, BP_OS_HRESULT, result, "%s does not run here under that name; see the option server", part);
  if (result < 0)
    return ese_failed(host, result, "asking for the storage groups of", part);
  copied = copy_all(out, instances, count);
  library->ESEBackupFreeInstanceInfo(count, instances);
  (void)library->HrESEBackupEnd(context);
  return copied ? BP_OK : no_memory(host);
}

void store_free(store *s)
{
  for (uint32_t g = 0; g < s->n_groups; g++) {
    store_group *group = &s->groups[g];
    for (uint32_t d = 0; d < group->n_databases; d++) {
      free(group->databases[d].name);
      free(group->databases[d].part);
      free(group->databases[d].streams);
    }
    free(group->databases);
    free(group->name);
    free(group->part);
  }
  free(s->groups);
  free(s->part);
  free(s->annotation);
  memset(s, 0, sizeof *s);
}
