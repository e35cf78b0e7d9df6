/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of the tree being read, held by descriptor and never by path: paths may be longer than the kernel takes,
 * and what a path means may change under us. A bounded number of descriptors is open; a directory that lost its own is
 * opened again through its parents and must then be the same one (device and inode).
 */
#ifndef FILESYSTEM_DIRS_H
#define FILESYSTEM_DIRS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct dir dir;
struct dir {
  dir     *up;            /* NULL: an anchor, the directory in which a File line's last component is looked up */
  dir     *newer, *older; /* in the list of those with a descriptor, by last use; an anchor is in none */
  uint64_t dev, ino;
  uint32_t refs;
  int      fd;            /* -1: closed to save descriptors. Use dirs_fd() */
  uint32_t generation;    /* counts how often the descriptor was opened: a position in it is lost */
  char     name[];
};

typedef struct dirs {
  dir     *newest, *oldest;
  uint32_t open, limit;
} dirs;

/* limit: descriptors kept open, anchors not counted. */
void dirs_init(dirs *all, uint32_t limit);

/* `fd` is an O_PATH descriptor and belongs to the result from now on. NULL: no memory (fd is closed). One reference. */
dir *dirs_anchor(dirs *all, int fd);

/*
 * Opens the directory `name` in `up` for listing, without following a link. `seen` is what a stat of it has said: when
 * something else stands there by now, NULL with errno ESTALE. One reference for the caller, one is taken on `up`.
 */
dir *dirs_open(dirs *all, dir *up, const char *name, const struct statx *seen);

/* Its descriptor, opened again when need be; valid until the next call here. -1: errno, ESTALE when it is another by now. */
int dirs_fd(dirs *all, dir *d);

dir *dirs_keep(dir *d);
void dirs_drop(dirs *all, dir *d); /* takes one reference away; the last closes it, and so on upwards */

#endif
