/* SPDX-License-Identifier: Apache-2.0 */
/* The ESE online backup interface, esebcli2.dll, as Exchange 2000 to 2007 offer it: in our own words, from Microsoft's reference
 * pages and from the public engine. There is no import library: load the library, resolve the names of ESEBCLI2_CALLS.
 *
 * The same text serves Windows and the simulator on Linux (tests/esesim): fixed widths only, text is UTF-16 in host order,
 * everything that is 64 bits wide here is so in both. Layouts are those of the 64-bit library.
 *
 * Memory that the library hands out goes back to it through the call named beside the type, and through no other.
 */
#ifndef FILED_ESEBCLI2_H
#define FILED_ESEBCLI2_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define ESE_CALL __stdcall /* matters on 32-bit only */
#else
#define ESE_CALL
#endif

typedef int32_t ese_result; /* an HRESULT: negative is an error */
typedef uint16_t ese_char;  /* a UTF-16 unit: u"..." has this type */
typedef void *ese_context;  /* one backup, or one restore */

#define ESE_OK ((ese_result)0)

/* ---- Structures --------------------------------------------------------------------------------------------------------- */

typedef struct ese_guid {
  uint32_t data1;
  uint16_t data2, data3;
  uint8_t data4[8];
} ese_guid;

typedef struct ese_database_info {
  ese_char *display_name;
  uint32_t streams_length; /* in characters, the last NULs included: the hard bound of `streams` */
  uint32_t pad12;
  ese_char *streams; /* paths, each ended by NUL; stop at the first empty one, though more may follow within the length */
  ese_guid guid;
  uint32_t icon_index; /* by value */
  uint32_t flags;      /* ESE_DATABASE_* */
} ese_database_info;

typedef struct ese_icon { /* opaque to a client: Windows resource data */
  uint32_t size;
  uint32_t pad4;
  void *data;
} ese_icon;

/* A storage group. ESEBackupFreeInstanceInfo frees the array and all below it. */
typedef struct ese_instance_info {
  int64_t id;
  ese_char *name;
  uint32_t icon_index;
  uint32_t database_count;
  ese_database_info *databases;
  uint32_t icon_count;
  uint32_t pad36;
  ese_icon *icons;
} ese_instance_info;

/* What restore.env holds. Only ever read it through the library's pointer, never copy it: newer libraries append fields.
 * ESERestoreFreeEnvironment frees it. */
typedef struct ese_restore_environment {
  ese_char *restore_log_path; /* where restored logs go */
  ese_char *source_instance;
  uint32_t database_count;
  uint32_t pad20;
  ese_char **database_names;
  ese_guid *database_guids;
  ese_char *system_path;
  ese_char *log_path; /* of the running target; NULL until Complete */
  ese_char *target_instance;
  ese_char **source_streams; /* per database, as in ese_database_info */
  ese_char **destination_streams;
  uint32_t gen_low, gen_high; /* of the logs announced so far; 0, 0: none */
  ese_char *log_base_name;    /* "E00" */
  int64_t last_restore_time;
  int32_t recover_status;
  ese_result recover_result;
  int64_t recover_time;
  ese_char *annotation;
} ese_restore_environment;

/* What GetNodes and GetRegistered list. Recalled, not read anywhere: a backup does not need them. */
typedef struct ese_node {
  ese_char *name;
  uint32_t flags; /* ESE_NODE_* */
  uint32_t icon_index;
  struct ese_node *next, *child;
} ese_node;

typedef struct ese_registered_info {
  ese_char *display_name, *annotation;
  uint32_t flags, icon_index;
} ese_registered_info;

