/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite as this machine has it, loaded when an instance gets ready: nothing to link, nothing needed to compile. */
#ifndef SQLITE_LIBRARY_H
#define SQLITE_LIBRARY_H

#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
typedef struct sqlite3_backup sqlite3_backup;

/* How SQLite reaches files. Of version 3 and later, the calls of the system that it makes can be replaced; NULL: its own again. */
typedef struct sqlite3_vfs sqlite3_vfs;
struct sqlite3_vfs {
  int version;
  int file_size, longest_path;
  sqlite3_vfs *next;
  const char *name;
  void *data;
  void (*of_files[13])(void);
  int (*xSetSystemCall)(sqlite3_vfs *, const char *name, void (*)(void));
};

enum {
  SQLITE_OK = 0, SQLITE_ERROR = 1, SQLITE_CORRUPT = 11, SQLITE_NOTADB = 26, SQLITE_ROW = 100, SQLITE_DONE = 101,
  SQLITE_OPEN_READONLY = 0x1, SQLITE_OPEN_READWRITE = 0x2, SQLITE_OPEN_CREATE = 0x4, SQLITE_OPEN_URI = 0x40, SQLITE_OPEN_NOMUTEX = 0x8000, SQLITE_OPEN_NOFOLLOW = 0x1000000
};

/* The functions by their own names, less `sqlite3_`; what they do is in SQLite's documentation. */
typedef struct sqlite_library {
  int (*open_v2)(const char *, sqlite3 **, int, const char *);
  int (*close_v2)(sqlite3 *);
  int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
  int (*prepare_v2)(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
  int (*step)(sqlite3_stmt *);
  int (*finalize)(sqlite3_stmt *);
  int (*reset)(sqlite3_stmt *);
  int (*bind_int64)(sqlite3_stmt *, int, int64_t);
  int (*bind_text)(sqlite3_stmt *, int, const char *, int, void (*)(void *));
  int (*bind_blob)(sqlite3_stmt *, int, const void *, int, void (*)(void *));
  int64_t (*column_int64)(sqlite3_stmt *, int);
  const void *(*column_blob)(sqlite3_stmt *, int);
  int (*column_bytes)(sqlite3_stmt *, int);
  const unsigned char *(*column_text)(sqlite3_stmt *, int);
  sqlite3_backup *(*backup_init)(sqlite3 *, const char *, sqlite3 *, const char *);
  int (*backup_step)(sqlite3_backup *, int);
  int (*backup_remaining)(sqlite3_backup *);
  int (*backup_finish)(sqlite3_backup *);
  const char *(*errmsg)(sqlite3 *);
  int (*errcode)(sqlite3 *);
  const char *(*errstr)(int);
  int (*busy_handler)(sqlite3 *, int (*)(void *, int), void *);
  int (*busy_timeout)(sqlite3 *, int);
  void (*progress_handler)(sqlite3 *, int, int (*)(void *), void *);
  sqlite3_vfs *(*vfs_find)(const char *);
} sqlite_library;

/* NULL when all is there, else what is wrong. */
const char *sqlite_load(sqlite_library *library);

#endif
