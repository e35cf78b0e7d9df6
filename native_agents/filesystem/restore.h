/* SPDX-License-Identifier: Apache-2.0 */
/* One restore: entries one after the other, directories' attributes at the end. */
#ifndef FILESYSTEM_RESTORE_H
#define FILESYSTEM_RESTORE_H
#include "bplugin.h"

typedef struct restore restore;

bp_status restore_begin(restore **out, const bp_host_api *host, const char *where);
void restore_end(restore *r);

bp_status restore_entry(restore *r, const bp_entry *entry, const void *base, const char *dest, uint32_t replace,
                        uint32_t *action);
bp_status restore_stream(restore *r, uint32_t stream, uint64_t size);
bp_status restore_write(restore *r, const void *buf, const bp_chunk *chunk);
bp_status restore_done(restore *r, bp_status how);
bp_status restore_commit(restore *r);

#endif