#if UINTPTR_MAX > 0xFFFFFFFFu
#define ESE_AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
#define ESE_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
ESE_SIZE(ese_guid, 16);
ESE_AT(ese_database_info, streams_length, 8);
ESE_AT(ese_database_info, streams, 16);
ESE_AT(ese_database_info, guid, 24);
ESE_AT(ese_database_info, icon_index, 40);
ESE_AT(ese_database_info, flags, 44);
ESE_SIZE(ese_database_info, 48);
ESE_AT(ese_instance_info, name, 8);
ESE_AT(ese_instance_info, icon_index, 16);
ESE_AT(ese_instance_info, database_count, 20);
ESE_AT(ese_instance_info, databases, 24);
ESE_AT(ese_instance_info, icon_count, 32);
ESE_AT(ese_instance_info, icons, 40);
ESE_SIZE(ese_instance_info, 48);
ESE_AT(ese_restore_environment, database_count, 16);
ESE_AT(ese_restore_environment, database_names, 24);
ESE_AT(ese_restore_environment, target_instance, 56);
ESE_AT(ese_restore_environment, destination_streams, 72);
ESE_AT(ese_restore_environment, gen_low, 80);
ESE_AT(ese_restore_environment, gen_high, 84);
ESE_AT(ese_restore_environment, last_restore_time, 96);
ESE_AT(ese_restore_environment, recover_result, 108);
ESE_AT(ese_restore_environment, annotation, 120);
ESE_SIZE(ese_restore_environment, 128);
#undef ESE_AT
#undef ESE_SIZE
#endif

/* ---- Numbers ------------------------------------------------------------------------------------------------------------ */

#define ESE_BACKUP_FULL 1u /* databases, and the logs that their copies need */
#define ESE_BACKUP_LOGS_ONLY 2u
#define ESE_BACKUP_FULL_WITH_ALL_LOGS 3u
#define ESE_BACKUP_SNAPSHOT 4u

#define ESE_INSTANCE_END_ERROR 0u
#define ESE_INSTANCE_END_SUCCESS 1u

#define ESE_DATABASE_MOUNTED 0x10u

#define ESE_RESTORE_ATTACH_DATABASES 0x1u
#define ESE_RESTORE_NO_WAIT 0x10000u
#define ESE_RESTORE_KEEP_LOG_FILES 0x20000u

#define ESE_RESTORE_CLOSE_NORMAL 0u
#define ESE_RESTORE_CLOSE_ABORT 1u

#define ESE_NODE_MACHINE 0x1u
#define ESE_NODE_ANNOTATION 0x10u
#define ESE_NODE_DISPLAY 0x100u

/* Never ask ReadFile for more, and preset its `got`: the two known descriptions of its sizes, 16 and 32 bits, then agree. */
#define ESE_READ_MOST 61440u

/* The engine's error -n as a result. */
#define ESE_ENGINE_ERROR(n) ((ese_result)(0xC8000000u + (n)))
#define ESE_FRAMEWORK_ERROR(n) ((ese_result)(0xC7FF0000u + (n)))

#define ESE_E_NOT_ENOUGH_MEMORY ESE_ENGINE_ERROR(1011u)
#define ESE_E_INVALID_PARAMETER ESE_ENGINE_ERROR(1003u)
#define ESE_E_DISK_IO ESE_ENGINE_ERROR(1022u)
#define ESE_E_DISK_FULL ESE_ENGINE_ERROR(1808u)
#define ESE_E_FILE_NOT_FOUND ESE_ENGINE_ERROR(1811u)
#define ESE_E_READ_VERIFY_FAILURE ESE_ENGINE_ERROR(1018u) /* a page of a database is corrupt */
#define ESE_E_LOG_FILE_CORRUPT ESE_ENGINE_ERROR(501u)
#define ESE_E_BACKUP_IN_PROGRESS ESE_ENGINE_ERROR(505u)
#define ESE_E_INVALID_LOG_SEQUENCE ESE_ENGINE_ERROR(515u)
#define ESE_E_NO_BACKUP ESE_ENGINE_ERROR(520u)               /* the session is lost */
#define ESE_E_INVALID_BACKUP_SEQUENCE ESE_ENGINE_ERROR(521u) /* calls out of order, or files still open */
#define ESE_E_BACKUP_NOT_ALLOWED_YET ESE_ENGINE_ERROR(523u)
#define ESE_E_LOGGING_DISABLED ESE_ENGINE_ERROR(526u)     /* logs only, with circular logging */
#define ESE_E_MISSING_FULL_BACKUP ESE_ENGINE_ERROR(560u)  /* logs only, and no Full yet */
#define ESE_E_MISSING_FILE_TO_BACKUP ESE_ENGINE_ERROR(569u) /* a log since the last Full or Incremental is gone */
#define ESE_E_LOG_SEQUENCE_NOT_READ ESE_ENGINE_ERROR(616u) /* truncation refused: not every listed log was read to its end */
#define ESE_E_GIVEN_LOG_BAD_SIGNATURE ESE_ENGINE_ERROR(555u)
#define ESE_E_GIVEN_LOG_NOT_CONTIGUOUS ESE_ENGINE_ERROR(556u)
#define ESE_E_GIVEN_LOG_MISSING ESE_ENGINE_ERROR(557u)
#define ESE_E_EXISTING_LOG_BAD_SIGNATURE ESE_ENGINE_ERROR(610u)
#define ESE_E_EXISTING_LOG_NOT_CONTIGUOUS ESE_ENGINE_ERROR(611u)

