/* SPDX-License-Identifier: Apache-2.0 */
/* A set of files, by device and inode, as hashes of both: one in 2^64 is taken for another. */
#ifndef FILESYSTEM_INODES_H
#define FILESYSTEM_INODES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct inodes {
  uint64_t *keys; /* 0: free */
  size_t    count, cap;
} inodes;

bool inodes_add(inodes *set, const struct stat *st); /* false: no memory */
bool inodes_has(const inodes *set, const struct stat *st);
void inodes_free(inodes *set);

#endif
