/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"

#include <dlfcn.h>
#include <string.h>

const char *sqlite_load(sqlite_library *library)
{
  /* Never closed: other agents, and the host, may use it too. */
  void *found = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!found)
    return dlerror();
#define SYMBOL(name)                                                \
  do {                                                              \
    void *at = dlsym(found, "sqlite3_" #name);                      \
    if (!at)                                                        \
      return "sqlite3_" #name " is not in it: it is too old";       \
    memcpy(&library->name, &at, sizeof at); /* a data pointer as a function's: as dlsym means it */ \
  } while (0)
  SYMBOL(open_v2);
  SYMBOL(close_v2);
  SYMBOL(exec);
  SYMBOL(prepare_v2);
  SYMBOL(step);
  SYMBOL(finalize);
  SYMBOL(reset);
  SYMBOL(bind_int64);
  SYMBOL(bind_text);
  SYMBOL(bind_blob);
  SYMBOL(column_int64);
  SYMBOL(column_blob);
  SYMBOL(column_bytes);
  SYMBOL(column_text);
  SYMBOL(backup_init);
  SYMBOL(backup_step);
  SYMBOL(backup_remaining);
  SYMBOL(backup_finish);
  SYMBOL(errmsg);
  SYMBOL(errcode);
  SYMBOL(errstr);
  SYMBOL(busy_handler);
  SYMBOL(busy_timeout);
  SYMBOL(progress_handler);
  SYMBOL(vfs_find);
#undef SYMBOL
  sqlite3_vfs *files = library->vfs_find(NULL);
  return files && files->version >= 3 && files->xSetSystemCall ? NULL : "it cannot be told how to open files: it is too old";
}
