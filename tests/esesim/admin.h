/* SPDX-License-Identifier: Apache-2.0 */
/* What an administrator does to a store. */
#ifndef ESESIM_ADMIN_H
#define ESESIM_ADMIN_H

#include "store.h"

/* A group, guarded: give it back to group_unguard. -1: *error. */
int admin_open(const char *root, const char *name, group *out, ese_result *error);
/* ESE_E_BACKUP_IN_PROGRESS while a session holds the group: nothing may be attached or detached. */
ese_result admin_unlocked(const group *of);
/* A clean database comes into its group's stream; a stranger to it gets a new index and forgets its backups. */
ese_result admin_attach(group *of, database *one);
/* A database that takes part in this stream from now on only. */
ese_result admin_adopt(group *of, database *one);

#endif
