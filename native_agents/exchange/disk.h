/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a restore writes itself, by the paths that the service names. */
#ifndef EXCHANGE_DISK_H
#define EXCHANGE_DISK_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "esebcli2.h"

/* Zeroed: none. */
typedef struct disk_file {
  bool     open;
  intptr_t handle;
} disk_file;

/* After one of these is false, disk_failed knows why. A file that exists is emptied. */
bool disk_create(disk_file *file, const ese_char *path);
bool disk_write(disk_file *file, const void *bytes, uint64_t len, uint64_t offset);
bool disk_flush(disk_file *file); /* what was written is on the disk */
/* Ends there, holes included, and on the disk. */
bool disk_finish(disk_file *file, uint64_t size);
void disk_close(disk_file *file);

bool disk_exists(const ese_char *path);
bool disk_make_directory(const ese_char *path); /* true also when it is there */
bool disk_move(const ese_char *from, const ese_char *to); /* within a volume; takes the place of what is there */
void disk_remove(const ese_char *path);
void disk_remove_directory(const ese_char *path); /* an empty one */

/* Says why the last call failed, returns BP_E_FAIL or the fitting status of a Job. */
bp_status disk_failed(const bp_host_api *host, const char *what, const ese_char *path);

/* `<directory>/<name>`, with the separator that the directory has; NULL: no memory. */
ese_char *disk_join(const ese_char *directory, const ese_char *name);

#endif
