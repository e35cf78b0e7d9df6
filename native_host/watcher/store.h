/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reader stores, in <store>/events-<identity>.sqlite. <store>/current holds the name of the one in use; who reads it also
 * has to see that <store>/watcher.lock is locked, else no watcher is running and the file says nothing.
 *
 *   about     identity, boot, started, by name
 *   fs        one row a file system; `gap` is the number up to which events may be missing, `why` and `gap_at` say when and why
 *   dirty     names that were touched: the directory's handle, the name in it, and the number of the last event
 *   object    files that were touched by whatever name, by handle: for hard links
 *   reader    how far each reader of this store has come: what all of them have seen may be deleted
 *
 * A handle is name_to_handle_at(2)'s type, 4 bytes, and its bytes. Numbers rise with each event and never repeat.
 */
#ifndef WATCHER_STORE_H
#define WATCHER_STORE_H
#include "batch.h"
#include "watcher.h"

typedef struct store store;

/* Opens the store of this watcher, made anew by its first reader. NULL: said why. */
store *store_open(const shared *page, const char *directory, uint64_t *number);

/* In one transaction: the events of the batch, then the gaps that are noted in it. Nothing is stored when it fails: then why, else NULL. */
const char *store_batch(store *s, const shared *page, const batch *b);

#endif
