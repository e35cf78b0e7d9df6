/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "result.h"

/* ---- what is there --------------------------------------------------------------------------------------------- */

static bool is_known(const plan *p, const char *service)
{
  for (uint32_t i = 0; i < p->n_stores; i++)
    if (!strcmp(p->stores[i].part, service))
      return true;
  return false;
}

static bp_status list_stores(plan *p, const bp_host_api *host, const ese_library *library)
{
  p->stores = calloc(p->choice.count, sizeof *p->stores);
  if (!p->stores)
    return no_memory(host);
  for (uint32_t i = 0; i < p->choice.count; i++) {
    const char *service = chosen_service(&p->choice.at[i]);
    bp_status status = is_known(p, service) ? BP_OK
                                            : store_list(&p->stores[p->n_stores++], library, host, p->settings.server, service);
    if (status != BP_OK)
      return status;
  }
  return BP_OK;
}

/* ---- is all there that is named? ------------------------------------------------------------------------------- */

static const store_group *find_group(const plan *p, const stored_name *name)
{
  for (uint32_t s = 0; s < p->n_stores; s++)
    for (uint32_t g = 0; !strcmp(p->stores[s].part, name->parts[DEPTH_SERVICE]) && g < p->stores[s].n_groups; g++)
      if (!strcmp(p->stores[s].groups[g].part, name->parts[DEPTH_GROUP]))
        return &p->stores[s].groups[g];
  return NULL;
}

static bool has_database(const store_group *group, const char *part)
{
  for (uint32_t d = 0; d < group->n_databases; d++)
    if (!strcmp(group->databases[d].part, part))
      return true;
  return false;
}

static bp_status not_there(const plan *p, const bp_host_api *host, const char *path, const store_group *group)
{
  text there = { 0 };
  bp_status status;
  for (uint32_t d = 0; group && d < group->n_databases; d++) {
    text_put(&there, d ? ", " : "");
    text_put(&there, group->databases[d].part);
  }
  for (uint32_t s = 0; !group && s < p->n_stores; s++)
    for (uint32_t g = 0; g < p->stores[s].n_groups; g++) {
      text_put(&there, there.len ? ", " : "");
      text_put(&there, p->stores[s].groups[g].part);
    }
  status = bp_failf(host, BP_E_FAIL, BP_OS_NONE, 0, "%s is not there. There are: %s", path, there.at ? there.at : "none");
  text_free(&there);
  return status;
}

static bp_status check_named(const plan *p, const bp_host_api *host)
{
  for (uint32_t i = 0; i < p->choice.count; i++) {
    const chosen_path *path = &p->choice.at[i];
    const store_group *group = path->name.depth >= DEPTH_GROUP ? find_group(p, &path->name) : NULL;
    if (path->name.depth >= DEPTH_GROUP && !group)
      return not_there(p, host, path->path, NULL);
    if (path->name.depth == DEPTH_DATABASE && !has_database(group, path->name.parts[DEPTH_DATABASE]))
      return not_there(p, host, path->path, group);
  }
  return BP_OK;
}

/* ---- what is taken --------------------------------------------------------------------------------------------- */

/* Asks the host about a directory that lies at or below a line. */
static bp_status enter(const plan *p, const bp_host_api *host, const char *path, bool *in)
{
  bp_entry entry;
  uint32_t verdict;
  bp_status status;
  *in = true;
  if (!choice_covers(&p->choice, path))
    return BP_OK; /* only on the way to a line */
  memset(&entry, 0, sizeof entry);
  entry.type = BP_TYPE_DIRECTORY;
  entry.flags = choice_names(&p->choice, path) ? BP_ENTRY_TOP : 0;
  status = bp_match(host, path, (uint32_t)strlen(path), &entry, &verdict);
  *in = verdict == BP_VERDICT_TAKE || verdict == BP_VERDICT_DESCEND;
  return status;
}

static bp_status take_databases(const plan *p, const bp_host_api *host, group *g, bool *any)
{
  g->all_taken = true;
  for (uint32_t d = 0; d < g->info->n_databases; d++) {
    const store_database *database = &g->info->databases[d];
    char *path = name_join(g->path, database->part);
    bool in = choice_wants(&p->choice, g->store->part, g->info->part, database->part);
    bp_status status = !path ? no_memory(host) : in ? enter(p, host, path, &in) : BP_OK;
    free(path);
    if (status != BP_OK)
      return status;
    if (in && !database->mounted)
      bp_logf(host, BP_MSG_WARNING, "%s: database %s is not mounted and cannot be saved", g->info->name, database->name);
    g->taken[d] = in && database->mounted;
    *any = *any || g->taken[d];
    g->all_taken = g->all_taken && (in || !database->mounted);
  }
  return BP_OK;
}

static bp_status add_group(plan *p, const bp_host_api *host, const ese_library *library, const backup_cause *cause,
                           const store *store, const store_group *info, const char *directory)
{
  group *g = &p->groups[p->n_groups];
  bool in, any = false;
  bp_status status;
  memset(g, 0, sizeof *g);
  g->host = host;
  g->settings = &p->settings;
  g->cause = cause;
  g->store = store;
  g->info = info;
  g->session.library = library;
  g->path = name_join(directory, info->part);
  g->taken = calloc(info->n_databases + 1u, sizeof *g->taken);
  status = g->path && g->taken ? enter(p, host, g->path, &in) : no_memory(host);
  if (status == BP_OK && in)
    status = take_databases(p, host, g, &any);
  if (status == BP_OK && in && !any)
    bp_logf(host, BP_MSG_WARNING, "%s has no mounted database that is asked for: nothing of it is saved", info->name);
  if (status != BP_OK || !any)
    group_free(g);
  else
    p->n_groups++;
  return status;
}

static bp_status add_groups(plan *p, const bp_host_api *host, const ese_library *library, const backup_cause *cause)
{
  uint32_t most = 0;
  bool in;
  bp_status status = enter(p, host, ROOT_PATH, &in);
  for (uint32_t s = 0; s < p->n_stores; s++)
    most += p->stores[s].n_groups;
  p->groups = calloc(most + 1u, sizeof *p->groups);
  if (!p->groups)
    return no_memory(host);
  for (uint32_t s = 0; status == BP_OK && in && s < p->n_stores; s++) {
    const store *store = &p->stores[s];
    char *directory = name_join(ROOT_PATH, store->part);
    bool into;
    status = directory ? enter(p, host, directory, &into) : no_memory(host);
    for (uint32_t g = 0; status == BP_OK && into && g < store->n_groups; g++)
      if (choice_wants(&p->choice, store->part, store->groups[g].part, NULL))
        status = add_group(p, host, library, cause, store, &store->groups[g], directory);
    free(directory);
  }
  return status;
}

bp_status plan_make(plan *out, const bp_host_api *host, const ese_library *library, const settings *settings,
                    const backup_cause *cause, const char *fileset)
{
  bp_status status;
  out->settings = *settings;
  out->settings.host = host;
  status = choice_read(&out->choice, &out->settings, host, fileset);
  if (status == BP_OK)
    status = list_stores(out, host, library);
  if (status == BP_OK)
    status = check_named(out, host);
  return status == BP_OK ? add_groups(out, host, library, cause) : status;
}

void plan_free(plan *p)
{
  for (uint32_t g = 0; g < p->n_groups; g++)
    group_free(&p->groups[g]);
  for (uint32_t s = 0; s < p->n_stores; s++)
    store_free(&p->stores[s]);
  free(p->groups);
  free(p->stores);
  choice_free(&p->choice);
}
