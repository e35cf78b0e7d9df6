/* SPDX-License-Identifier: MIT */
/*
 * today: an agent that uses what is new since 1.0, and runs on a host of 1.0 as well. Its source is a log that only
 * grows: records 1 to `upto`, each a file /@TODAY/<number> of `size` bytes, which are looked at when they come back. It
 * keeps from the log what bp_begin.keep_from says. Records are read by four streams at once.
 *
 * Option `gap`: the log is found to be cut after the first page. `state`: the state has so many bytes more, all alike
 * (`noise`: that no compressor makes smaller). `rate`: bytes a second of each stream. `meet`: the first read of each of so
 * many streams waits for the others, a minute at most; how many were inside at once is a message. `broken`: the record of
 * this number cannot be read to its end. `freeze`: a file that is there as long as it holds still. `fault`: what it does
 * in which call, `abort-begin`, `hang-prepare` (until it is cancelled), `deaf-begin`, `fail-prepare`. With ID another
 * agent of its kind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "bplugin_sdk.h"

#ifndef ID
# define ID "today"
#endif
#ifndef PLACE
# define PLACE "/@TODAY/"
#endif
#ifndef SECONDS
# define SECONDS 0
#endif

struct bp_agent {
  const bp_host_api *host;
  unsigned upto, gap, state, noise, size, rate, meet, broken;
  char freeze[1024], lock[1024], counter[1024], fault[32], target[32];
  int locked; /* a descriptor; 0: none */
};
enum { BROWSE_TOP = 1, BROWSE_RECORDS };
struct bp_job {
  const bp_host_api *host;
  const bp_agent *agent;
  unsigned next, first, restoring, dry, browse, kind;
  bp_stream *one; /* of open_stream */
  pthread_mutex_t lock;
  pthread_cond_t met;
  unsigned arrived, inside, most_inside;
};
struct bp_stream {
  bp_job  *job;
  unsigned number;
  uint64_t at;
};

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = *out = calloc(1, sizeof *agent);
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->upto = 3;
  agent->size = 5;
  strcpy(agent->target, "its place");
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  unsigned number = (unsigned)strtoul(value, NULL, 10);
  if (!strcmp(key, "upto"))
    agent->upto = number;
  else if (!strcmp(key, "gap"))
    agent->gap = !strcmp(value, "yes");
  else if (!strcmp(key, "noise"))
    agent->noise = !strcmp(value, "yes");
  else if (!strcmp(key, "freeze"))
    (void)snprintf(agent->freeze, sizeof agent->freeze, "%s", value);
  else if (!strcmp(key, "target"))
    (void)snprintf(agent->target, sizeof agent->target, "%s", value);
  else if (!strcmp(key, "lock"))
    (void)snprintf(agent->lock, sizeof agent->lock, "%s", value);
  else if (!strcmp(key, "counter"))
    (void)snprintf(agent->counter, sizeof agent->counter, "%s", value);
  else if (!strcmp(key, "fault"))
    (void)snprintf(agent->fault, sizeof agent->fault, "%s", value);
  else if (!strcmp(key, "size"))
    agent->size = number;
  else if (!strcmp(key, "rate"))
    agent->rate = number;
  else if (!strcmp(key, "meet"))
    agent->meet = number;
  else if (!strcmp(key, "broken"))
    agent->broken = number;
  else
    agent->state = number;
  return BP_OK;
}

static uint8_t byte_of(unsigned number, uint64_t at)
{
  return (uint8_t)(number * 31 + at + (at >> 8) + (at >> 16));
}

/* ---- phases: a file stands for what is frozen ---------------------------------------------------------------------- */

static bp_status fault_in(const bp_agent *agent, const char *call)
{
  const char *dash = strchr(agent->fault, '-');
  if (!dash || strcmp(dash + 1, call))
    return BP_OK;
  if (agent->fault[0] == 'a')
    abort();
  if (agent->fault[0] == 'f')
    return bp_failf(agent->host, BP_E_FAIL, BP_OS_NONE, 0, "%s fails", call);
  while (agent->fault[0] == 'd' || !bp_cancelled(agent->host)) {
    struct timespec pause = { 0, 10000000 };
    nanosleep(&pause, NULL);
  }
  return BP_E_CANCELLED;
}

