/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as the host sees it: its descriptor, its tables, and which of its two halves a call goes to. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backup.h"
#include "bplugin_sdk.h"
#include "restore.h"

struct bp_agent {
  const bp_host_api *host;
  journal_use journal;
  char *journal_directory; /* NULL: the usual one */
};

struct bp_job {
  const bp_host_api *host;
  int wake;          /* eventfd: cancel() makes it readable */
  backup *backup;    /* of BACKUP, ESTIMATE and VERIFY; else NULL */
  restore *restore;  /* of RESTORE; else NULL */
};

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  *out = calloc(1, sizeof **out);
  if (!*out)
    return BP_E_NOMEM;
  (*out)->host = host;
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "journal")) {
    agent->journal = !strcmp(value, "yes") ? JOURNAL_YES : !strcmp(value, "auto") ? JOURNAL_AUTO : JOURNAL_NO;
    return BP_OK;
  }
  if (!strcmp(key, "journal_directory")) {
    free(agent->journal_directory);
    agent->journal_directory = strdup(value);
    return agent->journal_directory ? BP_OK : BP_E_NOMEM;
  }
  return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "there is no option %s", key);
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  free(agent->journal_directory);
  free(agent);
}

static bp_status out_of_order(const bp_job *job, const char *call)
{
  return bp_failf(job->host, BP_E_SEQUENCE, BP_OS_NONE, 0, "%s does not belong to this kind of job", call);
}

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  if (job->backup)
    backup_end(job->backup);
  if (job->restore)
    restore_end(job->restore);
  if (job->wake >= 0)
    close(job->wake);
  free(job);
  return BP_OK;
}

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *how, bp_job **out)
{
  bp_job *job = calloc(1, sizeof *job);
  bp_status status;
  *out = NULL;
  if (!job)
    return BP_E_NOMEM;
  job->host = host;
  job->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (job->wake < 0)
    status = bp_fail_errno(host, BP_E_FAIL, errno, "eventfd");
  else if (how->kind == BP_KIND_BACKUP || how->kind == BP_KIND_ESTIMATE || how->kind == BP_KIND_VERIFY)
    status = backup_begin(&job->backup, host, job->wake, how, agent->journal,
                          agent->journal_directory ? agent->journal_directory : JOURNAL_DIRECTORY);
  else if (how->kind == BP_KIND_RESTORE)
    status = restore_begin(&job->restore, host, how->where);
  else
    status = bp_failf(host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "jobs of kind %u are unknown here", how->kind);
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

static bp_status BPLUGIN_CALL fetch(bp_job *job, const bp_want *wants, uint32_t count, bp_batch *batch)
{
  return job->backup ? backup_fetch(job->backup, wants, count, batch) : out_of_order(job, "fetch");
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
  return job->backup ? backup_close(job->backup, how) : out_of_order(job, "close_stream");
}

static bp_status BPLUGIN_CALL start_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                          uint32_t replace, uint32_t *action)
{
  return job->restore ? restore_entry(job->restore, entry, base, dest, replace, action) : out_of_order(job, "restore_entry");
}

static bp_status BPLUGIN_CALL start_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  return job->restore ? restore_stream(job->restore, stream, size) : out_of_order(job, "restore_stream");
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
  return job->restore ? restore_commit(job->restore) : BP_OK;
}

/* Any thread: whoever waits in poll() for a FIFO sees it; all other loops read the cancel word. */
static bp_status BPLUGIN_CALL cancel(bp_job *job)
{
  uint64_t one = 1;
  return write(job->wake, &one, sizeof one) == sizeof one ? BP_OK : BP_E_FAIL;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api),
  .create = create,
  .option = option,
  .begin = begin,
  .next_entries = next_entries,
  .fetch = fetch,
  .open_stream = open_stream,
  .read = read_stream,
  .close_stream = close_stream,
  .restore_entry = start_entry,
  .restore_stream = start_stream,
  .write = write_stream,
  .restore_done = finish_entry,
  .commit = commit,
  .cancel = cancel,
  .end = end,
  .destroy = destroy,
};

static const char *const claims[] = { "", NULL };
static const char *const aliases[] = { NULL };

static const bp_option options[] = {
  { .key = "journal", .help = "Note what each backup saw, and look only at what the watcher saw change", .type = BP_OPTION_ENUM,
    .choices = "no|auto|yes", .initial = "no" },
  { .key = "journal_directory", .help = "Where the watcher and the states of backups are", .type = BP_OPTION_PATH,
    .initial = JOURNAL_DIRECTORY },
};

static const bp_descriptor descriptor = {
  .magic = BP_MAGIC,
  .struct_size = sizeof(bp_descriptor),
  .header = BP_HEADER_VERSION,
  .min_version = BP_VERSION(1, 0),
  .max_version = BP_VERSION(1, 0),
  .features = BP_FEATURE_PLAIN_FILES,
  .option_size = sizeof(bp_option),
  .id = "filesystem",
  .version = "1.0",
  .vendor = "filed",
  .license = "Apache-2.0",
  .aliases = aliases,
  .claims = claims,
  .options = options,
  .n_options = sizeof options / sizeof *options,
  .api = &api,
};

BPLUGIN_DEFINE(descriptor);
