/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of one directory in the order in which their paths are stored: a directory's ends in a slash. A large directory of ext4
 * gives them by their hashes, and a sorted list of a million of them then has each of its pages written many times.
 *
 * What fits into `most` bytes is read at once and sorted. Of more names the first ones are kept, and the directory is read again for those
 * behind them: 10,000,000 names are some twenty readings in 16 MiB.
 */
#ifndef FILESYSTEM_NAMES_H
#define FILESYSTEM_NAMES_H
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef NAMES_MOST /* a test has less */
#define NAMES_MOST (32u << 20)   /* bytes, of all directories that are being read; each takes half of what is left */
#define NAMES_LEAST (64u * 1024) /* a half that is smaller is not worth the sorting */
#endif

typedef struct names {
  uint8_t  *text;            /* records: type, length, name */
  uint32_t *order;           /* where each begins, sorted */
  uint32_t  count, next;
  uint32_t  used, text_size, order_size;
  bool      more;            /* some were left for another reading */
  uint8_t   bound[2 + NAME_MAX]; /* the record of the last name given, or of the last one of the reading before; no length: none */
} names;

/* Begins a reading: the names behind those that were given. */
void names_begin(names *n);

/* One name that the kernel gave. false: no memory. */
bool names_add(names *n, const struct dirent64 *entry, uint32_t most);

/* The reading has ended: `names_next` gives what it found. false: no memory. */
bool names_end(names *n);

/* NULL: none is left of this reading, and where `more` is set another one is due. *type: DT_*. */
const char *names_next(names *n, unsigned char *type, char name[NAME_MAX + 1]);

uint32_t names_bytes(const names *n);
void names_free(names *n);

#endif