static bp_status prepare(bp_agent *agent)
{
  bp_status status = bp_hold(agent->host, agent->freeze, (uint32_t)strlen(agent->freeze));
  int fd;
  if (status != BP_OK)
    return status;
  bp_logf(agent->host, BP_MSG_INFO, "prepare");
  fd = *agent->freeze ? open(agent->freeze, O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
  if (*agent->freeze && fd < 0)
    return bp_fail_errno(agent->host, BP_E_FAIL, errno, "%s is frozen already", agent->freeze);
  if (fd >= 0)
    close(fd);
  if (*agent->lock) { /* ends with the process: no word with `hold` is needed */
    agent->locked = open(agent->lock, O_RDONLY | O_CLOEXEC);
    if (agent->locked < 0 || flock(agent->locked, LOCK_EX))
      return bp_fail_errno(agent->host, BP_E_FAIL, errno, "lock %s", agent->lock);
  }
  return fault_in(agent, "prepare");
}

static bp_status release(bp_agent *agent, uint32_t when, const void *token, uint32_t len)
{
  char name[1024];
  (void)snprintf(name, sizeof name, "%.*s", when == BP_RELEASE_LEFT ? (int)len : 1023,
                 when == BP_RELEASE_LEFT ? (const char *)token : agent->freeze);
  bp_logf(agent->host, BP_MSG_INFO, "release %u", (unsigned)when);
  if (agent->locked > 0)
    close(agent->locked);
  agent->locked = 0;
  if (*name && unlink(name) && errno != ENOENT)
    return bp_fail_errno(agent->host, BP_E_FAIL, errno, "%s stays frozen", name);
  if (when != BP_RELEASE_LEFT)
    (void)bp_hold(agent->host, NULL, 0);
  return fault_in(agent, "release");
}

/* ---- the plan of a restore ---------------------------------------------------------------------------------------- */

static bp_status plan(bp_job *job)
{
  if (!strcmp(job->agent->fault, "fail-plan"))
    return bp_fail(job->host, BP_E_FAIL, BP_OS_NONE, 0, "the log is in use: stop its service first");
  return bp_logf(job->host, BP_MSG_INFO, "plan: to %s%s", job->agent->target, job->dry ? ", a dry run" : "");
}

static const bp_plan restore_plan = { sizeof(bp_plan), 0, plan };
static const bp_phases phases = { sizeof(bp_phases), SECONDS, prepare, release };

/* ---- a Job ----------------------------------------------------------------------------------------------------- */

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_status status = why->kind == BP_KIND_BACKUP ? fault_in(agent, "begin") : BP_OK;
  bp_job *job = *out = status == BP_OK ? calloc(1, sizeof *job) : NULL;
  if (!job)
    return status == BP_OK ? BP_E_NOMEM : status;
  job->host = host;
  job->agent = agent;
  job->first = 1;
  job->kind = why->kind;
  job->dry = host->version >= BP_VERSION(1, 1) && why->flags & BP_BEGIN_DRY_RUN;
  if (why->kind == BP_KIND_RESTORE && BP_HAS_FIELD(why, bp_begin, saved_jobs))
    bp_logf(host, BP_MSG_INFO, "restoring %s on %s, %llu entries, %llu bytes of %u Jobs%s%s", why->saved_job,
            *why->saved_base ? why->saved_base : "nothing", (unsigned long long)why->saved_entries,
            (unsigned long long)why->saved_bytes, (unsigned)why->saved_jobs,
            why->flags & BP_BEGIN_PART ? ", a part" : "", why->flags & BP_BEGIN_OLDEST_FIRST ? ", oldest first" : "");
  if (why->state_why == BP_STATE_FOUND) {
    char text[16] = "";
    memcpy(text, why->state, why->state_len < sizeof text ? (size_t)why->state_len : sizeof text - 1);
    job->first = (unsigned)strtoul(text, NULL, 10) + 1;
  }
  if (why->kind == BP_KIND_BACKUP)
    bp_logf(host, BP_MSG_INFO, "from record %u on; the log is needed from %llu on", job->first,
            (unsigned long long)bp_keep_from(why));
  if (*agent->counter) { /* its moment: what a snapshot would hold */
    char text[32] = "";
    FILE *file = fopen(agent->counter, "re");
    if (!file || !fgets(text, sizeof text, file))
      text[0] = 0;
    if (file)
      fclose(file);
    bp_logf(host, BP_MSG_INFO, "at %s", text);
  }
  if (BP_HAS_FIELD(why, bp_begin, browse) && why->browse)
    job->browse = *why->browse ? BROWSE_RECORDS : BROWSE_TOP;
  job->next = job->first;
  pthread_mutex_init(&job->lock, NULL);
  pthread_cond_init(&job->met, NULL);
  return BP_OK;
}

