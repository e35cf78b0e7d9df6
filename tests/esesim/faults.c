/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MOST 40

static struct {
  const char *call; /* a literal of the caller */
  uint32_t count;
} calls[CALLS_MOST];

static uint32_t random_state;

void fault_reset(void)
{
  memset(calls, 0, sizeof calls);
  random_state = 0;
}

static uint32_t count(const char *call)
{
  size_t n;
  for (n = 0; n < CALLS_MOST && calls[n].call; n++)
    if (!strcmp(calls[n].call, call))
      return ++calls[n].count;
  if (n == CALLS_MOST)
    return 0;
  calls[n].call = call;
  return calls[n].count = 1;
}

ese_result fault_call(const store *of, const char *call)
{
  char key[64], how[16] = "";
  unsigned long wanted;
  const char *value;
  uint32_t now = count(call);
  snprintf(key, sizeof key, "fail.%s", call);
  value = store_fault(of, key);
  if (!value || sscanf(value, "%lu:%15s", &wanted, how) != 2 || wanted != now)
    return ESE_OK;
  if (!strcmp(how, "die"))
    process_die();
  return (ese_result)strtoul(how, NULL, 16);
}

bool fault_known(const char *key)
{
  static const char *const known[] = {"short_reads",   "read_delay_ms",  "got_is_word", "die_in_truncate", "open_answers_ok",
                                      "early_refusal", "replay_blindly", "old_engine",  "clock_s",
                                      "no_logs"};
  size_t n;
  for (n = 0; n < sizeof known / sizeof *known; n++)
    if (!strcmp(key, known[n]))
      return true;
  return !strncmp(key, "fail.Hr", 7);
}

uint32_t fault_number(const store *of, const char *key)
{
  const char *value = store_fault(of, key);
  return value ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

uint32_t fault_shorten(const store *of, uint32_t size)
{
  uint32_t seed = fault_number(of, "short_reads");
  if (!seed || size < 2)
    return size;
  random_state = (random_state ? random_state : seed) * 1664525u + 1013904223u;
  return 1 + (random_state >> 8) % size;
}
