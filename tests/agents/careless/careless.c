/* SPDX-License-Identifier: MIT */
/*
 * careless: a mail agent as a tired author writes it: it keeps the rules that a machine can look up, and does one thing
 * wrong, chosen by the option `flaw`. README.md says what filed makes of each.
 *
 * The mailbox: /@CARE/in/00 to /@CARE/in/11, message k of sizes[k] bytes, byte i of it (31 * k + i) % 251, mtime
 * 1700000000 + k, but for two that came in the same second and are of one length; then /@CARE/in and /@CARE. On day 2
 * there is message 12. The state is the number of messages, flagged SELECTED from the first day on. It restores to disk.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "bplugin_sdk.h"

#define MESSAGES 13
#define PAGE 5 /* entries of a page, so that there are some */

static const uint64_t sizes[MESSAGES] = { 0, 1, 100, 1000, 65536, 65537, 70000, 200000, 400, 400, 600, 700, 800 };

struct bp_agent {
  const bp_host_api *host;
  char flaw[32];
  unsigned day;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  uint32_t kind, messages, base, next, listed_from, failed;
  uint64_t cookie, size, position;
  void *kept; /* a buffer of the host, after its call */
  pthread_t thread;
  pthread_barrier_t go;
  int fd, late;
  int64_t mtime;
  uint32_t mode;
  char dest[4096], before[4096];
};

static int is(const bp_agent *agent, const char *flaw)
{
  return !strcmp(agent->flaw, flaw);
}

/* ---- the instance ---- */

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = *out = calloc(1, sizeof *agent);
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->day = 1;
  return BP_OK;
}

static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "day"))
    agent->day = (unsigned)strtoul(value, NULL, 10);
  else
    snprintf(agent->flaw, sizeof agent->flaw, "%s", value);
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

/* ---- what a process shares with its agents ---- */

static void leave_at_once(void)
{
  _exit(0);
}

/* "That was our old descriptor": it closes a number that is the Volume's by now, and its own file takes it. */
static void close_twice(const char *whose)
{
  char link[64], path[4096];
  for (int fd = 3; fd < 256; fd++) {
    ssize_t n;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
      continue;
    path[n] = 0;
    if (strstr(path, whose)) {
      close(fd);
      if (open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) != fd)
        abort();
      return;
    }
  }
}

static void spoil(const bp_agent *agent)
{
  struct itimerval soon = { { 0, 0 }, { 0, 1000 } };
  struct rlimit small = { 8192, 8192 };
  sigset_t all;
  if (is(agent, "timer"))
    setitimer(ITIMER_PROF, &soon, NULL);
  if (is(agent, "file-size"))
    setrlimit(RLIMIT_FSIZE, &small);
  if (is(agent, "atexit"))
    atexit(leave_at_once);
  if (is(agent, "locale"))
    setlocale(LC_ALL, "C.UTF-8");
  if (is(agent, "signal-mask")) {
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
  }
  if (is(agent, "time-zone")) {
    setenv("TZ", "Pacific/Kiritimati", 1);
    tzset();
  }
}

/* ---- a Job ---- */

static bp_status put_state(const bp_job *job)
{
  static char huge[1 << 20];
  char text[16];
  int len = snprintf(text, sizeof text, "%u", (unsigned)(job->failed ? job->base : job->messages));
  if (is(job->agent, "inode-of-folder"))
    return BP_OK;
  if (is(job->agent, "state-too-big")) {
    (void)bp_put_state(job->host, huge, sizeof huge, 1); /* who looks at that? */
    return BP_OK;
  }
  return bp_put_state(job->host, text, (uint64_t)len, 1);
}

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  char text[16] = "";
  bp_job *job = *out = calloc(1, sizeof *job);
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  job->host = host;
  job->kind = why->kind;
  job->fd = -1;
  job->messages = MESSAGES - (agent->day < 2);
  if (is(agent, "full-page-is-the-end"))
    job->messages = 400;
  if (why->state_why == BP_STATE_FOUND && why->state_len < sizeof text) {
    memcpy(text, why->state, (size_t)why->state_len);
    job->base = job->next = (uint32_t)strtoul(text, NULL, 10);
  }
  if (job->kind == BP_KIND_BACKUP) {
    spoil(agent);
    if (is(agent, "state-early"))
      return put_state(job);
  }
  return BP_OK;
}

