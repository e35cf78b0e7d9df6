/* SPDX-License-Identifier: Apache-2.0 */
/* Log records on their way into pages, and the checkpoint: the oldest log whose records may be missing from the pages on disk. */
#ifndef ESESIM_REPLAY_H
#define ESESIM_REPLAY_H

#include "pages.h"

/* A database whose files are open for replay. */
typedef struct replay_target {
  uint32_t index, streams;
  int files[STREAMS_MOST];
} replay_target;

ese_result replay_open(replay_target *out, uint32_t index, uint32_t streams, char paths[][PATH_CAP]);
void replay_close(replay_target *target);
/* Applies what the pages do not have yet. *next: the transaction behind the log's last one. *closed may be NULL. */
ese_result replay_log(const char *path, replay_target *targets, uint32_t count, uint64_t *next, bool *closed);
/* The newest transaction in any page. */
ese_result replay_newest(const replay_target *target, uint64_t *newest);

/* The generation in E00.chk. ESE_E_LOG_FILE_CORRUPT: it is of another stream. */
ese_result checkpoint_read(const group *of, uint32_t *generation);
ese_result checkpoint_write(const group *of, uint32_t generation);
/* Brings the pages of all mounted databases up to the begin of `generation`; circular groups lose their older logs. */
ese_result checkpoint_move(const group *of, uint32_t generation);
/* Brings one database up to now. */
ese_result database_flush(const group *of, const database *one);

/* Transactions of this stream go on behind those that the database has seen, in whichever stream. */
ese_result stream_pass(const group *of, const database *one);

/* Closes the current log; the checkpoint follows at the group's distance. */
ese_result stream_roll(const group *of);
/* One transaction: into the log always, into the page on disk when `flush`. */
ese_result stream_write(const group *of, const database *one, uint32_t number, const void *content, uint32_t length, bool flush);

#endif
