/* SPDX-License-Identifier: Apache-2.0 */
/* One backup context: which group it holds, what it was offered, what it has read. */
#ifndef ESESIM_SESSION_H
#define ESESIM_SESSION_H

#include "pages.h"

/* An open file of a session. */
typedef struct reader {
  struct reader *next;
  int file;
  int64_t at; /* where the next refill reads */
  uint8_t buffer[PAGE_SIZE];
  uint32_t used, held;
  bool is_log;
  uint32_t which;  /* database's number in its group, or the log's generation */
  uint32_t stream; /* of the database */
} reader;

typedef struct session {
  struct session *next;
  char root[PATH_CAP];
  store now; /* as it stood at the begin of this call */
  group of;
  bool set_up;
  uint32_t type;
  uint32_t low;  /* the checkpoint when the session began */
  uint32_t high; /* the log current then */
  bool listed;
  bool truncated;
  uint32_t offered_low, offered_high; /* low > high: none */
  bool *log_read;                     /* by generation - offered_low */
  uint32_t streams_read[DATABASES_MOST]; /* a bit per stream */
  reader *readers;
} session;

ese_result session_new(const char *root, session **out);
void session_free(session *gone);
/* Each call with a context begins here: ESE_E_NO_BACKUP when there is none such, or what a fault wants. */
ese_result session_enter(ese_context context, const char *call, session **out);
/* The instance is over; nothing is recorded. */
void session_leave_group(session *of);
bool session_has_database(const session *of, uint32_t number);

ese_result reader_open(session *of, const char *path, reader **out, int64_t *size);
ese_result reader_read(session *of, reader *from, void *out, uint32_t size, uint32_t *got);
/* ESE_E_INVALID_PARAMETER: the session has no such reader. */
ese_result reader_close(session *of, reader *gone);
bool reader_known(const session *of, const reader *one);

#endif
