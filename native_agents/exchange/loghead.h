/* SPDX-License-Identifier: Apache-2.0 */
/* What the head of a log says, and whether one log follows another.
 *
 * The first 72 bytes, little-endian: checksum u32 @0, generation i32 @4, creation time @16, creation time of the generation
 * before @24 (8 bytes each: second, minute, hour, day, month, year - 1900, flags), signature of the log stream 28 bytes @44.
 * Two logs follow each other exactly when the generation rises by 1, the second's "before" is the first's creation time, and
 * the signatures are equal. Source: the public engine.
 */
#ifndef EXCHANGE_LOGHEAD_H
#define EXCHANGE_LOGHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esebcli2.h"

enum { LOG_HEAD_BYTES = 72, LOG_TIME_BYTES = 8, LOG_SIGNATURE_BYTES = 28, LOG_BASE_MAX = 3 };

typedef struct log_head {
  uint32_t generation;
  uint8_t  created[LOG_TIME_BYTES], previous[LOG_TIME_BYTES];
  uint8_t  signature[LOG_SIGNATURE_BYTES];
} log_head;

/* False: no log's head. */
bool log_head_read(log_head *head, const uint8_t bytes[LOG_HEAD_BYTES]);

/* Is `next` the log that follows `head`? */
bool log_follows(const log_head *head, const log_head *next);

/* Seconds since 1970 of a creation time, 0: none. Taken as local time unless its flags say UTC. */
int64_t log_time(const uint8_t created[LOG_TIME_BYTES]);

/* Is this the name of a closed log, `E00` and 5 or 8 hex digits and `.log`? Then its base and its generation. */
bool log_name(const ese_char *file_name, char base[LOG_BASE_MAX + 1], uint32_t *generation);

#endif
