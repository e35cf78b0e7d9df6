/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tally.h"

#include <string.h>

#include "bplugin_sdk.h"
#include "speak.h"

#define TOLD 3 /* of each kind: enough to see what is wrong, few enough for a tree of a million */

static const char *const names[LOSSES] = { "the owner", "the permissions", "the times", "the access control list",
                                           "an extended attribute" };

void tally_add(tally *t, loss what, const char *path, const char *detail, int number)
{
  shown text, more;
  if (t->count[what]++ >= TOLD)
    return;
  bp_logf(t->host, BP_MSG_WARNING, "Restored without %s%s%s: %.900s: %s", names[what], *detail ? " " : "",
          show(&more, detail, strlen(detail)), show(&text, path, strlen(path)), strerror(number));
}

void tally_tell(const tally *t)
{
  for (int i = 0; i < LOSSES; i++)
    if (t->count[i] > TOLD)
      bp_logf(t->host, BP_MSG_WARNING, "Restored without %s: %llu more entries", names[i],
              (unsigned long long)(t->count[i] - TOLD));
}
