/* SPDX-License-Identifier: Apache-2.0 */
/* Hard recovery: restored copies of databases become databases, by replaying the restored logs and those that follow. */
#ifndef ESESIM_RECOVERY_H
#define ESESIM_RECOVERY_H

#include "environment.h"

/* The group that a restored database belongs to: a recovery group first, by GUID, else by the source's name and its own.
 * ESE_E_DATABASE_NOT_FOUND: nowhere. */
ese_result recovery_place(const store *of, const environment *from, const ese_guid *guid, const char *name, group *target,
                          database **one);
/* log_path: of the running target, or "" for its own. target: "" for the group the databases belong to. */
ese_result recovery_run(const store *of, environment *from, const char *log_path, const char *target, uint32_t flags);

#endif
