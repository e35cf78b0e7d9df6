/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite databases below a directory, each as of one moment, while programs write to them. An agent for one service in
 * short: options, a walk, one stream at a time, a restore that is checked. Copy from it.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"
#include "walk.h"

enum { COOKIE = 1, DEFAULT_WAIT_S = 60 };

struct bp_agent {
  const bp_host_api *host;
  sqlite_library sqlite;
  walk roots; /* of the option `directory` */
  unsigned wait_s;
  char *scratch;
};

struct bp_job {
  const bp_host_api *host;
  databases all;
  walk walk;
  found found;            /* the database listed last; in a restore its entry alone */
  int stream;             /* its copy; in a restore the file that is written */
  uint64_t position;
  place place;            /* where that one goes */
};

/* ---- the instance ------------------------------------------------------------------------------------------------ */

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = *out = calloc(1, sizeof *agent);
  if (!agent || !(agent->scratch = strdup("/var/tmp")))
    return BP_E_NOMEM;
  agent->host = agent->roots.host = host;
  agent->wait_s = DEFAULT_WAIT_S;
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "directory"))
    return walk_add(&agent->roots, value);
  if (!strcmp(key, "wait"))
    agent->wait_s = (unsigned)strtoul(value, NULL, 10);
  else {
    free(agent->scratch);
    agent->scratch = strdup(value);
  }
  return agent->scratch ? BP_OK : BP_E_NOMEM;
}

static bp_status BPLUGIN_CALL ready(bp_agent *agent)
{
  const char *wrong = sqlite_load(&agent->sqlite);
  return wrong ? bp_failf(agent->host, BP_E_FAIL, BP_OS_NONE, 0, "SQLite's library: %s; on Debian: apt-get install libsqlite3-0",
                          wrong)
               : BP_OK;
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  walk_end(&agent->roots);
  free(agent->scratch);
  free(agent);
}

/* ---- a Job ------------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  walk_end(&job->walk);
  if (job->stream >= 0)
    close(job->stream);
  place_leave(&job->place);
  found_forget(&job->found);
  free(job);
  return BP_OK;
}

static bp_status read_roots(bp_job *job, const bp_agent *agent, const char *text)
{
  bp_fileset lines;
  char code[4], item[PATH_MAX];
  uint32_t len;
  bp_status status = BP_OK;
  for (unsigned i = 0; i < agent->roots.n_roots && status == BP_OK; i++)
    status = walk_add(&job->walk, agent->roots.roots[i]);
  bp_fileset_begin(&lines, text);
  while (status == BP_OK && (status = bp_fileset_next(&lines, code, item, sizeof item, &len)) == BP_OK)
    if (code[0] == 'F' && !code[1] && !strncmp(item, PREFIX, PREFIX_LEN))
      status = walk_add(&job->walk, item + PREFIX_LEN);
  if (status != BP_END)
    return status;
  return job->walk.n_roots ? BP_OK : bp_fail(job->host, BP_E_INVAL, BP_OS_NONE, 0, "name a directory: Plugin = \"sqlite: directory = /srv\"");
}

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job = *out = calloc(1, sizeof *job);
  if (!job)
    return BP_E_NOMEM;
  job->host = job->walk.host = host;
  job->stream = job->found.object = -1;
  job->all = (databases){ .sqlite = &agent->sqlite, .host = host, .scratch = agent->scratch, .wait_s = agent->wait_s };
  place_init(&job->place, host, why->where);
  bp_status status = why->kind == BP_KIND_RESTORE ? BP_OK : read_roots(job, agent, why->fileset);
  if (status == BP_OK && why->kind == BP_KIND_BACKUP)
    database_sweep(agent->scratch);
  if (status != BP_OK) {
    (void)end(job, BP_OUTCOME_FAILED);
    *out = NULL;
  }
  return status;
}

/* ---- backup: the list -------------------------------------------------------------------------------------------- */

/* One entry a page: the copy of a database costs so much more than a page. */
static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  if (status == BP_OK)
    status = walk_next(&job->walk, &job->all, &job->found);
  if (status == BP_END)
    return bp_page_end(&page, 1); /* all there is was listed: what only the base has is deleted */
  if (status != BP_OK)
    return status;
  job->found.entry.cookie = COOKIE;
  return bp_page_add(&page, &job->found.entry, job->found.name, job->found.len, NULL, 0);
}

