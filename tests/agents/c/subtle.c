/* SPDX-License-Identifier: MIT */
/*
 * subtle: an agent that a Job may well be happy with, and that breaks one rule all the same, chosen by the option
 * `flaw`; `filed agent check` has to find each. Without a flaw it keeps the contract.
 *
 * Below /@SUBTLE: d/0 .. d/<files - 1>, file k of 1000 * k * k bytes; then d and /@SUBTLE. The state is the text of
 * `files`, format 1. It restores to disk.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bplugin_sdk.h"

struct bp_agent {
  const bp_host_api *host;
  char flaw[32], where[4096];
  uint32_t files, begins;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  uint32_t kind, next, base;
  uint64_t cookie, position, size;
  int fd, asked, failed, command_end;
  pid_t command;
  mode_t mode;
  int64_t mtime;
  char dest[4096];
};

static int is(const bp_agent *agent, const char *flaw)
{
  return !strcmp(agent->flaw, flaw);
}

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = *out = calloc(1, sizeof *agent);
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->files = 20;
  return BP_OK;
}

static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "files"))
    agent->files = (uint32_t)strtoul(value, NULL, 10);
  else
    snprintf(agent->flaw, sizeof agent->flaw, "%s", value);
  return BP_OK;
}

static void *for_ever(void *nothing)
{
  for (;;)
    pause();
  return nothing;
}

static void leave_something(const bp_agent *agent)
{
  pthread_t thread;
  if (is(agent, "leak")) {
    void *volatile lost = malloc(5000);
    (void)lost;
  }
  if (is(agent, "descriptor-left") && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
    abort();
  if (is(agent, "thread-left") && !pthread_create(&thread, NULL, for_ever, NULL))
    pthread_detach(thread);
  if (is(agent, "child") && fork() == 0)
    _exit(0);
}

/* A command that lives as long as the Job. */
static void start_command(bp_job *job)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC))
    abort();
  job->command = fork();
  if (job->command == 0) {
    if (!is(job->agent, "child-ignores"))
      signal(SIGINT, SIG_DFL), signal(SIGPIPE, SIG_DFL), signal(SIGXFSZ, SIG_DFL);
    dup2(ends[0], 0);
    execlp("cat", "cat", (char *)NULL);
    _exit(127);
  }
  close(ends[0]);
  job->command_end = ends[1];
}

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job;
  char text[16] = "";
  if (is(agent, "begin-once") && agent->begins++)
    return bp_fail(host, BP_E_BUSY, BP_OS_NONE, 0, "once is enough");
  if (is(agent, "exact-size") && why->struct_size != sizeof *why)
    return bp_fail(host, BP_E_INVAL, BP_OS_NONE, 0, "what host is this?");
  if (is(agent, "base-always") && why->level == BP_LEVEL_INCREMENTAL && !why->state_len)
    return BP_E_BASE;
  if (why->state_why == BP_STATE_FOUND) {
    if (is(agent, "base-own"))
      return BP_E_BASE;
    if (why->state_format == 1 && why->state_len < sizeof text)
      memcpy(text, why->state, (size_t)why->state_len);
    if (strspn(text, "0123456789") != strlen(text) || !text[0]) {
      if (!is(agent, "state-blind"))
        return BP_E_BASE;
      snprintf(text, sizeof text, "%u", (unsigned)agent->files);
    }
  } else if (is(agent, "state-lost") && why->level == BP_LEVEL_INCREMENTAL) {
    snprintf(text, sizeof text, "%u", (unsigned)agent->files);
  }
  job = *out = calloc(1, sizeof *job);
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  job->host = host;
  job->kind = why->kind;
  job->next = job->base = (uint32_t)strtoul(text, NULL, 10);
  job->fd = is(agent, "inherited") ? open("/dev/null", O_RDONLY) : -1;
  snprintf(agent->where, sizeof agent->where, "%s", why->where);
  leave_something(agent);
  if (is(agent, "child-ignores") || is(agent, "child-proper"))
    start_command(job);
  return BP_OK;
}

/* The directory, asked for once. */
static bp_status ask(bp_job *job)
{
  bp_entry entry;
  uint32_t verdict;
  bp_status status;
  memset(&entry, 0, sizeof entry);
  entry.type = BP_TYPE_DIRECTORY;
  status = job->asked ? BP_OK : bp_match(job->host, "/@SUBTLE/d", 10, &entry, &verdict);
  job->asked = 1;
  return is(job->agent, "ignores-verdict") ? BP_OK : is(job->agent, "other-status") && status ? BP_E_FAIL : status;
}

