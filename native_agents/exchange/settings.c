/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "wide.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

const bp_option EXCHANGE_OPTIONS[] = {
  { "library", "the service's library; found in the registry by itself where Exchange is installed", NULL, NULL,
    BP_OPTION_STRING, 0 },
  { "trust-environment", "follow FILED_ESEBCLI of the environment also with an administrator's rights", NULL, "no",
    BP_OPTION_BOOL, 0 },
  { "server", "the Exchange server's NetBIOS name", NULL, "this machine's", BP_OPTION_STRING, 0 },
  { "truncate", "the levels after which Exchange may delete the logs that were saved", "full|full,incremental|never", "full",
    BP_OPTION_ENUM, 0 },
  { "on-gap", "logs are missing since the base: save a complete set anyway, or fail", "self-contained|fail",
    "self-contained", BP_OPTION_ENUM, 0 },
  { "max-open-groups", "storage groups whose session is held open until the end of the Job; 0: all", NULL, "0",
    BP_OPTION_INT, 0 },
  { "recover", "restore: replay the logs and mount the databases when everything is there", NULL, "yes", BP_OPTION_BOOL, 0 },
  { "target", "restore: the storage group to recover into", NULL, "the one that was saved", BP_OPTION_STRING, 0 },
  { "logpath", "restore: the directory for restored logs, for one storage group", NULL, "Exchange chooses one",
    BP_OPTION_STRING, 0 },
  { "keep-logs", "restore: leave the restored logs there after recovery", NULL, "no", BP_OPTION_BOOL, 0 },
};
_Static_assert(sizeof EXCHANGE_OPTIONS / sizeof *EXCHANGE_OPTIONS == EXCHANGE_N_OPTIONS, "options");

void settings_start(settings *s, const bp_host_api *host)
{
  memset(s, 0, sizeof *s);
  s->host = host;
  s->truncate = TRUNCATE_FULL;
  s->self_contained = true;
  s->recover = true;
}

static bp_status set_text(const settings *s, char **place, const char *value)
{
  free(*place);
  *place = *value ? strdup(value) : NULL;
  return *value && !*place ? no_memory(s->host) : BP_OK;
}

static bp_status set_server(settings *s, const char *value)
{
  free(s->server);
  s->server = *value ? wide_of_utf8(value) : NULL;
  return *value && !s->server ? bp_fail(s->host, BP_E_INVAL, BP_OS_NONE, 0, "server: its name is no UTF-8") : BP_OK;
}

static bp_status set_bool(bool *place, const char *value)
{
  *place = !strcmp(value, "yes");
  return *place || !strcmp(value, "no") ? BP_OK : BP_E_INVAL;
}

static bp_status set_truncation(settings *s, const char *value)
{
  if (!strcmp(value, "full"))
    s->truncate = TRUNCATE_FULL;
  else if (!strcmp(value, "full,incremental"))
    s->truncate = TRUNCATE_FULL_AND_INCREMENTAL;
  else if (!strcmp(value, "never"))
    s->truncate = TRUNCATE_NEVER;
  else
    return BP_E_INVAL;
  return BP_OK;
}

static bp_status set_number(uint32_t *place, const char *value)
{
  char *end;
  long number = strtol(value, &end, 10);
  if (end == value || *end || number < 0 || number > 1000000)
    return BP_E_INVAL;
  *place = (uint32_t)number;
  return BP_OK;
}

bp_status settings_option(settings *s, const char *key, const char *value)
{
  bp_status status = BP_E_INVAL;
  if (!strcmp(key, "library"))
    return set_text(s, &s->library, value);
  if (!strcmp(key, "target"))
    return set_text(s, &s->target, value);
  if (!strcmp(key, "logpath"))
    return set_text(s, &s->logpath, value);
  if (!strcmp(key, "server"))
    return set_server(s, value);
  if (!strcmp(key, "trust-environment"))
    status = set_bool(&s->trust_environment, value);
  else if (!strcmp(key, "recover"))
    status = set_bool(&s->recover, value);
  else if (!strcmp(key, "keep-logs"))
    status = set_bool(&s->keep_logs, value);
  else if (!strcmp(key, "truncate"))
    status = set_truncation(s, value);
  else if (!strcmp(key, "max-open-groups"))
    status = set_number(&s->max_open_groups, value);
  else if (!strcmp(key, "on-gap") && (!strcmp(value, "self-contained") || !strcmp(value, "fail"))) {
    s->self_contained = !strcmp(value, "self-contained");
    status = BP_OK;
  }
  return status == BP_OK ? BP_OK : bp_failf(s->host, BP_E_INVAL, BP_OS_NONE, 0, "option %s: %s is no value for it", key, value);
}

bp_status settings_ready(settings *s)
{
  if (s->server)
    return BP_OK;
#ifdef _WIN32
  {
    wchar_t name[MAX_COMPUTERNAME_LENGTH + 1];
    DWORD units = sizeof name / sizeof *name;
    if (!GetComputerNameW(name, &units))
      return bp_fail(s->host, BP_E_FAIL, BP_OS_WIN32, GetLastError(), "this machine's name; set the option server");
    s->server = wide_copy((const ese_char *)name, units);
  }
#else
  {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1))
      return bp_fail_errno(s->host, BP_E_FAIL, errno, "this machine's name; set the option server");
    s->server = wide_of_utf8(name);
  }
#endif
  return s->server ? BP_OK : no_memory(s->host);
}

void settings_free(settings *s)
{
  free(s->library);
  free(s->target);
  free(s->logpath);
  free(s->server);
}

bool settings_truncates(const settings *s, uint32_t level)
{
  return (level == BP_LEVEL_FULL && s->truncate != TRUNCATE_NEVER)
         || (level == BP_LEVEL_INCREMENTAL && s->truncate == TRUNCATE_FULL_AND_INCREMENTAL);
}
