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
bool open_slot(backup *b, const slot *s, bool reading, handle *h, bp_entry *entry);

/* Was it written to between the two looks? */
bool entry_changed(const bp_entry *before, const bp_entry *after);

/* Puts the time of last access back that our reading has moved. */
void keep_atime(const handle *h, const bp_time *atime);

#endif