static uint32_t describe(const bp_job *job, uint32_t number, bp_entry *entry, char *name)
{
  uint32_t files = job->agent->files, shift = is(job->agent, "dir-first") ? 1 : 0;
  memset(entry, 0, sizeof *entry);
  entry->cookie = number + 1;
  entry->valid = BP_HAS_MODE | BP_HAS_MTIME;
  entry->mtime.sec = 1700000000;
  if ((!shift && number >= files) || (shift && number == 0) || number > files) {
    entry->type = BP_TYPE_DIRECTORY;
    entry->mode = 0755;
    return (uint32_t)sprintf(name, number > files ? "/@SUBTLE" : "/@SUBTLE/d");
  }
  number -= shift;
  entry->type = BP_TYPE_REGULAR;
  entry->mode = 0640;
  entry->valid |= BP_HAS_SIZE;
  entry->size = (uint64_t)number * number * (files > 1000 ? 0 : 1000);
  entry->streams = BP_STREAM_BIT(BP_STREAM_DATA);
  entry->flags = BP_ENTRY_REREAD | (job->base ? BP_ENTRY_SELECTED : 0);
  return (uint32_t)sprintf(name, "/@SUBTLE/d/%u", (unsigned)number);
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  uint32_t all = job->agent->files + 2, len;
  bp_page page;
  bp_entry entry;
  char name[64], text[16];
  bp_status status = bp_page_init(&page, batch);
  if (status == BP_OK)
    status = ask(job);
  if (status != BP_OK)
    return status;
  if (is(job->agent, "stride"))
    batch->stride = page.record_bytes; /* where it puts its records */
  for (; job->next < all; job->next++) {
    len = describe(job, job->next, &entry, name);
    if (bp_page_add(&page, &entry, name, len, NULL, 0) != BP_OK)
      break;
    if (is(job->agent, "memory")) {
      char *volatile kept = malloc(4096);
      memset(kept, 1, 4096);
    }
  }
  if ((job->next < all || bp_page_count(&page)) && !is(job->agent, "one-page"))
    return BP_OK; /* asked again when these were read */
  if (job->kind == BP_KIND_BACKUP || is(job->agent, "state-always")) {
    uint32_t saved = job->failed && !is(job->agent, "state-ahead") ? job->base : job->agent->files;
    len = (uint32_t)sprintf(text, "%u", (unsigned)saved);
    status = bp_put_state(job->host, text, len, 1);
    if (status != BP_OK && !is(job->agent, "ignores-put_state"))
      return status;
  }
  return bp_page_end(&page, !job->base || is(job->agent, "complete-news"));
}

static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  bp_entry entry;
  char name[64];
  if (stream != BP_STREAM_DATA || (is(job->agent, "opens-once") && (offset || cookie == job->cookie)))
    return BP_E_INVAL;
  (void)describe(job, (uint32_t)cookie - 1, &entry, name);
  /* The flaw: it opens what comes next, whatever is asked for. */
  job->cookie = is(job->agent, "in-turn") ? job->cookie + 1 : cookie;
  job->position = is(job->agent, "offset-ignored") ? 0 : offset;
  *size = job->size = entry.size;
  return BP_OK;
}

static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  uint64_t size = is(job->agent, "cut") ? job->size / 2 : job->size;
  uint64_t left = size - job->position, n = left < cap ? left : cap;
  for (int tenths = 0; is(job->agent, "slow-cancel") && tenths < 50; tenths++) {
    usleep(100000);
    bp_beat(job->host);
  }
  memset(buf, (int)(job->cookie + (is(job->agent, "cap") ? cap / 8 : 0)), (size_t)n);
  (void)bp_chunk_set(chunk, job->position, n, n == left);
  job->position += n;
  return BP_OK;
}

static bp_status close_stream(bp_job *job, bp_status how)
{
  job->failed |= how != BP_OK;
  return BP_OK;
}

/* ---- restore ----------------------------------------------------------------------------------------------------- */

/* Makes the directories on the way; a symbolic link below `where` is refused. */
static bp_status make_parents(const bp_job *job, size_t where)
{
  struct stat status;
  char path[4096];
  snprintf(path, sizeof path, "%s", job->dest);
  for (char *slash = strchr(path + (is(job->agent, "where-exists") ? where : 0) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(path, 0755) && errno != EEXIST)
      return bp_fail_errno(job->host, BP_E_ENTRY, errno, "mkdir %s", path);
    if ((size_t)(slash - path) > where && !is(job->agent, "through-link") && !lstat(path, &status) && S_ISLNK(status.st_mode))
      return bp_failf(job->host, BP_E_ENTRY, BP_OS_NONE, 0, "%s is a link", path);
    *slash = '/';
  }
  return BP_OK;
}

/* Does what is there stay, as `replace` says? */
static int stays(const bp_job *job, uint32_t replace)
{
  struct stat status;
  if (lstat(job->dest, &status))
    return 0;
  if (is(job->agent, "stays-always") || (is(job->agent, "stays-if-newer") && replace == BP_REPLACE_IFNEWER))
    return 1;
  if (replace == BP_REPLACE_NEVER)
    return !is(job->agent, "ignores-never");
  if (is(job->agent, "ignores-newer"))
    return 0;
  return (replace == BP_REPLACE_IFNEWER && job->mtime <= status.st_mtime)
         || (replace == BP_REPLACE_IFOLDER && job->mtime >= status.st_mtime);
}

