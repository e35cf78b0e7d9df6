/* SPDX-License-Identifier: Apache-2.0 */
/* The store on disk: store.ini, the groups' group.ini, the files of a group's directory. Nothing is kept in memory between
 * calls, so that the death of a process leaves what a real server's disk would hold.
 *
 *   <root>/store.ini               annotation, server, groups, fault switches
 *   <root>/<group>/group.ini       id, name, base name, log size, circular, databases
 *   <root>/<group>/E00.log         current; E00000001.log ... closed; E00.chk checkpoint
 *   <root>/<group>/<database>.edb  and .stm of a group with streams=2
 *   <root>/<group>/lock            who holds the backup session; guard: held while files change
 *   <root>/restore/<group>-<n>/    restore paths chosen by the server
 */
#ifndef ESESIM_STORE_H
#define ESESIM_STORE_H

#include <stdbool.h>

#include "esebcli2.h"
#include "files.h"

#define NAME_CAP 1024
#define BASE_CAP 16
#define GROUPS_MOST 8
#define DATABASES_MOST 8
#define FAULTS_MOST 16
#define STREAMS_MOST 2

typedef struct fault {
  char key[64], value[64];
} fault;

typedef struct store {
  char root[PATH_CAP];
  char annotation[NAME_CAP];
  char server[NAME_CAP]; /* "": answers to any name */
  char groups[GROUPS_MOST][NAME_CAP];
  uint32_t group_count;
  fault faults[FAULTS_MOST];
  uint32_t fault_count;
} store;

typedef struct database {
  uint32_t index; /* in log records; never used again in this stream */
  bool mounted;
  ese_guid guid;
  char file[NAME_CAP]; /* without .edb */
  char name[NAME_CAP];
} database;

typedef struct group {
  char directory[PATH_CAP];
  char name[NAME_CAP];
  char base[BASE_CAP];
  int64_t id;
  uint32_t log_size;
  uint32_t digits;   /* of a generation in a file name: 8, or 5 before 2007 */
  uint32_t streams;  /* per database: 1, or 2 before 2007 */
  uint32_t lag;      /* generations that the checkpoint stays behind when the log rolls */
  uint32_t circular; /* 1: closed logs below the checkpoint vanish */
  uint32_t recovery; /* 1: a recovery storage group, the target of restores */
  uint32_t next_index;
  int64_t clock_s; /* added to the clock of log headers; from the fault switch */
  database databases[DATABASES_MOST];
  uint32_t database_count;
} group;

/* ESESIM_ROOT; on Windows else the registry value EsesimRoot beside the library's own. */
ese_result store_root(char *root);
ese_result store_load(store *out, const char *root);
ese_result store_save(const store *saved);
const char *store_fault(const store *of, const char *key); /* NULL: off */

ese_result group_load(group *out, const store *of, const char *directory_name);
ese_result group_load_named(group *out, const store *of, const char *name);
ese_result group_load_id(group *out, const store *of, int64_t id);
ese_result group_save(const group *saved);
/* One of the numbers above, or base. False: there is no such setting. */
bool group_setting(group *out, const char *key, const char *value);
database *group_database(group *of, const char *name); /* NULL: none */
bool guid_equal(const ese_guid *one, const ese_guid *other);
void guid_format(const ese_guid *guid, char out[33]);
bool guid_parse(const char *text, ese_guid *out);

void database_path(const group *of, const database *one, uint32_t stream, char *out); /* PATH_CAP bytes */

/* Files of the group change only between these two. */
int group_guard(const group *of, ese_result *error);
void group_unguard(int guard);

#endif
