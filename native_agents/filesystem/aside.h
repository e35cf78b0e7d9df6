/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files with several names whose first name stays as it is, by the Job's `replace`: the content that was saved is written
 * beside it without a name, and the first of the other names that is missing gets it.
 */
#ifndef FILESYSTEM_ASIDE_H
#define FILESYSTEM_ASIDE_H
#include "newfile.h"

#define ASIDES_MOST 64 /* the oldest gives way: names of one file are mostly near each other */

typedef struct aside {
  char   *path;  /* of the first name; NULL: free */
  newfile file;
  int     dir;   /* it is in there */
} aside;

typedef struct asides {
  aside    all[ASIDES_MOST];
  unsigned next;
} asides;

/* Takes the file. False: no memory, or no descriptor; it is gone. */
bool asides_add(asides *a, const char *path, newfile *file, const spot *at);

/* What was written aside for this first name; NULL: nothing. */
const aside *asides_find(const asides *a, const char *path);

/* A newfile_make: gives it the name. `what`: an aside. */
int aside_link(int fd, const char *name, const void *what);

void asides_end(asides *a);

#endif