static bp_status restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                               uint32_t replace, uint32_t *action)
{
  bp_status status;
  (void)base;
  snprintf(job->dest, sizeof job->dest, "%s", dest);
  job->mode = entry->mode;
  job->mtime = entry->mtime.sec;
  status = make_parents(job, strlen(job->agent->where));
  if (status != BP_OK)
    return status;
  *action = BP_ACTION_CREATED;
  if (entry->type == BP_TYPE_DIRECTORY)
    return mkdir(dest, 0755) && errno != EEXIST ? bp_fail_errno(job->host, BP_E_ENTRY, errno, "mkdir") : BP_OK;
  if (is(job->agent, "not-restored") && !strcmp(strrchr(dest, '/'), "/3"))
    return BP_OK;
  if (stays(job, replace)) {
    *action = BP_ACTION_SKIP;
    return BP_OK;
  }
  job->fd = open(dest, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (job->fd < 0)
    return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "open");
  *action = BP_ACTION_WANT;
  return BP_OK;
}

static bp_status restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)job, (void)size;
  return stream == BP_STREAM_DATA ? BP_OK : BP_E_UNSUPPORTED;
}

static bp_status write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  uint64_t offset = chunk->offset + (is(job->agent, "shifted") && chunk->offset ? 1 : 0);
  uint64_t len = is(job->agent, "half") ? chunk->len / 2 : chunk->len;
  if (is(job->agent, "no-gaps"))
    return write(job->fd, buf, (size_t)chunk->len) == (ssize_t)chunk->len ? BP_OK : BP_E_IO;
  if (pwrite(job->fd, buf, (size_t)len, (off_t)offset) != (ssize_t)len)
    return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "write");
  if (chunk->flags & BP_CHUNK_LAST && ftruncate(job->fd, (off_t)(offset + len)))
    return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "ftruncate");
  return BP_OK;
}

static bp_status restore_done(bp_job *job, bp_status how)
{
  struct timespec times[2] = { { job->mtime, 0 }, { job->mtime, 0 } };
  if (how == BP_E_CORRUPT && is(job->agent, "corrupt-fails"))
    return BP_E_FAIL;
  if (how == BP_E_CORRUPT && is(job->agent, "corrupt-removed"))
    (void)unlink(job->dest);
  if (job->fd < 0 && is(job->agent, "times-early"))
    (void)utimensat(AT_FDCWD, job->dest, times, AT_SYMLINK_NOFOLLOW);
  if (job->fd < 0)
    return BP_OK;
  if (!is(job->agent, "no-mode"))
    (void)fchmod(job->fd, job->mode);
  if (!is(job->agent, "no-time"))
    (void)futimens(job->fd, times);
  close(job->fd);
  job->fd = -1;
  return BP_OK;
}

static bp_status commit(bp_job *job)
{
  struct timespec times[2] = { { 1700000000, 0 }, { 1700000000, 0 } };
  char path[4096 + 16];
  if (job->kind != BP_KIND_RESTORE || is(job->agent, "times-early"))
    return BP_OK;
  snprintf(path, sizeof path, "%s/@SUBTLE/d", job->agent->where);
  (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
  snprintf(path, sizeof path, "%s/@SUBTLE", job->agent->where);
  (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
  return BP_OK;
}

static bp_status end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  if (job->fd >= 0)
    close(job->fd);
  if (job->command > 0) {
    close(job->command_end);
    waitpid(job->command, NULL, 0);
  }
  free(job);
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .begin = begin,
  .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream,
  .restore_entry = restore_entry, .restore_stream = restore_stream, .write = write_chunk,
  .restore_done = restore_done, .commit = commit, .end = end, .destroy = destroy,
};

static const bp_option options[] = {
  { "flaw", "which rule to break", NULL, "", BP_OPTION_STRING, 0 },
  { "files", "how many", NULL, "20", BP_OPTION_INT, 0 },
};
static const char *const claims[] = { "/@SUBTLE", NULL };

#ifndef FEATURES
# define FEATURES 0
#endif
#define DESCRIPTOR                                                                                               \
  {                                                                                                              \
    .features = FEATURES, .magic = BP_MAGIC, .struct_size = sizeof(bp_descriptor), .header = BP_HEADER_VERSION,                        \
    .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0), .option_size = sizeof(bp_option),          \
    .format = 1, .id = "subtle", .version = "1.0", .vendor = "filed tests", .license = "MIT", .claims = claims,  \
    .options = options, .n_options = 2, .api = &api                                                              \
  }
static const bp_descriptor descriptor = DESCRIPTOR;

#if defined QUERY_ALWAYS
BPLUGIN_EXPORT const bp_descriptor *bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  (void)host_min, (void)host_max;
  return &descriptor;
}
#elif defined QUERY_NEVER_LATER
BPLUGIN_EXPORT const bp_descriptor *bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  return host_min == BP_VERSION(1, 0) && host_max == BP_HEADER_VERSION ? &descriptor : NULL;
}
#elif defined QUERY_IMPURE
BPLUGIN_EXPORT const bp_descriptor *bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  static const bp_descriptor other = DESCRIPTOR;
  static int asked;
  return bp_query(asked++ % 2 ? &descriptor : &other, host_min, host_max);
}
#else
BPLUGIN_DEFINE(descriptor);
#endif
