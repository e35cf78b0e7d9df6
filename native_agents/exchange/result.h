/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of the library means, and how it is told to the host. */
#ifndef EXCHANGE_RESULT_H
#define EXCHANGE_RESULT_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "esebcli2.h"

/* In words, with what to do about it where that is known. */
const char *ese_meaning(ese_result result);

/* Says that `what` failed with `result`, returns the status: BP_E_BUSY for a session of another, else BP_E_FAIL. */
bp_status ese_failed(const bp_host_api *host, ese_result result, const char *what, const char *which);

/* Does it refuse a backup of logs alone: circular logging, no Full, a log that is gone? */
bool ese_is_gap(ese_result result);

bp_status no_memory(const bp_host_api *host);

#endif
