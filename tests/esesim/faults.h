/* SPDX-License-Identifier: Apache-2.0 */
/* What is made to go wrong. Switches stand in store.ini as fault.<key>=<value>:
 *
 *   fail.<Call>=<n>:<8 hex digits>  the nth call of that name answers this
 *   fail.<Call>=<n>:die             the process dies in it
 *   short_reads=<seed>              ReadFile gives random short counts
 *   read_delay_ms=<n>               each ReadFile takes so long
 *   got_is_word=1                   ReadFile writes 16 bits of its count, as one description has it
 *   no_logs=1                       no log is named, and none has to be read before others are deleted
 *   die_in_truncate=<n>             the process dies when n logs are deleted
 *   open_answers_ok=1               RestoreOpenFile answers success, with a handle that nobody can write through
 *   clock_s=<n>                     log headers are stamped n seconds later (earlier: negative)
 *   early_refusal=1                 Setup refuses what else the list of logs refuses
 *   old_engine=1                    a Full that did not truncate counts as a Full
 *   replay_blindly=1                recovery does not look whether it has all logs
 */
#ifndef ESESIM_FAULTS_H
#define ESESIM_FAULTS_H

#include "store.h"

/* Counts the call; what it has to answer, or ESE_OK. */
ese_result fault_call(const store *of, const char *call);
/* Counting begins anew. */
void fault_reset(void);
bool fault_known(const char *key);
/* The switch's number; 0 when it is off. */
uint32_t fault_number(const store *of, const char *key);
/* 1..size bytes, as short_reads says. */
uint32_t fault_shorten(const store *of, uint32_t size);

#endif