/* ---- listing ---- */

static uint64_t size_of(const bp_agent *agent, uint32_t message)
{
  return message == 3 && is(agent, "size-32") ? (1ull << 32) + 10 : message < MESSAGES ? sizes[message] : 0;
}

static uint8_t byte_of(uint64_t message, uint64_t at)
{
  return (uint8_t)((31 * message + at) % 251);
}

static void fill(void *buf, uint64_t message, uint64_t at, uint64_t len)
{
  for (uint64_t i = 0; i < len; i++)
    ((uint8_t *)buf)[i] = byte_of(message, at + i);
}

static void describe(const bp_job *job, uint32_t number, bp_entry *entry, char *name)
{
  const bp_agent *agent = job->agent;
  memset(entry, 0, sizeof *entry);
  entry->cookie = number;
  entry->mode = 0640;
  entry->valid = BP_HAS_MODE | BP_HAS_MTIME | BP_HAS_SIZE;
  entry->mtime.sec = 1700000000 + (number == 9 ? 8 : number);
  if (number >= job->messages) {
    entry->type = BP_TYPE_DIRECTORY;
    entry->mode = 0755;
    sprintf(name, number == job->messages ? "/@CARE/in" : "/@CARE");
    return;
  }
  entry->type = BP_TYPE_REGULAR;
  entry->size = size_of(agent, number);
  entry->flags = BP_ENTRY_SELECTED;
  entry->streams = BP_STREAM_BIT(BP_STREAM_DATA);
  sprintf(name, "/@CARE/in/%02u", (unsigned)number);
  if (number == 7 && is(agent, "names-normalised"))
    sprintf(name, "/@CARE/in/01");
  if (number == 3 && is(agent, "subject-with-slash"))
    sprintf(name, "/@CARE/in/02/x");
  if (number == 3 && is(agent, "file-like-its-directory"))
    sprintf(name, "/@CARE/in");
  if (number == 3 && is(agent, "other-root"))
    sprintf(name, "/etc/passwd");
  if (number == 3 && is(agent, "long-name")) {
    strcpy(name, "/@CARE/in/");
    memset(name + 10, 'n', 300);
    name[310] = 0;
  }
  if (is(agent, "size-known-later"))
    entry->size = 0;
  if (is(agent, "grows") && entry->size)
    entry->size /= 2;
  if (is(agent, "no-streams")) {
    entry->streams = 0;
    entry->valid = BP_HAS_MODE | BP_HAS_MTIME;
  }
  if (number == 3 && is(agent, "as-directory"))
    entry->type = BP_TYPE_DIRECTORY;
  if (number == 3 && is(agent, "as-link-target")) {
    entry->type = BP_TYPE_SYMLINK;
  }
  if (is(agent, "milliseconds"))
    entry->mtime.sec *= 1000;
  if (is(agent, "links-unset"))
    entry->nlink = 2; /* without BP_HAS_NLINK or BP_HAS_INO: nobody looks at it, they said */
  if (is(agent, "inode-of-folder"))
    entry->flags = 0; /* it keeps no state, either: the host compares */
  if (is(agent, "inode-zero") || is(agent, "inode-of-page") || is(agent, "inode-of-folder")) {
    entry->valid |= BP_HAS_INO | BP_HAS_NLINK;
    entry->nlink = 2;
    entry->ino = is(agent, "inode-zero") ? 0 : 77;
  }
  if (is(agent, "page-cookie"))
    entry->cookie = number - job->listed_from; /* its place in the page */
  if (number == 7 && is(agent, "failed-without-a-word"))
    entry->flags = BP_ENTRY_FAILED;
  if (number == 5 && is(agent, "deletes-the-directory") && job->base) {
    sprintf(name, "/@CARE/in");
    entry->change = BP_CHANGE_DELETED;
    entry->type = 0;
    entry->streams = 0;
  }
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  const bp_agent *agent = job->agent;
  uint32_t all = job->messages + 2, most = is(agent, "full-page-is-the-end") ? UINT32_MAX : PAGE;
  bp_page page;
  bp_entry entry;
  char name[512];
  bp_status status = bp_page_init(&page, batch);
  if (status != BP_OK)
    return status;
  if (is(agent, "lists-nothing"))
    return bp_page_end(&page, 0); /* the service did not answer */
  job->listed_from = job->next;
  if ((is(agent, "complete-of-news") || is(agent, "deletes-the-directory")) && job->base)
    all = job->messages;
  if (job->base && is(agent, "deletes-the-directory") && job->next == job->base) {
    describe(job, 5, &entry, name);
    (void)bp_page_add(&page, &entry, name, (uint32_t)strlen(name), NULL, 0);
  }
  for (; job->next < all && bp_page_count(&page) < most; job->next++) {
    describe(job, job->next, &entry, name);
    status = bp_page_add(&page, &entry, name, (uint32_t)strlen(name), entry.type == BP_TYPE_SYMLINK ? "x" : NULL,
                         entry.type == BP_TYPE_SYMLINK);
    if (status != BP_OK)
      break;
    if (is(agent, "inline-16") && entry.type == BP_TYPE_REGULAR) {
      static uint8_t data[200000];
      fill(data, job->next, 0, entry.size);
      status = bp_page_inline(&page, data, (uint16_t)entry.size);
    }
    if (is(agent, "inline-by-capacity") && entry.type == BP_TYPE_REGULAR && entry.size < 5000) {
      uint8_t data[8192] = { 0 };
      fill(data, job->next, 0, entry.size);
      status = bp_page_inline(&page, data, 8192);
    }
  }
  if (status == BP_PAGE_FULL && is(agent, "full-page-is-the-end"))
    return bp_page_end(&page, 0); /* "no more fits" */
  if (bp_page_count(&page))
    return BP_OK;
  if (job->kind == BP_KIND_BACKUP && !is(agent, "state-early"))
    status = put_state(job);
  return status == BP_OK ? bp_page_end(&page, !job->base || is(agent, "complete-of-news")) : status;
}