#define ESE_RESTORE_AT_FILE_LEVEL ESE_FRAMEWORK_ERROR(0x0FA5u) /* RestoreOpenFile's normal answer: write the file yourself */
#define ESE_E_FROM_ENGINE ESE_FRAMEWORK_ERROR(0x1004u)
#define ESE_E_FROM_CALLBACK ESE_FRAMEWORK_ERROR(0x1005u)
#define ESE_E_CIRCULAR_LOGGING ESE_FRAMEWORK_ERROR(0x000Bu)
#define ESE_E_NO_FULL_BACKUP ESE_FRAMEWORK_ERROR(0x000Eu)
#define ESE_E_DATABASE_IN_USE ((ese_result)0xC7FE1F41u) /* not dismounted */
#define ESE_E_DATABASE_NOT_FOUND ((ese_result)0xC7FE1F42u)

/* ---- Calls --------------------------------------------------------------------------------------------------------------
 *
 * X(returns, name, (arguments)). One list makes prototypes, a table of pointers, or the list of names to resolve:
 *
 *   #define ESE_SLOT(returns, name, arguments) returns(ESE_CALL *name) arguments;
 *   struct ese_library { ESEBCLI2_CALLS(ESE_SLOT) };
 *
 * Order of a backup: Prepare, then per storage group in a context of its own: Setup; of a FULL each stream of each database:
 * OpenFile, ReadFile until 0 bytes, CloseFile; GetLogAndPatchFiles, each of those the same way; TruncateLogs perhaps;
 * InstanceEnd; and End at last. Prepare gives one context; further ones come from further Prepares.
 *
 * Order of a restore: Open (or Reopen), AddDatabase per database, OpenFile for each file, SaveEnvironment, [Complete], Close.
 */

#define ESEBCLI2_BACKUP_CALLS(X)                                                                                                \
  /* annotation: "Microsoft Information Store". Instances are freed by ESEBackupFreeInstanceInfo. */                            \
  X(ese_result, HrESEBackupPrepare,                                                                                             \
    (const ese_char *server, const ese_char *annotation, uint32_t *count, ese_instance_info **instances, ese_context *context)) \
  /* Locks the storage group against attach and detach until InstanceEnd. type: ESE_BACKUP_*. */                                \
  X(ese_result, HrESEBackupSetup, (ese_context context, int64_t instance_id, uint32_t type))                                    \
  /* sections: always 1; then `handles` and `sizes` have one element. A database's size is its size now: it may grow. */        \
  X(ese_result, HrESEBackupOpenFile,                                                                                            \
    (ese_context context, const ese_char *name, uint32_t read_hint, uint32_t sections, void **handles, int64_t *sizes))         \
  /* size: at most ESE_READ_MOST. OK with *got = 0 is the end. */                                                               \
  X(ese_result, HrESEBackupReadFile, (ese_context context, void *handle, void *buffer, uint32_t size, uint32_t *got))           \
  X(ese_result, HrESEBackupCloseFile, (ese_context context, void *handle))                                                      \
  /* Rolls the current log, so that all up to now is in closed logs; no database may be opened afterwards. *files is a          \
     multi-string of full paths, oldest generation first, freed by ESEBackupFree. */                                            \
  X(ese_result, HrESEBackupGetLogAndPatchFiles, (ese_context context, ese_char **files))                                        \
  /* What TruncateLogs would delete, likewise. */                                                                               \
  X(ese_result, HrESEBackupGetTruncateLogFiles, (ese_context context, ese_char **files))                                        \
  X(ese_result, HrESEBackupTruncateLogs, (ese_context context))                                                                 \
  X(ese_result, HrESEBackupGetDependencyInfo,                                                                                   \
    (ese_context context, ese_char **info, uint32_t *info_size, ese_char **annotations))                                        \
  /* flags: ESE_INSTANCE_END_*. */                                                                                              \
  X(ese_result, HrESEBackupInstanceEnd, (ese_context context, uint32_t flags))                                                  \
  /* Frees the context. An instance that was not ended is ended as error. */                                                    \
  X(ese_result, HrESEBackupEnd, (ese_context context))                                                                          \
  X(void, ESEBackupFreeInstanceInfo, (uint32_t count, ese_instance_info * instances))                                           \
  X(void, ESEBackupFree, (void *memory))

