/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "wide.h"

enum { SILENCE_S = 1800, READ_UNIT = 4096 };

static bp_status said(const session *s, ese_result result, const char *what, const ese_char *path)
{
  char *name = path ? wide_to_utf8(path) : NULL;
  bp_status status = ese_failed(s->host, result, what, name ? name : s->group);
  free(name);
  return status;
}

bp_status session_open(session *s, const ese_char *server, const ese_char *annotation, int64_t id, uint32_t type,
                       ese_result *refused)
{
  ese_instance_info *instances = NULL;
  uint32_t count = 0;
  ese_result result;
  *refused = ESE_OK;
  bp_defer(s->host, SILENCE_S);
  result = s->library->HrESEBackupPrepare(server, annotation, &count, &instances, &s->context);
  if (result < 0)
    return said(s, result, "preparing the backup of", NULL);
  s->prepared = true;
  s->library->ESEBackupFreeInstanceInfo(count, instances);
  result = s->library->HrESEBackupSetup(s->context, id, type);
  if (result >= 0) {
    s->set_up = true;
    return BP_OK;
  }
  session_end(s, false);
  if (ese_is_gap(result)) {
    *refused = result;
    return BP_OK;
  }
  return said(s, result, "beginning the backup of", NULL);
}

bp_status session_open_file(session *s, const ese_char *path, uint64_t *size)
{
  int64_t bytes = 0;
  ese_result result;
  bp_defer(s->host, SILENCE_S);
  s->file = NULL;
  result = s->library->HrESEBackupOpenFile(s->context, path, ESE_READ_MOST, 1, &s->file, &bytes);
  if (result < 0)
    return said(s, result, "opening", path);
  s->file_open = true;
  *size = bytes < 0 ? BP_SIZE_UNKNOWN : (uint64_t)bytes;
  return BP_OK;
}

bp_status session_read(session *s, void *buf, uint64_t cap, uint64_t *got)
{
  uint32_t size = cap < ESE_READ_MOST ? (uint32_t)(cap - cap % READ_UNIT) : ESE_READ_MOST, bytes = 0;
  ese_result result;
  *got = 0;
  if (bp_cancelled(s->host))
    return BP_E_CANCELLED;
  bp_beat(s->host);
  result = s->library->HrESEBackupReadFile(s->context, s->file, buf, size, &bytes);
  if (result < 0)
    return said(s, result, "reading a file of", NULL);
  if (bytes > size)
    return bp_failf(s->host, BP_E_FAIL, BP_OS_NONE, 0, "reading a file of %s: %u bytes for %u", s->group, (unsigned)bytes,
                    (unsigned)size);
  *got = bytes;
  return BP_OK;
}

bp_status session_close_file(session *s)
{
  ese_result result;
  if (!s->file_open)
    return BP_OK;
  s->file_open = false;
  result = s->library->HrESEBackupCloseFile(s->context, s->file);
  return result < 0 ? said(s, result, "closing a file of", NULL) : BP_OK;
}

bp_status session_log_head(session *s, const ese_char *path, log_head *head)
{
  uint8_t *buffer = malloc(ESE_READ_MOST), start[LOG_HEAD_BYTES];
  uint64_t size, got = 1, have = 0;
  bp_status status = buffer ? session_open_file(s, path, &size) : no_memory(s->host), closed;
  while (status == BP_OK && got && have < sizeof start) {
    status = session_read(s, buffer, READ_UNIT, &got);
    if (status == BP_OK) {
      uint64_t n = got < sizeof start - have ? got : sizeof start - have;
      memcpy(start + have, buffer, (size_t)n);
      have += n;
    }
  }
  free(buffer);
  closed = session_close_file(s);
  status = status == BP_OK ? closed : status;
  if (status != BP_OK)
    return status;
  if (have < sizeof start || !log_head_read(head, start))
    return said(s, ESE_E_LOG_FILE_CORRUPT, "the head of", path);
  return BP_OK;
}

bp_status session_pass_over(session *s, const ese_char *path)
{
  uint8_t *buffer = malloc(ESE_READ_MOST);
  uint64_t size, got = 1;
  bp_status status = buffer ? session_open_file(s, path, &size) : no_memory(s->host), closed;
  while (status == BP_OK && got)
    status = session_read(s, buffer, ESE_READ_MOST, &got);
  free(buffer);
  closed = session_close_file(s);
  return status == BP_OK ? closed : status;
}

bp_status session_logs(session *s, ese_char **list, ese_result *refused)
{
  ese_result result;
  *list = NULL;
  *refused = ESE_OK;
  bp_defer(s->host, SILENCE_S);
  result = s->library->HrESEBackupGetLogAndPatchFiles(s->context, list);
  if (result >= 0)
    return BP_OK;
  if (ese_is_gap(result)) {
    *refused = result;
    return BP_OK;
  }
  return said(s, result, "listing the logs of", NULL);
}

void session_free_list(session *s, ese_char *list)
{
  if (list)
    s->library->ESEBackupFree(list);
}

void session_truncate(session *s)
{
  ese_char *list = NULL;
  uint32_t count = 0;
  ese_result result;
  bp_defer(s->host, SILENCE_S);
  if (s->library->HrESEBackupGetTruncateLogFiles(s->context, &list) >= 0) {
    for (const ese_char *at = list; wide_more(at, NULL); at = wide_next(at, NULL))
      count++;
    session_free_list(s, list);
  }
  result = s->library->HrESEBackupTruncateLogs(s->context);
  if (result < 0)
    bp_logf(s->host, BP_MSG_WARNING, "%s: its logs could not be truncated (0x%08X): %s. The backup is good; they are saved again",
            s->group, (unsigned)result, ese_meaning(result));
  else
    bp_logf(s->host, BP_MSG_INFO, "%s: %u logs truncated", s->group, (unsigned)count);
}

void session_end(session *s, bool success)
{
  ese_result result = ESE_OK;
  (void)session_close_file(s);
  if (s->set_up)
    result = s->library->HrESEBackupInstanceEnd(s->context, success ? ESE_INSTANCE_END_SUCCESS : ESE_INSTANCE_END_ERROR);
  if (s->prepared) {
    ese_result ended = s->library->HrESEBackupEnd(s->context);
    result = result < 0 ? result : ended;
  }
  if (success && result < 0)
    bp_logf(s->host, BP_MSG_WARNING, "%s: Exchange did not take note of this backup (0x%08X): %s. The backup is good", s->group,
            (unsigned)result, ese_meaning(result));
  s->set_up = s->prepared = false;
  s->context = NULL;
}
