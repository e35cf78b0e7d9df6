/* SPDX-License-Identifier: Apache-2.0 */
/* Which groups and databases are saved: what is there, what the FileSet's lines name, what its patterns leave in. */
#ifndef EXCHANGE_PLAN_H
#define EXCHANGE_PLAN_H

#include "bplugin_sdk.h"
#include "choice.h"
#include "group.h"
#include "library.h"
#include "settings.h"
#include "store.h"

typedef struct plan {
  choice   choice;
  settings settings;      /* the instance's, as this FileSet changes them; owns nothing */
  store   *stores;        /* each service that is named */
  uint32_t n_stores;
  group   *groups;
  uint32_t n_groups;
} plan;

/* Zeroed `out`; to be freed in any case. cause: outlives the plan. */
bp_status plan_make(plan *out, const bp_host_api *host, const ese_library *library, const settings *settings,
                    const backup_cause *cause, const char *fileset);
void      plan_free(plan *p);

#endif
