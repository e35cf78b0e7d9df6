/* SPDX-License-Identifier: Apache-2.0 */
/* One backup session per group: the file `lock` says whose. A dead process holds nothing. */
#ifndef ESESIM_LOCK_H
#define ESESIM_LOCK_H

#include "store.h"

typedef struct session_lock {
  uint32_t pid;
  uint32_t low; /* the oldest log that the session may still want */
  uint64_t context;
} session_lock;

bool lock_held(const group *of, session_lock *out);
/* The caller guards the group. ESE_E_BACKUP_IN_PROGRESS: somebody holds it. */
ese_result lock_take(const group *of, uint64_t context, uint32_t low);
void lock_release(const group *of, uint64_t context);

#endif