/* The state: the last record as text, then what the option `state` asks for. */
static bp_status put_state(const bp_job *job)
{
  const bp_agent *agent = job->agent;
  size_t len = 16 + agent->state;
  char *state = calloc(1, len);
  uint64_t seed = 88172645463325252ull;
  bp_status status;
  if (!state)
    return BP_E_NOMEM;
  (void)snprintf(state, 16, "%u", agent->upto);
  for (size_t i = 16; agent->noise && i < len; i++) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    state[i] = (char)(seed >> 32);
  }
  status = bp_put_state(job->host, state, len, 1);
  free(state);
  if (status == BP_OK)
    (void)bp_watermark(job->host, agent->upto + 1u); /* a host of 1.0 has none: then the whole log is kept */
  return status;
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  if (status != BP_OK)
    return status;
  if (job->browse == BROWSE_TOP) {
    bp_entry top;
    memset(&top, 0, sizeof top);
    top.cookie = 1;
    top.type = BP_TYPE_DIRECTORY;
    status = bp_page_add(&page, &top, PLACE, (uint32_t)sizeof PLACE - 2, NULL, 0); /* without its slash */
    return status == BP_OK ? bp_page_end(&page, 0) : status;
  }
  if (job->next == job->first)
    (void)bp_expect(job->host, job->agent->upto + 1u - job->first, 0);
  if (job->next > job->agent->upto) {
    if (job->agent->meet)
      bp_logf(job->host, BP_MSG_INFO, "%u reads at once", job->most_inside);
    if (job->agent->gap)
      return bp_page_end_gap(&page, job->host);
    status = job->kind == BP_KIND_BACKUP ? put_state(job) : BP_OK;
    return status == BP_OK ? bp_page_end(&page, 0) : status;
  }
  for (; job->next <= job->agent->upto; job->next++) {
    char name[32];
    bp_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.cookie = job->next;
    entry.type = BP_TYPE_REGULAR;
    entry.flags = BP_ENTRY_SELECTED;
    entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
    entry.valid = BP_HAS_MODE | BP_HAS_SIZE;
    entry.mode = 0600;
    entry.size = job->agent->size;
    (void)snprintf(name, sizeof name, PLACE "%04u", job->next);
    if (bp_page_add(&page, &entry, name, (uint32_t)strlen(name), NULL, 0) != BP_OK)
      break;
  }
  return BP_OK;
}

/* ---- streams: one after the other, or several at once ---------------------------------------------------------- */

static bp_status streams_open(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t *size, bp_stream **out,
                              bp_error *error)
{
  (void)error;
  if (stream != BP_STREAM_DATA)
    return BP_E_UNSUPPORTED;
  *out = calloc(1, sizeof **out);
  if (!*out)
    return BP_E_NOMEM;
  (*out)->job = job;
  (*out)->number = (unsigned)cookie;
  *size = job->agent->size;
  return BP_OK;
}

/* The first read of each stream, with `meet`: until so many have come. */
static void meet(bp_job *job)
{
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 60;
  pthread_mutex_lock(&job->lock);
  job->inside++;
  if (job->inside > job->most_inside)
    job->most_inside = job->inside;
  job->arrived++;
  pthread_cond_broadcast(&job->met);
  while (job->arrived < job->agent->meet && !bp_cancelled(job->host)
         && !pthread_cond_timedwait(&job->met, &job->lock, &until))
    ;
  job->inside--;
  pthread_mutex_unlock(&job->lock);
}

static bp_status streams_read(bp_stream *stream, void *buf, uint64_t cap, bp_chunk *chunk, bp_error *error)
{
  const bp_agent *agent = stream->job->agent;
  uint64_t at = stream->at, left = agent->size - at, len = left < cap ? left : cap;
  if (!at && agent->meet)
    meet(stream->job);
  if (agent->broken == stream->number && (at || len == left))
    return bp_errorf(error, BP_E_IO, BP_OS_ERRNO, 5, "record %u ends here", stream->number);
  if (agent->rate) {
    uint64_t nanoseconds = len * 1000000000ull / agent->rate;
    struct timespec pause = { (time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u) };
    nanosleep(&pause, NULL);
  }
  for (uint64_t i = 0; i < len; i++)
    ((uint8_t *)buf)[i] = byte_of(stream->number, at + i);
  stream->at += len;
  return bp_chunk_set(chunk, at, len, len == left);
}

