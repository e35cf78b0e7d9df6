/* SPDX-License-Identifier: Apache-2.0 */
/* What a restore knows between its calls, and between its sets: restore.env in the restore log path. */
#ifndef ESESIM_ENVIRONMENT_H
#define ESESIM_ENVIRONMENT_H

#include "store.h"

typedef struct restored_database {
  ese_guid guid;
  char name[NAME_CAP];
  char sources[STREAMS_MOST][PATH_CAP];
  char destinations[STREAMS_MOST][PATH_CAP];
  uint32_t streams;
  uint32_t announced; /* a bit per stream that RestoreOpenFile was told of */
} restored_database;

typedef struct environment {
  char annotation[NAME_CAP];
  char source[NAME_CAP]; /* the storage group that was saved */
  char log_path[PATH_CAP];
  char base[BASE_CAP]; /* of the logs' names: known with the first log */
  uint32_t digits;
  uint32_t gen_low, gen_high;
  int32_t status;
  ese_result result;
  restored_database databases[DATABASES_MOST];
  uint32_t database_count;
} environment;

ese_result environment_save(const environment *saved);
/* ESE_E_FILE_NOT_FOUND: there is no restore.env. */
ese_result environment_load(environment *out, const char *log_path);
ese_result environment_remove(const environment *gone);
/* For the client: memory of MEMORY_ENVIRONMENT, larger than it knows. */
ese_result environment_give(const environment *of, ese_restore_environment **out);

#endif
