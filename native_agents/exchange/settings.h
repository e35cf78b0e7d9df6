/* SPDX-License-Identifier: Apache-2.0 */
/* The options of an instance. README.md is their manual. */
#ifndef EXCHANGE_SETTINGS_H
#define EXCHANGE_SETTINGS_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "esebcli2.h"

enum truncation { TRUNCATE_NEVER, TRUNCATE_FULL, TRUNCATE_FULL_AND_INCREMENTAL };

typedef struct settings {
  const bp_host_api *host; /* of the instance */
  char *library, *target, *logpath; /* NULL: not set */
  ese_char *server;        /* after settings_ready never NULL */
  enum truncation truncate;
  bool self_contained, trust_environment, recover, keep_logs;
  uint32_t max_open_groups; /* 0: any number */
} settings;

extern const bp_option EXCHANGE_OPTIONS[];
enum { EXCHANGE_N_OPTIONS = 10 };

void      settings_start(settings *s, const bp_host_api *host);
bp_status settings_option(settings *s, const char *key, const char *value);
bp_status settings_ready(settings *s);
void      settings_free(settings *s);

/* Is a backup of this level (BP_LEVEL_*) followed by truncation? */
bool settings_truncates(const settings *s, uint32_t level);

#endif
