/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as the host sees it: its descriptor, its tables, and which of its two halves a call goes to. */
#include <stdbool.h>
#include <stdlib.h>

#include "backup.h"
#include "bplugin_sdk.h"
#include "choice.h"
#include "record.h"
#include "restore.h"
#include "settings.h"

struct bp_agent {
  settings    settings;
  ese_library library;
  bool        loaded;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  backup   *backup;    /* of BACKUP and ESTIMATE; else NULL */
  restore  *restore;   /* of RESTORE; else NULL */
};

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  *out = calloc(1, sizeof **out);
  if (!*out)
    return BP_E_NOMEM;
  settings_start(&(*out)->settings, host);
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  return settings_option(&agent->settings, key, value);
}

static bp_status BPLUGIN_CALL ready(bp_agent *agent)
{
  return settings_ready(&agent->settings);
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  settings_free(&agent->settings);
  free(agent);
}

static bp_status use_library(bp_agent *agent, const bp_host_api *host)
{
  bp_status status = BP_OK;
  if (!agent->loaded)
    status = library_load(&agent->library, host, agent->settings.library, agent->settings.trust_environment);
  agent->loaded = status == BP_OK;
  return status;
}

static bp_status library_of(void *of, const ese_library **library)
{
  bp_job *job = of;
  *library = &job->agent->library;
  return use_library(job->agent, job->host);
}

static bp_status out_of_order(const bp_job *job, const char *call)
{
  return bp_failf(job->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "%s does not belong to this kind of job", call);
}

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  backup_end(job->backup);
  restore_end(job->restore);
  free(job);
  return BP_OK;
}

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job = calloc(1, sizeof *job);
  bp_status status;
  *out = NULL;
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  job->host = host;
  if (why->kind == BP_KIND_RESTORE) {
    status = restore_begin(&job->restore, host, (service){ library_of, job }, &agent->settings);
  } else if (why->kind == BP_KIND_BACKUP || why->kind == BP_KIND_ESTIMATE) {
    status = use_library(agent, host);
    if (status == BP_OK)
      status = backup_begin(&job->backup, host, &agent->library, &agent->settings, why);
  } else {
    status = bp_fail(host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "databases in use never equal what was saved of them");
  }
  if (status == BP_OK)
    *out = job;
  else
    (void)end(job, BP_OUTCOME_FAILED);
  return status;
}

static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  return job->backup ? backup_next_entries(job->backup, batch) : out_of_order(job, "next_entries");
}

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  return job->backup ? backup_open(job->backup, cookie, stream, offset, size) : out_of_order(job, "open_stream");
}

static bp_status BPLUGIN_CALL read_stream(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  return job->backup ? backup_read(job->backup, buf, cap, chunk) : out_of_order(job, "read");
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  (void)how; /* what was not read to its end is known */
  return job->backup ? backup_close(job->backup) : out_of_order(job, "close_stream");
}

/* Databases are put back as they were, whatever is there: `replace` is about files. */
static bp_status BPLUGIN_CALL start_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                          uint32_t replace, uint32_t *action)
{
  (void)replace;
  return job->restore ? restore_entry(job->restore, entry, base, dest, action) : out_of_order(job, "restore_entry");
}

static bp_status BPLUGIN_CALL start_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)size;
  return job->restore ? restore_stream(job->restore, stream) : out_of_order(job, "restore_stream");
}

static bp_status BPLUGIN_CALL write_stream(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  return job->restore ? restore_write(job->restore, buf, chunk) : out_of_order(job, "write");
}

static bp_status BPLUGIN_CALL finish_entry(bp_job *job, bp_status how)
{
  return job->restore ? restore_done(job->restore, how) : out_of_order(job, "restore_done");
}

static bp_status BPLUGIN_CALL commit(bp_job *job)
{
  if (job->restore)
    return restore_commit(job->restore);
  backup_commit(job->backup);
  return BP_OK;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api),
  .create = create,
  .option = option,
  .ready = ready,
  .begin = begin,
  .next_entries = next_entries,
  .open_stream = open_stream,
  .read = read_stream,
  .close_stream = close_stream,
  .restore_entry = start_entry,
  .restore_stream = start_stream,
  .write = write_stream,
  .restore_done = finish_entry,
  .commit = commit,
  .end = end,
  .destroy = destroy,
};

static const char *const claims[] = { ROOT_PATH "/", NULL };

static const bp_descriptor descriptor = {
  .magic = BP_MAGIC,
  .struct_size = sizeof(bp_descriptor),
  .header = BP_HEADER_VERSION,
  .min_version = BP_VERSION(1, 0),
  .max_version = BP_VERSION(1, 0),
  .features = BP_FEATURE_VERBATIM,
  .option_size = sizeof(bp_option),
  .format = RECORD_FORMAT,
  .id = "exchange",
  .version = "1.0",
  .vendor = "filed",
  .license = "Apache-2.0",
  .claims = claims,
  .options = EXCHANGE_OPTIONS,
  .n_options = EXCHANGE_N_OPTIONS,
  .api = &api,
};

BPLUGIN_DEFINE(descriptor);
