/* SPDX-License-Identifier: Apache-2.0 */
/* Gives something restored its owner, permissions, access control lists, extended attributes and times. */
#ifndef FILESYSTEM_ATTRIBUTES_H
#define FILESYSTEM_ATTRIBUTES_H
#include <stdbool.h>

#include "bplugin.h"
#include "handle.h"
#include "tally.h"

typedef struct attributes {
  const bp_entry *entry;     /* `valid` says which of its fields count */
  const void     *small;     /* small streams, as in a page */
  size_t          small_len;
  const char     *path;      /* for messages */
  bool            link;      /* a symbolic link: owner and times only */
} attributes;

/* Takes away what it has and the entry has not: access control lists, attributes of users. looked_for: the mask of streams that were saved
 * if there were any; lists are attributes, too. What cannot be taken away is counted and reported. */
void attributes_clear(const attributes *a, const handle *h, uint64_t looked_for, tally *t);

/* What cannot be set is counted and reported; the rest is set anyway. */
void attributes_apply(const attributes *a, const handle *h, tally *t);

#endif