/* ---- backup: the copy -------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  char why[BP_TEXT_MAX];
  struct stat about;
  if (cookie != COOKIE || stream != BP_STREAM_DATA || offset || job->stream >= 0)
    return BP_E_SEQUENCE;
  if (fstat(job->found.object, &about) != 0 || (about.st_mode & 07777u) != job->found.entry.mode
      || about.st_uid != job->found.entry.uid || about.st_gid != job->found.entry.gid)
    return bp_fail(job->host, BP_E_ENTRY, BP_OS_NONE, 0, "not saved: its owner or permissions were changed since it was listed");
  job->stream = database_copy(&job->all, job->found.path, job->found.object, why);
  job->position = 0;
  if (job->stream < 0)
    return bp_cancelled(job->host) ? BP_E_CANCELLED : bp_failf(job->host, BP_E_ENTRY, BP_OS_NONE, 0, "not saved: %s", why);
  *size = fstat(job->stream, &about) == 0 ? (uint64_t)about.st_size : BP_SIZE_UNKNOWN;
  return BP_OK;
}

static bp_status BPLUGIN_CALL read_stream(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  ssize_t got = pread(job->stream, buf, cap, (off_t)job->position);
  if (got < 0)
    return bp_fail_errno(job->host, BP_E_FAIL, errno, "reading the copy in %s", job->all.scratch);
  (void)bp_chunk_set(chunk, job->position, (uint64_t)got, got == 0);
  job->position += (uint64_t)got;
  return BP_OK;
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  (void)how;
  close(job->stream);
  job->stream = -1;
  return BP_OK;
}

/* ---- restore ----------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                            uint32_t replace, uint32_t *action)
{
  (void)base;
  if (entry->type != BP_TYPE_REGULAR)
    return bp_fail(job->host, BP_E_ENTRY, BP_OS_NONE, 0, "it is no database of this agent");
  if (!strncmp(dest, PREFIX "/", PREFIX_LEN + 1))
    dest += PREFIX_LEN; /* to where it came from */
  job->found.entry = *entry;
  job->position = 0;
  return place_begin(&job->place, dest, entry, replace, action, &job->stream);
}

static bp_status BPLUGIN_CALL restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)size;
  return stream == BP_STREAM_DATA ? BP_OK : bp_fail(job->host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "a database has its data alone");
}

static bp_status BPLUGIN_CALL write_stream(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  for (uint64_t done = 0; done < chunk->len;) {
    ssize_t put = pwrite(job->stream, (const char *)buf + done, chunk->len - done, (off_t)(chunk->offset + done));
    if (put <= 0)
      return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "writing it");
    done += (uint64_t)put;
  }
  job->position = chunk->offset + chunk->len;
  return ftruncate(job->stream, (off_t)job->position) == 0 ? BP_OK : bp_fail_errno(job->host, BP_E_IO, errno, "writing it");
}

static bp_status BPLUGIN_CALL restore_done(bp_job *job, bp_status how)
{
  char why[BP_TEXT_MAX] = "its digest does not match";
  int good = how == BP_OK && database_check(&job->all, job->stream, 0, why);
  bp_status status = place_finish(&job->place, job->stream, &job->found.entry, good);
  close(job->stream);
  job->stream = -1;
  if (status == BP_OK && !good && how == BP_OK)
    status = bp_failf(job->host, BP_E_ENTRY, BP_OS_NONE, 0, "%s; it is kept as %s.corrupt", why, job->place.name);
  return status;
}

/* ---- the agent --------------------------------------------------------------------------------------------------- */

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .ready = ready, .begin = begin,
  .next_entries = next_entries, .open_stream = open_stream, .read = read_stream, .close_stream = close_stream,
  .restore_entry = restore_entry, .restore_stream = restore_stream, .write = write_stream, .restore_done = restore_done,
  .end = end, .destroy = destroy,
};

static const bp_option options[] = {
  { "directory", "databases at and below this path; for a Plugin line", NULL, NULL, BP_OPTION_PATH,
    BP_OPTION_REPEATS | BP_OPTION_FROM_DIRECTOR },
  { "wait", "how long to wait for a database that another program has locked", NULL, "1 min", BP_OPTION_DURATION, 0 },
  { "scratch", "where a copy of one database fits", NULL, "/var/tmp", BP_OPTION_PATH, 0 },
};
static const char *const claims[] = { PREFIX "/", NULL };

static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0), .option_size = sizeof(bp_option),
  .id = "sqlite", .version = "1.0", .vendor = "filed", .license = "Apache-2.0", .claims = claims, .options = options,
  .n_options = sizeof options / sizeof options[0], .api = &api,
};

BPLUGIN_DEFINE(descriptor);
