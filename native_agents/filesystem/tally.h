/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes that could not be restored: told for the first few entries, counted for the rest. */
#ifndef FILESYSTEM_TALLY_H
#define FILESYSTEM_TALLY_H
#include "bplugin.h"

typedef enum loss { LOSS_OWNER, LOSS_MODE, LOSS_TIMES, LOSS_ACL, LOSS_XATTR, LOSSES } loss;

typedef struct tally {
  const bp_host_api *host;
  uint64_t count[LOSSES];
} tally;

/* `detail`: which attribute, or "". `number`: errno. */
void tally_add(tally *t, loss what, const char *path, const char *detail, int number);

/* How many were not told one by one. At the end of a Job. */
void tally_tell(const tally *t);

#endif
