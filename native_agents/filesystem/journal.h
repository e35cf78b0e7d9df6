/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk that knows what the last one saw. Without a watcher it still looks at everything, but knows exactly what changed, moved or
 * went; with one it looks at what was touched alone. docs/journal.md has the whole.
 *
 * A File line is *directed* when only what was touched below it is looked at: the walk then goes down to those names, and into new
 * directories. Every doubt makes the line a rescan, and the report says why.
 */
#ifndef FILESYSTEM_JOURNAL_H
#define FILESYSTEM_JOURNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "bplugin.h"
#include "bplugin_sdk.h"
#include "fileset.h"

#define JOURNAL_DIRECTORY "/var/lib/filed/journal"

typedef enum journal_use { JOURNAL_NO, JOURNAL_AUTO, JOURNAL_YES } journal_use;

typedef struct journal journal;

/* *out is NULL when this Job does without: not wanted, or told why not. BP_E_CANCELLED, BP_E_NOMEM. */
bp_status journal_begin(journal **out, const bp_host_api *host, const bp_begin *how, const fileset *set, journal_use use,
                        const char *directory);

/* Without journal_finish nothing of this Job is kept. */
void journal_end(journal *j);

/* ---- what the walk asks ---- */

/* Tells an open directory from all others there were, those whose inode number it has now, too; 0: it cannot be told. */
uint64_t journal_identity(int fd);

/* A directory is entered; top: it is a File line's own. Are only the names that journal_next gives to be looked at in it? */
bool journal_directs(journal *j, const char *path, uint32_t len, const bp_entry *entry, uint64_t identity, bool top,
                     bool above_is_directed);

/* The next of those; in: the one before, "" at first. */
bool journal_next(journal *j, const char *path, uint32_t len, char name[256]);

/* ---- what the walk says. BP_E_BASE, BP_E_FAIL: the state cannot be kept; told ---- */

/* A File line begins. false: it need not be looked at again. */
bool journal_item(journal *j, const char *path, uint32_t len);

/*
 * All File lines are done. *again: they are to be gone through again, for other names of the files that were listed: hard links are
 * restored as such only from one Job.
 */
bp_status journal_lines_done(journal *j, bool *again);

/*
 * An entry of the backup is there, perhaps FAILED; entered: a directory whose content was looked at, with its identity. May flag
 * it SELECTED. *listed: whether it belongs on the page.
 */
bp_status journal_entry(journal *j, const char *path, uint32_t len, bp_entry *entry, bool entered, uint64_t identity, bool *listed);

/* A directory that is no entry of the backup: gone through, or left alone for a marker in it. */
bp_status journal_passed(journal *j, const char *path, uint32_t len, const bp_entry *entry, bool entered, uint64_t identity);

/* All at and below this path has been looked at, or nothing is there. */
bp_status journal_looked(journal *j, const char *path, uint32_t len);

/* The walk is over: deletions, as many as fit. *done: they were all; the state is kept, and put. *complete: all was listed. */
bp_status journal_finish(journal *j, bp_page *page, bool *done, bool *complete);

/* ---- later ---- */

/* What was listed could not be read: the next Job has to look again. NULL: no journal. */
void journal_again(journal *j, const char *path, uint32_t len);

#endif
