/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the last Jobs saw of a FileSet, entry by entry, in one SQLite file. A Job compares with it and brings it up to date, all in one
 * transaction: a Job that fails leaves it as it was.
 *
 * Each Job that looks has a number, the look. What a look finds changed or gone is stamped with it, so "what changed since Job J" is
 * "what has a stamp above J's look". A Job's look is sealed with it, as state; the Director says which one counts by naming the Job.
 *
 * Keys are paths with 0 for every slash: a directory's entries then follow it directly, and what is in them before its next sibling.
 * All at and below K is [K, K + "\1").
 */
#ifndef FILESYSTEM_STATE_H
#define FILESYSTEM_STATE_H
#include <stdbool.h>
#include <stdint.h>

#include "bplugin.h"
#include "fileset.h"

typedef struct state state;

enum {
  SEEN_DIRECTORY = 1,
  SEEN_SAVED = 2,   /* it is an entry of the backup; else a directory that is only gone through, or looked at for its marker */
  SEEN_ENTERED = 4, /* what is in it is looked at, too */
  SEEN_RACY = 8,    /* it had changed so shortly before that its times may stand for a later change, too */
};

typedef struct seen_row {
  int64_t  id;
  uint32_t kind;
  uint64_t ino, dev, identity;
} seen_row;

/* Waits for another Job of this FileSet that has it, unless `no_wait`. NULL: *why says so; "" when it is only in use. */
state *state_open(const bp_host_api *host, const char *directory, const char *fileset, bool no_wait, char *why, uint32_t why_cap);

/* What was not committed is taken back. broken: the file cannot be trusted; it is removed. */
void state_close(state *s, bool broken);

/* Of the library's last failure. */
const char *state_error(state *s);

/* ---- what it knows ---- */

const char *state_identity(const state *s); /* new with each file: 32 hexadecimal digits */
uint64_t state_look(const state *s);        /* of this Job */
bool state_reaches(state *s, uint64_t look); /* can say what changed since then */

/* Of the Job of that unique name. false: it is not known. */
bool state_look_of(state *s, const char *job, uint64_t *look);

/* The watcher's store, and how far it has been read; false: never. identity: at least 40 bytes. */
bool state_position(state *s, char *identity, uint64_t *number);

/* Of an item, when all of it was listed last: was it on one device, and which mounts were around it? false: never listed. */
bool state_root(state *s, const char *path, uint32_t len, bool *single, uint64_t *mounts);

/* ---- what is to be looked at: a set of paths ---- */

bool state_want(state *s, const char *path, uint32_t len, bool whole);
bool state_want_changed(state *s, uint64_t since);  /* all with a later stamp */
bool state_want_again(state *s);                    /* what could not be read last time */
bool state_want_file(state *s, uint64_t ino, uint64_t dev, bool any_dev);                     /* all its names */
bool state_want_name(state *s, uint64_t ino, uint64_t dev, const char *name, uint32_t len, bool whole); /* in that directory; "." itself */
/* In place of all that was wanted: the names of changed files with several that were not looked at. *any: there are some. */
bool state_want_linked(state *s, bool *any);

/* Is this path wanted? *whole: and all below it. */
bool state_is_wanted(state *s, const char *path, uint32_t len, bool *whole);

/* The next name in a directory at which, or below which, something is wanted; in: the one before, "" at first. */
bool state_next_wanted(state *s, const char *path, uint32_t len, char name[256]);

/* ---- looking ---- */

/* false: it has no row. */
bool state_find(state *s, const char *path, uint32_t len, seen_row *row);

/*
 * This is there. *changed: new, or not as it was. touched: it counts as changed, whatever its attributes say. identity: of a directory
 * that was entered, journal_identity().
 */
bool state_saw(state *s, const char *path, uint32_t len, const bp_entry *entry, uint32_t kind, uint64_t identity, bool touched,
               bool *changed);

/* This is there, and its row stays as it is. */
void state_still_there(state *s, const char *path, uint32_t len);

/* It could not be looked at: it, and all below, count as still there, and are looked at again next time. */
bool state_failed(state *s, const char *path, uint32_t len);

/* All at and below this path has been looked at: what was not seen is gone. */
bool state_looked(state *s, const char *path, uint32_t len);

/* After the last look: finds what is gone. *gone: how many. */
bool state_settle(state *s, const fileset *set, uint64_t *gone);

/* The next that is gone since that look, in order; path: room for 64 KiB. 1: there is one, 0: no more, -1: an error. */
int state_next_gone(state *s, uint64_t since, char *path, uint32_t *len, bool *directory);

/* ---- the audit: what a look at what is wanted alone would have missed, while all is looked at ---- */

/* Before the first look. */
void state_audit(state *s);

/* After state_settle, with all wanted that was touched until then: calls `missed` for each path. */
bool state_missed(state *s, const fileset *set, void (*missed)(void *ctx, const char *path, uint32_t len), void *ctx);

/* ---- the end ---- */

bool state_note_root(state *s, const char *path, uint32_t len, bool single, uint64_t mounts);
bool state_note_position(state *s, const char *identity, uint64_t number); /* identity "": none */

/* For good. full: a Full, whose look may be a base for long. job: its unique name. */
bool state_commit(state *s, bool full, const char *job);

/* Later, at any time until it is closed: this could not be read; it is looked at again next time. */
bool state_again(state *s, const char *path, uint32_t len);

#endif
