/* SPDX-License-Identifier: Apache-2.0 */
/* Where is the library of the service, and what of it do we call? */
#ifndef EXCHANGE_LIBRARY_H
#define EXCHANGE_LIBRARY_H

#include "bplugin_sdk.h"
#include "esebcli2.h"

#define ESE_SLOT(returns, name, arguments) returns(ESE_CALL *name) arguments;
typedef struct ese_library {
  ESEBCLI2_BACKUP_CALLS(ESE_SLOT)
  ESEBCLI2_RESTORE_CALLS(ESE_SLOT)
} ese_library;
#undef ESE_SLOT

/*
 * Loads it: `path` (the option), else on Windows what the registry says, else FILED_ESEBCLI of the environment, which a
 * privileged process follows only with `trust_environment`. It stays loaded. BP_OK; BP_E_FAIL, said.
 */
bp_status library_load(ese_library *library, const bp_host_api *host, const char *path, int trust_environment);

#endif
