/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How does something new appear under its name, whole or not at all? A file is written without a name, or under one that
 * nobody expects, and takes its place when it is complete. What stood there before is replaced, never opened: neither a link
 * nor other names of that file are followed.
 */
#ifndef FILESYSTEM_NEWFILE_H
#define FILESYSTEM_NEWFILE_H
#include <stdbool.h>
#include <sys/types.h>

#include "place.h"

typedef struct newfile {
  int  fd;         /* -1: none */
  char temp[40];   /* "": it has no name yet */
} newfile;

/* A regular file for writing, for our eyes only. *nameless: try without a name first; cleared when that cannot be had. */
int newfile_open(newfile *n, const spot *at, bool *nameless);

/* Shows it as at->name and closes it. replace: what is there may go. 0, or -1 with errno, and then it is gone. */
int newfile_keep(newfile *n, const spot *at, bool replace);

/* The same under at->name with ".corrupt" behind it, if nothing has that name; it says which into name[256]. */
int newfile_keep_corrupt(newfile *n, const spot *at, char name[256]);

void newfile_drop(newfile *n, const spot *at);

/* Makes a name in at->fd by one call; tells it in `name`. make(): 0, or -1 with errno. */
typedef int newfile_make(int fd, const char *name, const void *what);
int newfile_make_temp(const spot *at, char name[40], newfile_make *make, const void *what);

/* The temporary `name` becomes at->name. 0; -1 with errno, and `name` is gone. */
int newfile_rename(const spot *at, const char *name, bool replace);

#endif
