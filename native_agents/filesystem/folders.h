/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories whose attributes wait for the end of the Job: a directory's time moves and its permissions get in the way as
 * long as something is restored in it. Kept in a file without a name once they are more than a few megabytes.
 */
#ifndef FILESYSTEM_FOLDERS_H
#define FILESYSTEM_FOLDERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bplugin.h"
#include "place.h"
#include "tally.h"

typedef struct folders {
  const bp_host_api *host;
  uint8_t  *bytes;           /* what is not in the file yet */
  size_t    used, cap;
  uint64_t  spooled;         /* bytes in the file */
  int       file;            /* -1: none */
  uint64_t *where;           /* each record's place */
  size_t    count, cap_where;
  bool      failed;          /* out of memory or of disk: commit says so */
} folders;

void folders_begin(folders *f, const bp_host_api *host);
void folders_end(folders *f);

/* A directory was made for what is below it. Should its own entry not come, it stays for our eyes only. */
void folders_made(void *folders, const char *path, size_t len);

/* Its entry. only_if_made: what is there stays as it is, unless this Job made it. */
void folders_entry(folders *f, const char *path, size_t len, const bp_entry *entry, const void *small, size_t small_len,
                   const struct stat *seen, bool made, bool only_if_made);

/*
 * Sets them all, what is below first. Access control lists and extended attributes that a directory has got since it was saved are
 * taken away, where the Job looked for such: its entry says so, and else `came`, the mask of streams that came for any entry.
 * BP_OK, BP_E_CANCELLED, BP_E_NOMEM, BP_E_NOSPACE.
 */
bp_status folders_apply(folders *f, place *p, uint64_t came, tally *t);

#endif
