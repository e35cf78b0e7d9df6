/* SPDX-License-Identifier: Apache-2.0 */
#include "truncation.h"

#include "replay.h"

static ese_result last_saved(const group *of, const database *one, uint32_t *full, uint32_t *newest)
{
  database_header header;
  ese_result result = database_read_header(of, one, &header);
  if (result < 0)
    return result;
  *full = header.records[RECORD_FULL].gen_high;
  *newest = header.records[RECORD_INCREMENTAL].gen_high > *full ? header.records[RECORD_INCREMENTAL].gen_high : *full;
  return ESE_OK;
}

ese_result truncation_precondition(const group *of)
{
  uint32_t n;
  log_range range;
  ese_result result = log_ranges(of, of->directory, &range);
  for (n = 0; n < of->database_count && result >= 0; n++) {
    uint32_t full, newest;
    if (!of->databases[n].mounted)
      continue;
    if ((result = last_saved(of, &of->databases[n], &full, &newest)) < 0)
      return result;
    if (!full)
      return ESE_E_MISSING_FULL_BACKUP;
    if (range.gap || (range.oldest && range.oldest > newest + 1))
      return ESE_E_MISSING_FILE_TO_BACKUP;
    if (!range.oldest) { /* only the current log is there: it must be the next one */
      log_header header;
      log_end end;
      if ((result = log_current(of, &header, &end)) >= 0 && header.generation > newest + 1)
        return ESE_E_MISSING_FILE_TO_BACKUP;
    }
  }
  return result;
}

ese_result truncation_bound(const group *of, const bool *taken, uint32_t high, uint32_t *below)
{
  uint32_t n;
  ese_result result;
  *below = 0;
  result = checkpoint_read(of, below);
  if (*below > high + 1)
    *below = high + 1;
  for (n = 0; taken && n < of->database_count && result >= 0; n++) {
    uint32_t full, newest;
    if (taken[n] || !of->databases[n].mounted)
      continue;
    result = last_saved(of, &of->databases[n], &full, &newest);
    if (result >= 0 && full + 1 < *below)
      *below = full ? full + 1 : 0;
  }
  return result;
}

ese_result truncation_delete(const group *of, uint32_t below, uint32_t die_after)
{
  uint32_t deleted = 0;
  log_range range;
  ese_result result = log_ranges(of, of->directory, &range);
  while (result >= 0 && range.oldest && range.oldest < below && range.oldest <= range.newest) {
    char path[PATH_CAP];
    log_path(of, range.oldest++, path);
    result = files_remove(path);
    if (++deleted == die_after)
      process_die();
  }
  return result;
}
