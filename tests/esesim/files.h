/* SPDX-License-Identifier: Apache-2.0 */
/* Files by their UTF-8 names, and processes, the same on Linux and Windows. Errors are those of the ESE interface. */
#ifndef ESESIM_FILES_H
#define ESESIM_FILES_H

#include <stdbool.h>

#include "esebcli2.h"

#define PATH_CAP 4096

#ifdef _WIN32
#define PATH_SEPARATOR '\\'
#else
#define PATH_SEPARATOR '/'
#endif

/* out: PATH_CAP bytes, may be `directory` itself. */
ese_result path_join(char *out, const char *directory, const char *name);
const char *path_base(const char *path);

/* A descriptor, or -1 with *error set. */
int files_open(const char *path, ese_result *error);   /* to read and write */
int files_create(const char *path, ese_result *error); /* must not exist */
void files_close(int file);
int64_t files_size(int file);
/* *got < size only at the end of the file. */
ese_result files_read_at(int file, int64_t at, void *data, size_t size, size_t *got);
ese_result files_write_at(int file, int64_t at, const void *data, size_t size);
ese_result files_set_size(int file, int64_t size);

bool files_exists(const char *path);
ese_result files_read_all(const char *path, char **text); /* NUL appended; free() it */
ese_result files_replace(const char *path, const void *data, size_t size);
ese_result files_append(const char *path, const void *data, size_t size);
ese_result files_rename(const char *from, const char *to);
ese_result files_remove(const char *path);
ese_result files_make_directory(const char *path);
/* Calls `visit` with each name. */
ese_result files_list(const char *directory, void (*visit)(void *arg, const char *name), void *arg);

/* Waits until it alone holds the file's lock; the process's death lets go. */
int files_guard(const char *path, ese_result *error);
void files_unguard(int guard);

uint32_t process_self(void);
bool process_alive(uint32_t pid);
void process_die(void); /* as by a power cut: no exit handler runs */
void process_sleep_ms(uint32_t ms);
void random_bytes(void *out, size_t size);

#endif
