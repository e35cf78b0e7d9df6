/* SPDX-License-Identifier: Apache-2.0 */
/* What the watcher has noted since the last look; native_host/watcher/store.h has its file. */
#ifndef FILESYSTEM_EVENTS_H
#define FILESYSTEM_EVENTS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bplugin.h"
#include "state.h"

typedef struct events events;

#define WHY_MAX 320u

/* NULL: *why says why not. */
events *events_open(const bp_host_api *host, const char *directory, char why[WHY_MAX]);
void events_close(events *e);

const char *events_identity(const events *e);

/* Is the file system of this directory watched without a gap since event number `since`? fd: of the directory, not O_PATH. */
bool events_cover(events *e, int fd, uint64_t since, char why[WHY_MAX]);

/*
 * Waits until all that had happened before is in the store: makes a file without a name in the directory and waits for its event.
 * *number: of that event. After the first time it does nothing: one queue has the events of all file systems.
 */
bool events_barrier(events *e, int fd, uint64_t *number, char why[WHY_MAX]);

/* The next events_barrier is another one. */
void events_go_on(events *e);

/* Wants in `s` each name that was touched on this directory's file system after event `since`; whole: and all below. false: *why. */
bool events_want(events *e, int fd, uint64_t since, state *s, bool whole, char why[WHY_MAX]);

/* All up to this event is in the state of that identity: what all states have is deleted. */
void events_done(events *e, const char *identity, uint64_t number);

#endif