static bp_status streams_close(bp_stream *stream, bp_status how, bp_error *error)
{
  (void)how, (void)error;
  free(stream);
  return BP_OK;
}

static const bp_streams streams = { sizeof(bp_streams), 4, streams_open, streams_read, streams_close };

static bp_status extension(bp_agent *agent, const char *id, const void **out)
{
  (void)agent;
  if (bp_offer(id, BP_STREAMS_1, &streams, out) == BP_OK || bp_offer(id, BP_PHASES_1, &phases, out) == BP_OK)
    return BP_OK;
  return bp_offer(id, BP_PLAN_1, &restore_plan, out);
}

/* For a host of 1.0. */
static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  return offset ? BP_E_INVAL : streams_open(job, cookie, stream, size, &job->one, NULL);
}

static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  char text[BP_TEXT_MAX];
  bp_error error = { sizeof error, BP_OS_NONE, 0, text, sizeof text - 1, 0 };
  bp_status status = streams_read(job->one, buf, cap, chunk, &error);
  text[error.len] = 0;
  return status == BP_OK ? status : bp_fail(job->host, status, error.os_domain, error.os_error, text);
}

static bp_status close_stream(bp_job *job, bp_status how)
{
  bp_stream *stream = job->one;
  job->one = NULL;
  return streams_close(stream, how, NULL);
}

/* ---- restore ------------------------------------------------------------------------------------------------------ */

static bp_status restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                               uint32_t replace, uint32_t *action)
{
  (void)entry, (void)base, (void)replace;
  job->restoring = (unsigned)strtoul(strrchr(dest, '/') + 1, NULL, 10);
  *action = BP_ACTION_WANT;
  return BP_OK;
}

static bp_status restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)job, (void)stream, (void)size;
  return BP_OK;
}

static bp_status write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  for (uint64_t i = 0; i < chunk->len; i++)
    if (((const uint8_t *)buf)[i] != byte_of(job->restoring, chunk->offset + i))
      return bp_failf(job->host, BP_E_FAIL, BP_OS_NONE, 0, "record %u is another one", job->restoring);
  return BP_OK;
}

static bp_status restore_done(bp_job *job, bp_status how)
{
  (void)job, (void)how;
  return BP_OK;
}

static bp_status end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  free(job);
  return BP_OK;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .extension = extension, .begin = begin,
  .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream,
  .restore_entry = restore_entry, .restore_stream = restore_stream, .write = write_chunk,
  .restore_done = restore_done, .end = end, .destroy = destroy,
};
static const bp_option options[] = {
  { "upto", "how many records the log has", NULL, "3", BP_OPTION_INT, 0 },
  { "gap", "the log is cut while it is read", NULL, "no", BP_OPTION_BOOL, 0 },
  { "state", "bytes more in the state", NULL, "0", BP_OPTION_SIZE, 0 },
  { "size", "of each record", NULL, "5", BP_OPTION_SIZE, 0 },
  { "rate", "bytes a second of a stream; 0: as fast as it can", NULL, "0", BP_OPTION_SIZE, 0 },
  { "meet", "how many first reads wait for each other", NULL, "0", BP_OPTION_INT, 0 },
  { "broken", "the record that cannot be read", NULL, "0", BP_OPTION_INT, 0 },
  { "target", "where the log is restored to", NULL, NULL, BP_OPTION_STRING, BP_OPTION_AT_RESTORE },
  { "freeze", "a file that is there as long as it holds still", NULL, NULL, BP_OPTION_PATH, 0 },
  { "lock", "a file that it locks as long as it holds still", NULL, NULL, BP_OPTION_PATH, 0 },
  { "counter", "a file whose text is a message when a Job begins", NULL, NULL, BP_OPTION_PATH, 0 },
  { "fault", "what it does in which call", NULL, NULL, BP_OPTION_STRING, 0 },
  { "noise", "they cannot be compressed", NULL, "no", BP_OPTION_BOOL, 0 },
};
static const char *const claims[] = { PLACE, NULL };
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_TARGET_VERSION,
  .features = BP_FEATURE_BROWSE, .option_size = sizeof(bp_option), .id = ID, .version = "1.1", .vendor = "filed tests", .license = "MIT",
  .claims = claims, .options = options, .n_options = sizeof options / sizeof options[0], .api = &api,
};
BPLUGIN_DEFINE(descriptor);
