/* SPDX-License-Identifier: Apache-2.0 */
/* A backup, told in order: which groups, and for each its databases, its logs, its description. */
#ifndef EXCHANGE_BACKUP_H
#define EXCHANGE_BACKUP_H

#include "bplugin_sdk.h"
#include "library.h"
#include "settings.h"

typedef struct backup backup;

/* *out is set, and to be ended, also when this fails. */
bp_status backup_begin(backup **out, const bp_host_api *host, const ese_library *library, const settings *settings,
                       const bp_begin *why);
bp_status backup_next_entries(backup *b, bp_batch *batch);
bp_status backup_open(backup *b, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size);
bp_status backup_read(backup *b, void *buf, uint64_t cap, bp_chunk *chunk);
bp_status backup_close(backup *b);
void      backup_commit(backup *b);
void      backup_end(backup *b);

#endif
