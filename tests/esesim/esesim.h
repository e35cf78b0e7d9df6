/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's calls, beside those of esebcli2.h: what administrators, mailboxes, time and other backup products do to a store.
 * Text is UTF-8. Results are those of the interface. `group` and `database` are display names.
 */
#ifndef ESESIM_H
#define ESESIM_H

#include "esebcli2.h"

#ifdef _WIN32
#ifdef ESESIM_CLIENT
#define ESESIM_EXPORT __declspec(dllimport)
#else
#define ESESIM_EXPORT __declspec(dllexport)
#endif
#else
#define ESESIM_EXPORT __attribute__((visibility("default")))
#endif

/* server: "" answers to any name. */
ESESIM_EXPORT ese_result esesim_create(const char *root, const char *annotation, const char *server);
/* settings: `key=value` lines of group.ini: base log_size digits streams lag circular recovery. */
ESESIM_EXPORT ese_result esesim_add_group(const char *root, const char *directory, const char *name, const char *settings);
ESESIM_EXPORT ese_result esesim_set_group(const char *root, const char *group, const char *settings);
/* file: name without .edb. guid: 32 hex digits or NULL. It comes mounted, empty. */
ESESIM_EXPORT ese_result esesim_add_database(const char *root, const char *group, const char *database, const char *file,
                                             const char *guid);
ESESIM_EXPORT ese_result esesim_remove_database(const char *root, const char *group, const char *database);
ESESIM_EXPORT ese_result esesim_rename_database(const char *root, const char *group, const char *database, const char *name);
/* database NULL: all of the group. */
ESESIM_EXPORT ese_result esesim_mount(const char *root, const char *group, const char *database);
ESESIM_EXPORT ese_result esesim_dismount(const char *root, const char *group, const char *database);
/* One transaction: the page's content. flush: 1 when the page goes to disk at once. */
ESESIM_EXPORT ese_result esesim_put(const char *root, const char *group, const char *database, uint32_t page, const char *content,
                                    uint32_t flush);
/* count transactions on random pages of random mounted databases, `flush_percent` of them to disk at once. */
ESESIM_EXPORT ese_result esesim_write(const char *root, const char *group, uint32_t count, uint32_t seed, uint32_t flush_percent);
ESESIM_EXPORT ese_result esesim_roll(const char *root, const char *group);
/* Pages on disk become those of `lag` generations ago. */
ESESIM_EXPORT ese_result esesim_checkpoint(const char *root, const char *group, uint32_t lag);
/* A database's file made as large as this; what is new is a hole. */
ESESIM_EXPORT ese_result esesim_stretch(const char *root, const char *group, const char *database, int64_t size);
/* All databases clean and dismounted: the logs go, a stream with a new signature begins. */
ESESIM_EXPORT ese_result esesim_wipe_stream(const char *root, const char *group);
/* A whole backup by another product. kind: full, copy, incremental, differential. */
ESESIM_EXPORT ese_result esesim_foreign_backup(const char *root, const char *group, const char *kind);
/* value NULL: off. Calls are counted from 1 again. */
ESESIM_EXPORT ese_result esesim_fault(const char *root, const char *key, const char *value);

/* The content of all databases, or of one group's: what must be equal after a restore. esesim_free() it; NULL: *result. */
ESESIM_EXPORT char *esesim_dump(const char *root, const char *group, ese_result *result);
/* Generations, checkpoint, signature, and per database its state and what backups its header records. */
ESESIM_EXPORT char *esesim_status(const char *root, const char *group, ese_result *result);
ESESIM_EXPORT void esesim_free(char *text);

/* Blocks that clients have not given back; and those given back through the wrong call. */
ESESIM_EXPORT uint32_t esesim_unfreed(void);
ESESIM_EXPORT uint32_t esesim_wrong_frees(void);

#endif
