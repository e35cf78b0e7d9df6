/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

static const struct {
  ese_result  result;
  const char *meaning;
} MEANINGS[] = {
  { ESE_E_BACKUP_IN_PROGRESS, "another backup of it is running; try again when that has ended" },
  { ESE_E_BACKUP_NOT_ALLOWED_YET, "Exchange does not allow a backup yet; try again later" },
  { ESE_E_INVALID_LOG_SEQUENCE, "its logs are out of sequence; run a Full" },
  { ESE_E_NO_BACKUP, "Exchange has lost the session: was the information store stopped?" },
  { ESE_E_INVALID_BACKUP_SEQUENCE, "calls out of order, or files still open" },
  { ESE_E_LOGGING_DISABLED, "circular logging is on, so logs alone are no backup" },
  { ESE_E_CIRCULAR_LOGGING, "circular logging is on, so logs alone are no backup" },
  { ESE_E_MISSING_FULL_BACKUP, "Exchange knows of no Full backup of it" },
  { ESE_E_NO_FULL_BACKUP, "Exchange knows of no Full backup of it" },
  { ESE_E_MISSING_FILE_TO_BACKUP, "a log since the last backup is gone" },
  { ESE_E_LOG_SEQUENCE_NOT_READ, "not every log was read to its end" },
  { ESE_E_READ_VERIFY_FAILURE, "a page of the database is corrupt: its checksum is wrong. Check it with eseutil /k" },
  { ESE_E_LOG_FILE_CORRUPT, "the log is corrupt" },
  { ESE_E_DISK_IO, "a disk cannot be read or written" },
  { ESE_E_DISK_FULL, "a disk is full" },
  { ESE_E_FILE_NOT_FOUND, "the file is not there" },
  { ESE_E_NOT_ENOUGH_MEMORY, "Exchange is out of memory" },
  { ESE_E_INVALID_PARAMETER, "a parameter is wrong" },
  { ESE_E_GIVEN_LOG_BAD_SIGNATURE, "a restored log is of another log stream" },
  { ESE_E_GIVEN_LOG_NOT_CONTIGUOUS, "the restored logs do not follow each other" },
  { ESE_E_GIVEN_LOG_MISSING, "a restored log is missing" },
  { ESE_E_EXISTING_LOG_BAD_SIGNATURE,
    "logs in the log directory of the storage group are of another stream: move those old files away" },
  { ESE_E_EXISTING_LOG_NOT_CONTIGUOUS,
    "logs in the log directory of the storage group do not follow the restored ones: move those old files away" },
  { ESE_E_FROM_ENGINE, "the engine failed; the Application event log of this server says why" },
  { ESE_E_FROM_CALLBACK, "the information store failed; the Application event log of this server says why" },
  { ESE_E_DATABASE_IN_USE, "the database is in use: dismount it, and allow it to be overwritten by a restore" },
  { ESE_E_DATABASE_NOT_FOUND, "there is no such database: make one of this name, give it its old name back, or leave it out of the restore" },
};

const char *ese_meaning(ese_result result)
{
  for (size_t i = 0; i < sizeof MEANINGS / sizeof *MEANINGS; i++)
    if (MEANINGS[i].result == result)
      return MEANINGS[i].meaning;
  return "the Application event log of this server may say more";
}

bp_status ese_failed(const bp_host_api *host, ese_result result, const char *what, const char *which)
{
  bp_status status = result == ESE_E_BACKUP_IN_PROGRESS || result == ESE_E_BACKUP_NOT_ALLOWED_YET ? BP_E_BUSY : BP_E_FAIL;
  return bp_failf(host, status, BP_OS_HRESULT, result, "%s %s: %s", what, which, ese_meaning(result));
}

bool ese_is_gap(ese_result result)
{
  return result == ESE_E_LOGGING_DISABLED || result == ESE_E_MISSING_FULL_BACKUP || result == ESE_E_MISSING_FILE_TO_BACKUP
         || result == ESE_E_CIRCULAR_LOGGING || result == ESE_E_NO_FULL_BACKUP;
}

bp_status no_memory(const bp_host_api *host)
{
  return bp_fail(host, BP_E_NOMEM, BP_OS_NONE, 0, "out of memory");
}
