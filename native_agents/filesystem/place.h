/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where does an entry go? From its path to the directory it belongs in, by one component after the other from a trusted
 * root, so that no name on the way can lead elsewhere, whoever changes the tree meanwhile.
 *
 * Restoring below `where`: no symbolic link inside it is followed. Restoring as saved (where is ""): a link that stood there
 * before is followed if it is root's or ours; one that this Job made is not.
 */
#ifndef FILESYSTEM_PLACE_H
#define FILESYSTEM_PLACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "bplugin.h"
#include "inodes.h"

typedef struct place_step {
  int    fd;     /* O_PATH; -1: closed to save descriptors */
  size_t end;    /* length of the path with this step */
  bool   made;   /* by us, for something below it */
  bool   gives_acl; /* it has a default access control list, which what is made in it inherits */
} place_step;

typedef struct place {
  const bp_host_api *host;
  bool        as_saved;
  bool        clears;      /* a file that is where a directory has to be gives way; a link never, somebody may count on it */
  char       *root;        /* "" when as saved */
  size_t      root_len;
  place_step  top;         /* the root itself */
  place_step *steps;       /* the way to the directory that was needed last */
  size_t      n_steps, cap_steps, n_closed, most_open; /* the first n_closed have no descriptor */
  char       *way, *wanted; /* its path below the root, "/a/b"; and the one asked for */
  size_t      way_len, wanted_len, cap_way, cap_wanted;
  inodes      links;       /* that this Job made */
  void      (*made)(void *, const char *path, size_t len); /* told of each directory made whose entry did not come */
  void       *made_for;
} place;

/* What place_find() says: `name` in `fd` is the entry. Valid until the next call. */
typedef struct spot {
  int         fd;
  const char *name;      /* "" : the root itself */
  bool        gives_acl; /* of the directory */
  bool        made;      /* the entry is a directory that was made for what is below it */
  const char *path;      /* below the root, for messages and for later */
  size_t      path_len;
} spot;

/* `where` is made when it is missing, links in it are followed: it is the administrator's word. fail() has been told. */
bp_status place_begin(place *p, const bp_host_api *host, const char *where,
                      void (*made)(void *, const char *path, size_t len), void *made_for);
void place_end(place *p);

/*
 * The place of `dest`, a final path. `make`: missing directories on the way are made, for our eyes only until somebody says
 * otherwise. BP_E_INVAL: outside of where; BP_E_NOTFOUND, BP_E_ENTRY, ...: fail() has been told.
 */
bp_status place_find(place *p, const char *dest, bool make, spot *out);

/* An O_PATH descriptor of a directory by its path below the root, the way held by the cache: not to be closed. -1: errno. */
int place_directory(place *p, const char *path, size_t len);

/* A link was made: it will not be followed. False: no memory. */
bool place_made_link(place *p, const struct stat *st);

/* Is this link one that may be followed? Only when restoring as saved. */
bool place_follows(place *p, int fd, const char *name);

/* Directories that were made and not yet told of: at the end. */
void place_flush(place *p);

/* Takes an inherited access control list away from something just made. */
void place_disinherit(int path_fd, bool directory);

#endif
