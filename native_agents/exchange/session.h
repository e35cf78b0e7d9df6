/* SPDX-License-Identifier: Apache-2.0 */
/* One backup session of one storage group with the service: opened, files read one at a time, ended. */
#ifndef EXCHANGE_SESSION_H
#define EXCHANGE_SESSION_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "library.h"
#include "loghead.h"

/* Zeroed with library and host set: not open. */
typedef struct session {
  const ese_library *library;
  const bp_host_api *host;
  const char  *group;       /* for messages */
  ese_context  context;
  bool         prepared, set_up, file_open;
  void        *file;
} session;

/* type: ESE_BACKUP_*. BP_E_BUSY: another backup of the group runs. *refused: the answer when it is one of ese_is_gap; then
 * nothing was said. */
bp_status session_open(session *s, const ese_char *server, const ese_char *annotation, int64_t id, uint32_t type,
                       ese_result *refused);

bp_status session_open_file(session *s, const ese_char *path, uint64_t *size);
/* *got = 0: the end. At most `cap` bytes, which is at least 4096. */
bp_status session_read(session *s, void *buf, uint64_t cap, uint64_t *got);
bp_status session_close_file(session *s);

/* The head of a log, through a file of its own. */
bp_status session_log_head(session *s, const ese_char *path, log_head *head);
/* Reads a file to its end and keeps nothing: truncation asks for it. */
bp_status session_pass_over(session *s, const ese_char *path);

/* Closes the current log; *list is to be given back with session_free_list. *refused as above. */
bp_status session_logs(session *s, ese_char **list, ese_result *refused);
void      session_free_list(session *s, ese_char *list);

/* Deletes logs; how many there were, for a message. A failure is said as a warning. */
void session_truncate(session *s);

/* Ends it; also when it is not open, or half. A success that the service refuses is said as a warning. */
void session_end(session *s, bool success);

#endif