#define ESEBCLI2_LISTING_CALLS(X)                                                                                               \
  X(ese_result, HrESEBackupRestoreGetNodes, (const ese_char *computer, ese_node **tree))                                        \
  X(ese_result, HrESEBackupRestoreGetRegistered,                                                                                \
    (const ese_char *server, const ese_char *display_name, uint32_t flags, uint32_t *count, ese_registered_info **registered))  \
  X(void, ESEBackupRestoreFreeNodes, (ese_node * tree))                                                                         \
  X(void, ESEBackupRestoreFreeRegisteredInfo, (uint32_t count, ese_registered_info * registered))

#define ESEBCLI2_RESTORE_CALLS(X)                                                                                               \
  /* log_path: an empty directory for the restored logs; NULL: the server makes one, see GetEnvironment. */                     \
  X(ese_result, HrESERestoreOpen,                                                                                               \
    (const ese_char *server, const ese_char *annotation, const ese_char *source_instance, const ese_char *log_path,             \
     ese_context *context))                                                                                                     \
  /* Goes on with the next set of the same recovery: log_path has its restore.env. */                                           \
  X(ese_result, HrESERestoreReopen,                                                                                             \
    (const ese_char *server, const ese_char *annotation, const ese_char *log_path, ese_context *context))                       \
  /* source_streams: byte for byte as Prepare gave them. *destination_streams: where to write, freed by ESEBackupFree. */       \
  X(ese_result, HrESERestoreAddDatabase,                                                                                        \
    (ese_context context, const ese_char *name, ese_guid guid, const ese_char *source_streams,                                  \
     ese_char **destination_streams))                                                                                           \
  /* The client names the destinations. */                                                                                      \
  X(ese_result, HrESERestoreAddDatabaseNS,                                                                                      \
    (ese_context context, const ese_char *name, ese_guid guid, const ese_char *source_streams,                                  \
     const ese_char *destination_streams))                                                                                      \
  /* Obligatory for every file, databases and logs: it tells the engine which there are. Answers ESE_RESTORE_AT_FILE_LEVEL:     \
     a database is then written to its destination stream, a log below the restore log path. sections: 1. */                    \
  X(ese_result, HrESERestoreOpenFile, (ese_context context, const ese_char *name, uint32_t sections, void **handles))           \
  /* Writes restore.env into the restore log path. */                                                                           \
  X(ese_result, HrESERestoreSaveEnvironment, (ese_context context))                                                             \
  X(ese_result, HrESERestoreLoadEnvironment,                                                                                    \
    (const ese_char *server, const ese_char *log_path, ese_restore_environment **environment))                                  \
  X(ese_result, HrESERestoreGetEnvironment, (ese_context context, ese_restore_environment **environment))                       \
  /* After the last set only: hard recovery. checkpoint_path, log_path: of the running target, NULL for its own.                \
     target_instance: NULL for the source instance. flags: ESE_RESTORE_*. */                                                    \
  X(ese_result, HrESERestoreComplete,                                                                                           \
    (ese_context context, const ese_char *checkpoint_path, const ese_char *log_path, const ese_char *target_instance,           \
     uint32_t flags))                                                                                                           \
  /* Frees the context. how: ESE_RESTORE_CLOSE_*. */                                                                            \
  X(ese_result, HrESERestoreClose, (ese_context context, uint32_t how))                                                         \
  X(void, ESERestoreFreeEnvironment, (ese_restore_environment * environment))

#define ESEBCLI2_CALLS(X)   \
  ESEBCLI2_BACKUP_CALLS(X)  \
  ESEBCLI2_LISTING_CALLS(X) \
  ESEBCLI2_RESTORE_CALLS(X)

#endif
