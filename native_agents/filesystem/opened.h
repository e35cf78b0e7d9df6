/* SPDX-License-Identifier: Apache-2.0 */
/* An entry that was listed, opened again by its directory and name, and known to be what was listed. */
#ifndef FILESYSTEM_OPENED_H
#define FILESYSTEM_OPENED_H
#include "backup.h"
#include "handle.h"

/*
 * `reading`: for its data; else so that nothing happens to a FIFO or a device. *entry becomes its attributes of now, flags
 * and cookie aside. False: errno; ESTALE when something else stands there.
 */
bool open_slot(backup *b, slot *s, bool reading, handle *h, bp_entry *entry);

/*
 * The same for the data of an entry whose attributes are stored or about to be: what hold() kept, or the name again, if the
 * very same thing stands there, with the same owner and permissions. Else ESTALE.
 */
bool open_same(backup *b, slot *s, handle *h, bp_entry *entry);

/* Keeps a file open for open_same(); the one that was held longest is closed for it. Takes the descriptor. */
void hold(backup *b, slot *s, handle *h);

/*
 * Opens a regular file before its turn and asks for its data, so that the disk is at work on several at once: a Full of
 * small files is read four to six times as fast from a cold disk. Does nothing when it cannot be opened: its turn will tell.
 */
void open_ahead(backup *b, slot *s, uint64_t options);

/* Was it written to between the two looks? */
bool entry_changed(const bp_entry *before, const bp_entry *after);

/* Puts the time of last access back that our reading has moved. */
void keep_atime(const handle *h, const bp_time *atime);

#endif
