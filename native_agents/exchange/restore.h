/* SPDX-License-Identifier: Apache-2.0 */
/* A restore, told in order: what each entry is, which storage group it belongs to, and what happens at the end. */
#ifndef EXCHANGE_RESTORE_H
#define EXCHANGE_RESTORE_H

#include "bplugin_sdk.h"
#include "library.h"
#include "settings.h"

typedef struct restore restore;

/* library: asked for when the first entry goes to the service; a restore to plain files never does. */
typedef struct service {
  bp_status (*library)(void *of, const ese_library **library);
  void *of;
} service;

/* *out is set, and to be ended, also when this fails. */
bp_status restore_begin(restore **out, const bp_host_api *host, service service, const settings *settings);
bp_status restore_entry(restore *r, const bp_entry *entry, const void *base, const char *dest, uint32_t *action);
bp_status restore_stream(restore *r, uint32_t stream);
bp_status restore_write(restore *r, const void *buf, const bp_chunk *chunk);
bp_status restore_done(restore *r, bp_status how);
bp_status restore_commit(restore *r);
void      restore_end(restore *r);

#endif