/* ---- reading ---- */

static void *write_late(void *argument)
{
  bp_job *job = argument;
  pthread_barrier_wait(&job->go);
  memset(job->kept, 'x', 100); /* read has long returned */
  return NULL;
}

static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  const bp_agent *agent = job->agent;
  if (stream != BP_STREAM_DATA || offset)
    return BP_E_UNSUPPORTED;
  if (is(agent, "errno-as-status") && cookie == 3)
    return -ENAMETOOLONG;
  job->cookie = cookie;
  job->size = *size = size_of(agent, (uint32_t)cookie);
  if (is(agent, "size-32"))
    job->size = *size = (uint32_t)job->size;
  if (is(agent, "size-16"))
    job->size = (uint16_t)job->size;
  if (is(agent, "size-later-unknown") || is(agent, "size-known-later"))
    *size = BP_SIZE_UNKNOWN;
  if (is(agent, "folder-skipped-later") && cookie > 3)
    job->size = 0, *size = BP_SIZE_UNKNOWN;
  job->position = 0;
  return BP_OK;
}

static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  const bp_agent *agent = job->agent;
  uint64_t left = job->size - job->position, n = left < cap ? left : cap;
  if (job->cookie == 7 && (is(agent, "state-early") || is(agent, "read-error")) && job->agent->day == 1)
    return bp_fail_errno(job->host, BP_E_IO, EIO, "message %u", (unsigned)job->cookie);
  if (is(agent, "short-read-is-the-end") && n > 65536)
    n = left = 65536;
  if (is(agent, "last-byte") && n == left && n)
    left = --n;
  if (!(is(agent, "stale-buffer") && job->cookie % 2))
    fill(buf, job->cookie, job->position, n);
  if (is(agent, "zeros-for-an-error") && job->cookie == 7)
    (void)bp_fail_errno(job->host, BP_E_IO, EIO, "message %u", (unsigned)job->cookie);
  (void)bp_chunk_set(chunk, job->position, n, n == left);
  job->position += n;
  job->kept = buf;
  if (is(agent, "writes-late") && job->cookie == 6 && n == left) {
    pthread_barrier_init(&job->go, NULL, 2);
    job->late = !pthread_create(&job->thread, NULL, write_late, job);
  }
  return BP_OK;
}

