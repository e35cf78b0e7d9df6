/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "wide.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#include <unistd.h>
#endif

#define VARIABLE "FILED_ESEBCLI"

typedef void (*any_function)(void);

#ifdef _WIN32

typedef HMODULE handle;

/* Its dependencies are looked for beside it. */
static handle open_library(const char *path, const bp_host_api *host)
{
  ese_char *wide = wide_of_utf8(path);
  handle library = wide ? LoadLibraryExW((wchar_t *)wide, NULL, LOAD_WITH_ALTERED_SEARCH_PATH) : NULL;
  if (!library)
    (void)bp_failf(host, BP_E_FAIL, BP_OS_WIN32, GetLastError(), "cannot load %s", path);
  free(wide);
  return library;
}

static any_function symbol(handle library, const char *name)
{
  any_function found;
  FARPROC address = GetProcAddress(library, name);
  memcpy(&found, &address, sizeof found);
  return found;
}

static bool is_absolute(const char *path)
{
  return (path[0] && path[1] == ':' && (path[2] == '\\' || path[2] == '/')) || (path[0] == '\\' && path[1] == '\\');
}

/* An elevated process, or a service. */
static bool is_privileged(void)
{
  TOKEN_ELEVATION elevation = { 0 };
  DWORD got = 0;
  HANDLE token;
  bool known;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
    return true;
  known = GetTokenInformation(token, TokenElevation, &elevation, sizeof elevation, &got);
  CloseHandle(token);
  return !known || elevation.TokenIsElevated;
}

/* What the store's setup has written; malloc'ed UTF-8, NULL when there is nothing. */
static char *registered(void)
{
  static const wchar_t key[] = L"SYSTEM\\CurrentControlSet\\Control\\BackupRestore\\DLLPaths";
  wchar_t path[4096];
  DWORD bytes = sizeof path;
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key, L"esebcli2", RRF_RT_REG_SZ, NULL, path, &bytes) != ERROR_SUCCESS)
    return NULL;
  return wide_to_utf8((const ese_char *)path);
}

static char *from_environment(void)
{
  wchar_t path[4096];
  DWORD units = GetEnvironmentVariableW(L"" VARIABLE, path, sizeof path / sizeof *path);
  return units && units < sizeof path / sizeof *path ? wide_to_utf8((const ese_char *)path) : NULL;
}

/* The service wants its caller to hold both privileges; a token that cannot have them is its matter to refuse. */
static void take_privileges(void)
{
  static const wchar_t *const names[] = { L"SeBackupPrivilege", L"SeRestorePrivilege" };
  HANDLE token;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
    return;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    TOKEN_PRIVILEGES wanted = { .PrivilegeCount = 1 };
    wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    if (LookupPrivilegeValueW(NULL, names[i], &wanted.Privileges[0].Luid))
      (void)AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL);
  }
  CloseHandle(token);
}

#else

typedef void *handle;

static handle open_library(const char *path, const bp_host_api *host)
{
  handle library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    (void)bp_failf(host, BP_E_FAIL, BP_OS_NONE, 0, "cannot load the service's library: %s", dlerror());
  return library;
}

static any_function symbol(handle library, const char *name)
{
  any_function found;
  void *address = dlsym(library, name);
  memcpy(&found, &address, sizeof found);
  return found;
}

static bool is_absolute(const char *path)
{
  return path[0] == '/';
}

static bool is_privileged(void)
{
  return geteuid() == 0 || geteuid() != getuid();
}

static char *registered(void)
{
  return NULL;
}

static char *from_environment(void)
{
  const char *path = getenv(VARIABLE);
  return path && *path ? strdup(path) : NULL;
}

static void take_privileges(void)
{
}

#endif

/* All that a backup and a restore do call; the rest of the interface may be missing. */
static const char *missing(const ese_library *l)
{
#define NEEDED(name) \
  if (!l->name)      \
  return #name
  NEEDED(HrESEBackupPrepare);
  NEEDED(HrESEBackupSetup);
  NEEDED(HrESEBackupOpenFile);
  NEEDED(HrESEBackupReadFile);
  NEEDED(HrESEBackupCloseFile);
  NEEDED(HrESEBackupGetLogAndPatchFiles);
  NEEDED(HrESEBackupGetTruncateLogFiles);
  NEEDED(HrESEBackupTruncateLogs);
  NEEDED(HrESEBackupInstanceEnd);
  NEEDED(HrESEBackupEnd);
  NEEDED(ESEBackupFreeInstanceInfo);
  NEEDED(ESEBackupFree);
  NEEDED(HrESERestoreOpen);
  NEEDED(HrESERestoreReopen);
  NEEDED(HrESERestoreAddDatabase);
  NEEDED(HrESERestoreOpenFile);
  NEEDED(HrESERestoreSaveEnvironment);
  NEEDED(HrESERestoreGetEnvironment);
  NEEDED(HrESERestoreComplete);
  NEEDED(HrESERestoreClose);
  NEEDED(ESERestoreFreeEnvironment);
#undef NEEDED
  return NULL;
}

static bp_status load(ese_library *library, const bp_host_api *host, const char *path)
{
  const char *without;
  handle file;
  if (!is_absolute(path))
    return bp_failf(host, BP_E_INVAL, BP_OS_NONE, 0, "library %s: give its whole path", path);
  file = open_library(path, host);
  if (!file)
    return BP_E_FAIL;
#define RESOLVE(returns, name, arguments)                        \
  {                                                              \
    any_function found = symbol(file, #name);                    \
    memcpy(&library->name, &found, sizeof library->name);        \
  }
  ESEBCLI2_BACKUP_CALLS(RESOLVE)
  ESEBCLI2_RESTORE_CALLS(RESOLVE)
#undef RESOLVE
  without = missing(library);
  if (without)
    return bp_failf(host, BP_E_FAIL, BP_OS_NONE, 0, "%s has no %s: it is no esebcli2.dll", path, without);
  bp_logf(host, BP_MSG_DEBUG, "library %s", path);
  take_privileges();
  return BP_OK;
}

bp_status library_load(ese_library *library, const bp_host_api *host, const char *path, int trust_environment)
{
  char *found = path ? NULL : registered();
  bool refused = false;
  bp_status status;
  if (!path && !found) {
    found = from_environment();
    refused = found && is_privileged() && !trust_environment;
  }
  if (refused)
    status = bp_fail(host, BP_E_FAIL, BP_OS_NONE, 0,
                     VARIABLE " is not followed with this user's rights; set the option library, or trust-environment = yes");
  else if (path || found)
    status = load(library, host, path ? path : found);
  else
    status = bp_fail(host, BP_E_FAIL, BP_OS_NONE, 0,
                     "no esebcli2.dll: the registry does not name one, so Exchange 2000 to 2007 is not installed here. "
                     "Set the option library to use another");
  free(found);
  return status;
}
