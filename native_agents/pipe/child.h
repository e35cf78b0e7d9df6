/* SPDX-License-Identifier: Apache-2.0 */
/* One command at work: its data, its words, its end. All of [job] but the eventfd, which any thread may make readable. */
#ifndef PIPE_CHILD_H
#define PIPE_CHILD_H

#include <sys/types.h>

#include "bplugin_sdk.h"

enum { CHILD_LINE = 1024 };

typedef struct child {
  const bp_host_api *host;
  const char *label;      /* in front of each of its words: the entry's name */
  int         wake;       /* an eventfd: stop waiting */
  bp_status   trouble;    /* what its failure is: BP_E_FAIL, which ends the Job, or BP_E_IO, which costs the file */
  unsigned    silence_s;  /* the longest it may do nothing at all; 0: for ever */
  pid_t       pid;        /* leader of its own process group; 0: none runs */
  pid_t       guard;      /* in that group: kills it when filed is gone; 0: none */
  int         lifeline;   /* what the guard waits for the end of: filed alone has this end; -1: closed */
  int         data;       /* our end of its output or its input; -1: closed */
  int         words;      /* our end of what it says; -1: at its end */
  int64_t     active_ms;  /* when it last did something */
  unsigned    told;       /* lines */
  uint32_t    used;
  char        line[CHILD_LINE], last[CHILD_LINE]; /* what it is saying, and its last whole line */
} child;

typedef enum child_way { CHILD_READS, CHILD_WRITES } child_way; /* from its stdout, to its stdin */

/* For a child that was never started, too. */
void child_init(child *child);

/* Runs `command` by /bin/sh in a process group of its own, with no descriptor but 0, 1 and 2. `trouble`. */
bp_status child_start(child *child, child_way way, const char *command);

/* Fills buf; *len < cap only at the end of its output. BP_E_CANCELLED, `trouble`. */
bp_status child_read(child *child, void *buf, uint64_t cap, uint64_t *len);

/* All of it, or `trouble`: it stopped reading. BP_E_CANCELLED. */
bp_status child_write(child *child, const void *buf, uint64_t len);

/* Closes the data and waits for its end. BP_OK only for exit code 0; else `trouble` with the reason told. */
bp_status child_finish(child *child);

/* Ends it and all of its process group: politely, and half a second later not so. Leaves no zombie. */
void child_stop(child *child);

#endif