static bp_status close_stream(bp_job *job, bp_status how)
{
  if (job->late) {
    pthread_barrier_wait(&job->go);
    pthread_join(job->thread, NULL);
  }
  job->late = 0;
  if (how != BP_OK)
    job->failed = 1;
  if (is(job->agent, "reported-and-forgotten") && job->cookie == 7)
    (void)bp_fail_errno(job->host, BP_E_IO, EIO, "closing message %u", (unsigned)job->cookie);
  while (is(job->agent, "timer") && job->cookie == 7)
    bp_beat(job->host); /* until its time has come */
  if (is(job->agent, "closes-the-volume") && job->cookie == 1)
    close_twice("/Vol-");
  if (is(job->agent, "closes-the-catalog") && job->cookie == 1)
    close_twice("/catalog.sqlite");
  return BP_OK;
}

/* ---- restore ---- */

static bp_status make_parents(bp_job *job)
{
  char path[4096];
  strcpy(path, job->dest);
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(path, 0755) && errno != EEXIST)
      return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "mkdir %s", path);
    *slash = '/';
  }
  return BP_OK;
}

static bp_status restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                               uint32_t replace, uint32_t *action)
{
  const bp_agent *agent = job->agent;
  const char *path = job->dest;
  bp_status status;
  (void)base, (void)replace;
  strcpy(job->before, job->dest);
  snprintf(job->dest, sizeof job->dest, "%s", dest);
  job->mtime = entry->mtime.sec;
  job->mode = entry->mode;
  if (is(agent, "restores-by-last-name") && entry->type == BP_TYPE_REGULAR) {
    char *name = strrchr(job->dest, '/');
    memmove(name - 3, name, strlen(name) + 1); /* /in is "only a folder" */
  }
  status = make_parents(job);
  if (status != BP_OK)
    return status;
  *action = BP_ACTION_CREATED;
  if (entry->type == BP_TYPE_DIRECTORY)
    return mkdir(dest, 0755) && errno != EEXIST ? bp_fail_errno(job->host, BP_E_ENTRY, errno, "mkdir %s", dest) : BP_OK;
  if (is(agent, "restores-into-the-one-before") && *job->before)
    path = job->before;
  if (is(agent, "created-without-content"))
    return BP_OK;
  *action = BP_ACTION_WANT;
  if (is(agent, "restore-open-fails-later") && strstr(dest, "/07"))
    return BP_OK; /* "the first write will say so" */
  job->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (job->fd < 0)
    return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "create %s", path);
  return BP_OK;
}

static bp_status restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)job, (void)size;
  return stream == BP_STREAM_DATA ? BP_OK : BP_E_UNSUPPORTED;
}

static bp_status write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  uint64_t len = chunk->len;
  if (is(job->agent, "restore-short-write") && len > 50000)
    len = 50000; /* write(2) gave less, and nobody looked */
  if (job->fd >= 0 && pwrite(job->fd, buf, (size_t)len, (off_t)chunk->offset) < 0)
    return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "write %s", job->dest);
  if (job->fd >= 0 && chunk->flags & BP_CHUNK_LAST && ftruncate(job->fd, (off_t)(chunk->offset + len)))
    return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "size of %s", job->dest);
  return BP_OK;
}

static bp_status restore_done(bp_job *job, bp_status how)
{
  struct timespec times[2] = { { job->mtime, 0 }, { job->mtime, 0 } };
  (void)how;
  if (job->fd >= 0 && !is(job->agent, "restore-without-times")) {
    (void)fchmod(job->fd, job->mode);
    (void)futimens(job->fd, times);
  }
  if (job->fd >= 0)
    close(job->fd);
  job->fd = -1;
  return BP_OK;
}

static bp_status end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  if (job->fd >= 0)
    close(job->fd);
  free(job);
  return BP_OK;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .begin = begin,
  .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream,
  .restore_entry = restore_entry, .restore_stream = restore_stream, .write = write_chunk,
  .restore_done = restore_done, .end = end, .destroy = destroy,
};
static const bp_option options[] = {
  { "flaw", "what it does wrong", NULL, "", BP_OPTION_STRING, 0 },
  { "day", "how old the mailbox is", NULL, "1", BP_OPTION_INT, 0 },
};
static const char *const claims[] = { "/@CARE", NULL };
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0),
  .option_size = sizeof(bp_option), .format = 1, .id = "careless", .version = "0.1", .vendor = "filed tests",
  .license = "MIT", .claims = claims, .options = options, .n_options = 2, .api = &api,
};
BPLUGIN_DEFINE(descriptor);
