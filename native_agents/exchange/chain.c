/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include <string.h>
#include <time.h>

/* "<text> <number>": most reasons need no more. */
static bool broken(text *why, const char *words, uint32_t generation, const char *more)
{
  text_put(why, words);
  text_put(why, " ");
  text_number(why, generation);
  text_put(why, more);
  return false;
}

static bool same_files(const database_record *was, const store_database *is)
{
  return was->units == is->units && !memcmp(was->streams, is->streams, is->units * sizeof *is->streams);
}

bool chain_has_databases(const group *g, const group_record *base, text *why)
{
  for (uint32_t i = 0; i < g->info->n_databases; i++) {
    const store_database *database = &g->info->databases[i];
    const database_record *was = record_database(base, database->part);
    const char *what = NULL;
    if (!g->taken[i])
      continue;
    if (!was)
      what = " is not in the base: it was made, renamed or mounted since";
    else if (memcmp(&was->guid, &database->guid, sizeof was->guid))
      what = " is another one than in the base, by its GUID";
    else if (!same_files(was, database))
      what = " has its files elsewhere than in the base";
    if (what) {
      text_put(why, "database ");
      text_put(why, database->name);
      text_put(why, what);
      return false;
    }
  }
  return true;
}

bool chain_is_whole(const group *g, text *why)
{
  const saved_file *before = NULL;
  for (uint32_t i = 0; i < g->n_files; i++) {
    const saved_file *log = &g->files[i];
    if (!log->is_log || log->unwanted)
      continue;
    if (log->head.generation != log->generation)
      return broken(why, "the log named for generation", log->generation, " holds another one");
    if (before && log->generation != before->generation + 1)
      return broken(why, "logs are missing after generation", before->generation, "");
    if (before && memcmp(log->head.signature, before->head.signature, sizeof log->head.signature))
      return broken(why, "another log stream begins at generation", log->generation, "");
    if (before && !log_follows(&before->head, &log->head))
      return broken(why, "the log of generation", log->generation, " does not follow the one before it");
    before = log;
  }
  return true;
}

bool chain_continues(const group *g, const group_record *base, text *why)
{
  const saved_file *first = NULL;
  for (uint32_t i = 0; i < g->n_files && !first; i++)
    if (g->files[i].is_log && !g->files[i].unwanted)
      first = &g->files[i];
  if (!first)
    return broken(why, "the logs there end before generation", base->high,
                  ", with which the base ends: they were started over, or put back to an earlier time");
  if (memcmp(first->head.signature, base->signature, sizeof base->signature) || strcmp(first->log_base, base->log_base)) {
    text_put(why, "its logs were started over since the base: their signature is another");
    return false;
  }
  if (first->generation > base->high + 1) {
    broken(why, "the base ends with generation", base->high, ", the oldest log there is generation ");
    text_number(why, first->generation);
    text_put(why, ": another product, or an Incremental, has truncated the logs between");
    return false;
  }
  if (first->generation == base->high ? memcmp(first->head.created, base->high_created, sizeof base->high_created)
                                      : memcmp(first->head.previous, base->high_created, sizeof base->high_created))
    return broken(why, "generation", base->high, " is not the one that the base has: the logs' past was changed");
  return true;
}

void chain_tell_clock(const group *g, const group_record *base)
{
  uint32_t early = 0, sent = 0;
  char when[32] = "";
  time_t since = (time_t)g->cause->since;
  struct tm *utc = gmtime(&since);
  for (uint32_t i = 0; i < g->n_files; i++) {
    const saved_file *log = &g->files[i];
    int64_t created = log->is_log && !log->unwanted ? log_time(log->head.created) : 0;
    if (!log->is_log || log->unwanted || log->generation <= base->high)
      continue;
    sent++;
    early += created && created < g->cause->since;
  }
  if (!g->cause->since || !early || !utc || !strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", utc))
    return;
  bp_logf(g->host, BP_MSG_INFO,
          "%s: by the Director's time, %s UTC, %u of %u logs would be older than the base; by Exchange's numbers all come after "
          "generation %u. The numbers decide: they are saved",
          g->info->name, when, (unsigned)early, (unsigned)sent, (unsigned)base->high);
}
