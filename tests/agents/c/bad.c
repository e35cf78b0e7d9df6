/* SPDX-License-Identifier: MIT */
/*
 * bad: an agent with one sin at a time, chosen by the option `sin` (or -DSIN='"..."' where no option is early enough).
 * Without a sin it is well-behaved: three entries, two of them with a stream. README.md says what each should end in.
 *
 * Two kinds of names. `<verb>-<function>` sins on entry to that function of the table: crash-read, return-begin:-40.
 * The rest are plain: page-name-dotdot, read-zero, state-huge.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bplugin_sdk.h"

#ifndef SIN
# define SIN ""
#endif

static const char *const verbs[] = {
  "crash", "abort", "exit", "quickexit", "kill", "hang", "deaf", "beat", "leak", "return", "calls", NULL
};
static const char *const functions[] = {
  "create", "option", "ready", "extension", "begin", "next_entries", "fetch", "open_stream", "read", "close_stream",
  "restore_entry", "restore_stream", "write", "restore_done", "commit", "cancel", "end", "confirmed", "destroy", NULL
};
static const char *const plain[] = {
  "none",
  /* what a process shares with its agents */
  "descriptors-close", "descriptors-leak", "signals", "cwd", "umask", "stdout", "stdin", "fork", "fork-return",
  /* own threads */
  "thread-message", "thread-match", "thread-put_state", "thread-after-end", "thread-crash",
  /* out-parameters */
  "create-null", "begin-null", "extension-untouched", "action-none", "action-unknown", "open-size-lie",
  /* pages: the frame */
  "page-count-over", "page-count-huge", "page-heap-outside", "page-heap-overlap", "page-moved", "page-cap",
  "page-stride", "page-flags", "page-empty-forever", "page-endless", "page-complete-early", "page-complete-false",
  "page-overrun", "page-full-returned", "page-gap-complete", "page-gap-early",
  /* says one thing and does another */
  "contradict-cut-open", "contradict-cut-inline", "contradict-no-data", "contradict-links", "contradict-twice",
  "contradict-twice-later", "contradict-skip",
  /* pages: an entry */
  "page-name-outside", "page-name-huge", "page-name-wrap", "page-name-in-records", "page-name-below-heap",
  "page-name-shared", "page-name-empty", "page-name-nul", "page-name-dot", "page-name-dotdot", "page-name-escape",
  "page-name-relative", "page-name-double-slash", "page-name-trailing-slash", "page-name-control",
  "page-link-outside", "page-link-missing", "page-old-name-outside", "page-old-name-missing",
  "page-inline-outside", "page-inline-in-records", "page-tlv-outside", "page-tlv-long", "page-tlv-cut",
  "page-tlv-stream", "page-tlv-acl", "page-tlv-xattr", "page-type", "page-entry-flags", "page-change",
  "page-streams", "page-valid", "page-nsec",
  "page-deleted-data", "page-cookie-twice", "page-failed", "page-size-lie",
  /* fetch */
  "fetch-none", "fetch-more", "fetch-order", "fetch-unknown-cookie", "fetch-other-name", "fetch-twice",
  /* streams */
  "read-zero", "read-over-cap", "read-descending", "read-overlap", "read-flags", "read-wrap", "read-end",
  "read-endless", "read-overrun", "read-changed", "read-error",
  /* state and messages */
  "state-huge", "state-lie", "state-null", "state-late", "state-incompressible", "watermark-zero", "watermark-falls", "message-huge", "message-null", "message-flood",
  "message-not-utf8", "message-control", "message-severity", "fail-ok", "fail-positive", "match-null", "match-relative",
  "secret-null",
  /* parallel streams */
  "streams-no-read", "streams-no-handle", "streams-over-cap", "streams-crash",
  /* phases */
  "phases-no-release", "phases-crash", "hold-huge", "hold-late",
  /* plans */
  "plan-crash", NULL
};

struct bp_agent {
  const bp_host_api *host;
  const bp_host_api *job_host;   /* kept after `end` on purpose: thread-after-end */
  char sin[64];
  uint32_t leak_mib;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  uint32_t kind, pages, reads, listed;
  uint64_t cookie;
};

/* ---- choosing -------------------------------------------------------------------------------------------------- */

static int is(const bp_agent *agent, const char *sin)
{
  return !strcmp(agent->sin, sin);
}

static int known(const char *sin)
{
  char name[128];
  for (int i = 0; plain[i]; i++)
    if (!strcmp(sin, plain[i]))
      return 1;
  for (int v = 0; verbs[v]; v++)
    for (int f = 0; functions[f]; f++) {
      size_t n = (size_t)snprintf(name, sizeof name, "%s-%s", verbs[v], functions[f]);
      if (!strncmp(sin, name, n) && (!sin[n] || sin[n] == ':'))
        return 1;
    }
  return 0;
}

#ifdef LIST_SINS
int main(void)
{
  for (int i = 0; plain[i]; i++)
    puts(plain[i]);
  for (int i = 0; verbs[i]; i++)
    printf("%s-*\n", verbs[i]);
  return known("none") ? 0 : 1;
}
#endif

/* ---- the verbs ------------------------------------------------------------------------------------------------- */

static void nap(void)
{
  struct timespec time = { 0, 10 * 1000 * 1000 };
  nanosleep(&time, NULL);
}

/* Touches memory until malloc says no or `mib` are held: a test sets the limit of the process below it. */
static bp_status leak(const bp_host_api *host, uint32_t mib)
{
  for (uint32_t i = 0; i < mib; i++) {
    char *block = malloc(1u << 20);
    if (!block)
      return bp_failf(host, BP_E_NOMEM, BP_OS_NONE, 0, "no memory after %u MiB", (unsigned)i);
    memset(block, 1, 1u << 20);
    bp_beat(host);
  }
  return BP_OK;
}

/* Calls each callback that has a place, wherever we are, and tells what came back. */
static void call_everything(const bp_host_api *host, const char *where)
{
  bp_entry entry;
  uint32_t verdict = 0, len = 0;
  const void *table = &entry;
  char secret[16];
  bp_status s;
  memset(&entry, 0, sizeof entry);
  entry.type = BP_TYPE_DIRECTORY;
  s = host->match(host->ctx, "/@BAD", 5, &entry, &verdict);
  bp_logf(host, BP_MSG_INFO, "match in %s: status %d verdict %u", where, (int)s, (unsigned)verdict);
  s = host->put_state(host->ctx, "x", 1, 1);
  bp_logf(host, BP_MSG_INFO, "put_state in %s: status %d", where, (int)s);
  s = host->secret(host->ctx, "password", secret, sizeof secret, &len);
  bp_logf(host, BP_MSG_INFO, "secret in %s: status %d", where, (int)s);
  s = host->defer(host->ctx, 1);
  bp_logf(host, BP_MSG_INFO, "defer in %s: status %d", where, (int)s);
  s = host->extension(host->ctx, "bp.nothing/1", &table);
  bp_logf(host, BP_MSG_INFO, "extension in %s: status %d table %s", where, (int)s, table ? "left" : "NULL");
}

/* Does the verb of `<verb>-<function>`; true when the function shall return *status at once. */
static int sins_at(const bp_agent *agent, const bp_host_api *host, const char *function, bp_status *status)
{
  const char *dash = strchr(agent->sin, '-');
  size_t verb, n = strlen(function);
  if (!dash || strncmp(dash + 1, function, n) || (dash[1 + n] && dash[1 + n] != ':'))
    return 0;
  verb = (size_t)(dash - agent->sin);
#define VERB(text) (verb == sizeof(text) - 1 && !strncmp(agent->sin, text, verb))
  if (VERB("crash"))
    *(volatile int *)8 = 1;
  if (VERB("abort"))
    abort();
  if (VERB("exit"))
    exit(3);
  if (VERB("quickexit"))
    _exit(4);
  if (VERB("kill"))
    raise(SIGKILL);
  if (VERB("deaf"))
    for (;;)
      nap();
  if (VERB("hang") || VERB("beat")) {
    while (!bp_cancelled(host)) {
      if (VERB("beat"))
        bp_beat(host);
      nap();
    }
    *status = BP_E_CANCELLED;
    return 1;
  }
  if (VERB("leak")) {
    *status = leak(host, agent->leak_mib);
    return *status != BP_OK;
  }
  if (VERB("return")) {
    *status = dash[1 + n] ? (bp_status)strtol(dash + 2 + n, NULL, 10) : 77;
    if (*status < 0)
      bp_failf(host, *status, BP_OS_NONE, 0, "%s was asked to return %d", function, (int)*status);
    return 1;
  }
  if (VERB("calls"))
    call_everything(host, function);
#undef VERB
  return 0;
}

#define AT(agent, host, function)                              \
  do {                                                         \
    bp_status status_;                                         \
    if (sins_at(agent, host, function, &status_))              \
      return status_;                                          \
  } while (0)

/* ---- what belongs to the process ------------------------------------------------------------------------------- */

static void on_signal(int number)
{
  (void)number;
}

static void spoil_process(const bp_agent *agent, const bp_host_api *host)
{
  if (is(agent, "descriptors-close"))
    for (int fd = 3; fd < 1024; fd++)
      close(fd);
  if (is(agent, "descriptors-leak"))
    while (open("/dev/null", O_RDONLY) >= 0)
      bp_beat(host);
  if (is(agent, "signals"))
    for (int number = 1; number < 32; number++)
      signal(number, number % 2 ? SIG_IGN : on_signal);
  if (is(agent, "cwd") && chdir("/"))
    bp_logf(host, BP_MSG_ERROR, "chdir failed");
  if (is(agent, "umask"))
    umask(0);
  if (is(agent, "stdout")) {
    printf("an agent's words on stdout\n");
    fflush(stdout);
    fprintf(stderr, "an agent's words on stderr\n");
    if (write(1, "{\"outcome\": 0}\n", 15) < 0)
      bp_logf(host, BP_MSG_DEBUG, "stdout is closed");
  }
  if (is(agent, "stdin")) {
    char byte;
    bp_logf(host, BP_MSG_INFO, "stdin: %d", (int)read(0, &byte, 1));
  }
  if (is(agent, "fork") && fork() == 0) {
    sleep(200); /* holds every inherited descriptor open: the end of a pipe will not be seen */
    _exit(0);
  }
  if (is(agent, "fork-return"))
    bp_logf(host, BP_MSG_DEBUG, "fork: %d", fork() != 0);
}

static void *other_thread(void *argument)
{
  bp_agent *agent = argument;
  const bp_host_api *host = agent->job_host;
  bp_entry entry;
  uint32_t verdict = 0;
  bp_status status = BP_OK;
  memset(&entry, 0, sizeof entry);
  entry.type = BP_TYPE_DIRECTORY;
  if (is(agent, "thread-message"))
    for (int i = 0; i < 100; i++)
      bp_logf(host, BP_MSG_DEBUG, "message %d of another thread", i);
  if (is(agent, "thread-crash"))
    *(volatile int *)8 = 1;
  if (is(agent, "thread-match"))
    status = host->match(host->ctx, "/@BAD", 5, &entry, &verdict);
  if (is(agent, "thread-put_state"))
    status = host->put_state(host->ctx, "x", 1, 1);
  bp_logf(host, BP_MSG_INFO, "%s: status %d verdict %u", agent->sin, (int)status, (unsigned)verdict);
  return NULL;
}

static void use_thread(bp_agent *agent)
{
  pthread_t thread;
  if (!pthread_create(&thread, NULL, other_thread, agent))
    pthread_join(thread, NULL);
}

/* ---- the instance ---------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = calloc(1, sizeof *agent);
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->leak_mib = 1024;
  snprintf(agent->sin, sizeof agent->sin, "%s", SIN);
  *out = is(agent, "create-null") ? NULL : agent;
  AT(agent, host, "create");
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "leak_mib"))
    agent->leak_mib = (uint32_t)strtoul(value, NULL, 10);
  else if (strcmp(key, "sin"))
    return BP_E_INVAL;
  else if (!known(value) || strlen(value) >= sizeof agent->sin)
    return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "no such sin: %s", value);
  else
    snprintf(agent->sin, sizeof agent->sin, "%s", value);
  AT(agent, agent->host, "option");
  return BP_OK;
}

static bp_status BPLUGIN_CALL ready(bp_agent *agent)
{
  AT(agent, agent->host, "ready");
  return BP_OK;
}

/* ---- parallel streams: two of them, of 100 000 bytes; the handle is the Job ------------------------------------- */

static bp_status BPLUGIN_CALL streams_open(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t *size,
                                           bp_stream **out, bp_error *error)
{
  (void)cookie, (void)stream, (void)error;
  *size = 100000;
  *out = is(job->agent, "streams-no-handle") ? NULL : (bp_stream *)job;
  return BP_OK;
}

static bp_status BPLUGIN_CALL streams_read(bp_stream *stream, void *buf, uint64_t cap, bp_chunk *chunk, bp_error *error)
{
  const bp_agent *agent = ((bp_job *)stream)->agent;
  (void)error;
  if (is(agent, "streams-crash"))
    *(volatile int *)8 = 1;
  memset(buf, 7, 100000);
  return bp_chunk_set(chunk, 0, is(agent, "streams-over-cap") ? cap + 1 : 100000, 1);
}

static bp_status BPLUGIN_CALL streams_close(bp_stream *stream, bp_status how, bp_error *error)
{
  (void)stream, (void)how, (void)error;
  return BP_OK;
}

static const bp_streams streams = { sizeof(bp_streams), 2, streams_open, streams_read, streams_close };
static const bp_streams no_read = { sizeof(bp_streams), 2, streams_open, NULL, streams_close };

/* ---- phases ----------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL prepare(bp_agent *agent)
{
  static char token[BP_MAX_HOLD + 1];
  return bp_hold(agent->host, token, is(agent, "hold-huge") ? sizeof token : 1);
}

static bp_status BPLUGIN_CALL release(bp_agent *agent, uint32_t when, const void *token, uint32_t len)
{
  (void)when, (void)token, (void)len;
  if (is(agent, "phases-crash"))
    *(volatile int *)8 = 1;
  return bp_hold(agent->host, NULL, 0);
}

static const bp_phases phases = { sizeof(bp_phases), 0, prepare, release };
static const bp_phases no_release = { sizeof(bp_phases), 0, prepare, NULL };

static bp_status BPLUGIN_CALL plan(bp_job *job)
{
  if (is(job->agent, "plan-crash"))
    *(volatile int *)8 = 1;
  return BP_OK;
}

static const bp_plan restore_plan = { sizeof(bp_plan), 0, plan };

static bp_status BPLUGIN_CALL extension(bp_agent *agent, const char *id, const void **out)
{
  if (is(agent, "plan-crash"))
    return bp_offer(id, BP_PLAN_1, &restore_plan, out);
  if (!strncmp(agent->sin, "phases-", 7) || is(agent, "hold-huge"))
    return bp_offer(id, BP_PHASES_1, is(agent, "phases-no-release") ? &no_release : &phases, out);
  if (!strncmp(agent->sin, "streams-", 8)) /* by -DSIN: no option has come yet */
    return bp_offer(id, BP_STREAMS_1, is(agent, "streams-no-read") ? &no_read : &streams, out);
  AT(agent, agent->host, "extension");
  if (is(agent, "extension-untouched"))
    return BP_OK;
  *out = NULL;
  return BP_E_UNSUPPORTED;
}

static bp_status BPLUGIN_CALL confirmed(bp_agent *agent, const char *name, const void *state, uint64_t len,
                                        uint32_t format)
{
  (void)name, (void)state, (void)len, (void)format;
  AT(agent, agent->host, "confirmed");
  return BP_OK;
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  bp_status status;
  if (is(agent, "thread-after-end") && agent->job_host)
    use_thread(agent);
  (void)sins_at(agent, agent->host, "destroy", &status);
  free(agent);
}

/* ---- a Job ----------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job;
  AT(agent, host, "begin");
  job = calloc(1, sizeof *job);
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  job->host = agent->job_host = host;
  job->kind = why->kind;
  *out = is(agent, "begin-null") ? NULL : job;
  spoil_process(agent, host);
  return BP_OK;
}

static void regular(bp_entry *entry, uint64_t cookie)
{
  memset(entry, 0, sizeof *entry);
  entry->type = BP_TYPE_REGULAR;
  entry->cookie = cookie;
  entry->valid = BP_HAS_MODE | BP_HAS_SIZE | BP_HAS_MTIME | BP_HAS_NLINK;
  entry->mode = 0644;
  entry->nlink = 1;
  entry->size = 100000;
  entry->mtime.sec = 1700000000;
  entry->streams = BP_STREAM_BIT(BP_STREAM_DATA);
}

static void add(bp_page *page, const bp_entry *entry, const char *name)
{
  (void)bp_page_add(page, entry, name, (uint32_t)strlen(name), NULL, 0);
}

/* The newest record, to be bent by hand. */
static bp_entry *newest(const bp_page *page)
{
  return (bp_entry *)(void *)(page->base + (uint64_t)(page->batch->count - 1) * page->batch->stride);
}

/* A name that the SDK would refuse, put into the newest record. */
static void rename_newest(bp_page *page, const char *name, uint32_t len)
{
  bp_entry *entry = newest(page);
  entry->name_off = bp_page_take(page, len, 1);
  entry->name_len = len;
  memcpy(page->base + entry->name_off, name, len);
}

static void spoil_name(const bp_agent *agent, bp_page *page, bp_entry *entry)
{
  uint32_t cap = (uint32_t)page->batch->cap;
#define NAME(text) rename_newest(page, text, sizeof(text) - 1)
  if (is(agent, "page-name-outside"))
    entry->name_off = cap - 2;
  else if (is(agent, "page-name-huge"))
    entry->name_len = UINT32_MAX;
  else if (is(agent, "page-name-wrap"))
    entry->name_off = UINT32_MAX - 3;
  else if (is(agent, "page-name-in-records"))
    entry->name_off = 8;
  else if (is(agent, "page-name-below-heap"))
    entry->name_off -= 64;
  else if (is(agent, "page-name-empty"))
    entry->name_len = 0;
  else if (is(agent, "page-name-nul"))
    NAME("/@BAD/o\0ne");
  else if (is(agent, "page-name-dot"))
    NAME("/@BAD/./one");
  else if (is(agent, "page-name-dotdot"))
    NAME("/@BAD/../one");
  else if (is(agent, "page-name-escape"))
    NAME("/../../../../etc/passwd");
  else if (is(agent, "page-name-relative"))
    NAME("@BAD/one");
  else if (is(agent, "page-name-double-slash"))
    NAME("/@BAD//one");
  else if (is(agent, "page-name-trailing-slash"))
    NAME("/@BAD/one/");
  else if (is(agent, "page-name-control"))
    NAME("/@BAD/one\nJobId 1: forged\033[2J\xff");
#undef NAME
}

static void spoil_parts(const bp_agent *agent, bp_page *page, bp_entry *entry)
{
  uint32_t cap = (uint32_t)page->batch->cap, cut[2] = { BP_STREAM_ACL_ACCESS, 1000 };
  if (is(agent, "page-link-outside")) {
    entry->type = BP_TYPE_SYMLINK;
    entry->link_off = cap;
    entry->link_len = 10;
  } else if (is(agent, "page-link-missing")) {
    entry->type = BP_TYPE_SYMLINK;
  } else if (is(agent, "page-old-name-outside")) {
    entry->change = BP_CHANGE_RENAMED;
    entry->old_name_off = cap - 1;
    entry->old_name_len = 2;
  } else if (is(agent, "page-old-name-missing")) {
    entry->change = BP_CHANGE_RENAMED;
  } else if (is(agent, "page-inline-outside")) {
    entry->inline_off = cap - 8;
    entry->inline_len = 9;
  } else if (is(agent, "page-inline-in-records")) {
    entry->inline_off = 16;
    entry->inline_len = 100;
  } else if (is(agent, "page-tlv-outside")) {
    entry->tlv_off = cap - 8;
    entry->tlv_len = 16;
  } else if (is(agent, "page-tlv-cut")) {
    (void)bp_page_tlv(page, BP_STREAM_ACL_ACCESS, "user::rw-", 9);
    entry->tlv_len = 4;
  } else if (is(agent, "page-tlv-long")) {
    (void)bp_page_tlv(page, BP_STREAM_ACL_ACCESS, "user::rw-", 9);
    memcpy(page->base + entry->tlv_off, cut, sizeof cut);
  } else if (is(agent, "page-tlv-stream")) {
    (void)bp_page_tlv(page, 4000, "?", 1);
  } else if (is(agent, "page-tlv-acl")) {
    (void)bp_page_tlv(page, BP_STREAM_ACL_ACCESS, "rwx for all", 11);
  } else if (is(agent, "page-tlv-xattr")) {
    (void)bp_page_tlv(page, BP_STREAM_XATTR, "\377\377\377\377name", 8); /* a name of 4 GiB */
  } else if (is(agent, "page-type")) {
    entry->type = 99;
  } else if (is(agent, "page-entry-flags")) {
    entry->flags = 1u << 31;
  } else if (is(agent, "page-change")) {
    entry->change = 99;
  } else if (is(agent, "page-streams")) {
    entry->streams |= 1ull << 63;
  } else if (is(agent, "page-valid")) {
    entry->valid |= 1ull << 63;
  } else if (is(agent, "page-nsec")) {
    entry->mtime.nsec = 1000000000u;
  } else if (is(agent, "page-deleted-data")) {
    entry->change = BP_CHANGE_DELETED;
    (void)bp_page_inline(page, "data", 4);
  } else if (is(agent, "page-failed")) {
    entry->flags |= BP_ENTRY_FAILED;
    entry->streams = 0;
    bp_logf(agent->host, BP_MSG_WARNING, "/@BAD/one cannot be read");
  } else if (is(agent, "page-size-lie")) {
    entry->size = 7;
  }
}

static bp_status spoil_frame(const bp_agent *agent, bp_batch *batch, bp_status status)
{
  static char elsewhere[1 << 16];
  if (is(agent, "page-count-over"))
    batch->count = batch->max_entries + 1;
  if (is(agent, "page-count-huge"))
    batch->count = UINT32_MAX;
  if (is(agent, "page-heap-outside"))
    batch->heap_low = batch->cap + 4096;
  if (is(agent, "page-heap-overlap"))
    batch->heap_low = batch->stride;
  if (is(agent, "page-moved"))
    batch->buf = elsewhere;
  if (is(agent, "page-cap"))
    batch->cap *= 1024;
  if (is(agent, "page-stride"))
    batch->stride = 8;
  if (is(agent, "page-flags"))
    batch->flags |= 1u << 31;
  if (is(agent, "page-complete-early")) {
    batch->flags |= BP_BATCH_COMPLETE;
    return BP_OK;
  }
  if (is(agent, "page-gap-complete"))
    batch->flags |= BP_BATCH_GAP;
  if (is(agent, "page-gap-early")) {
    batch->flags = BP_BATCH_GAP;
    return BP_OK;
  }
  if (is(agent, "page-overrun"))
    memset((char *)batch->buf + batch->cap, 0x55, 1 << 20);
  return status;
}

static void send_messages(const bp_agent *agent, const bp_host_api *host)
{
  bp_entry entry;
  uint32_t verdict = 0, len = 0;
  memset(&entry, 0, sizeof entry);
  if (is(agent, "message-huge"))
    (void)host->message(host->ctx, BP_MSG_INFO, "short", UINT32_MAX);
  if (is(agent, "message-null"))
    (void)host->message(host->ctx, BP_MSG_INFO, NULL, 10);
  if (is(agent, "message-flood"))
    for (int i = 0; i < 100000 && !bp_cancelled(host); i++)
      bp_logf(host, BP_MSG_WARNING, "flood %d", i);
  if (is(agent, "message-not-utf8"))
    (void)host->message(host->ctx, BP_MSG_WARNING, "bytes \xff\xfe\x80", 9);
  if (is(agent, "message-control"))
    bp_logf(host, BP_MSG_WARNING, "line\nJobId 1: forged\033[2J");
  if (is(agent, "message-severity"))
    (void)host->message(host->ctx, 99, "severe", 6);
  if (is(agent, "fail-ok"))
    (void)bp_fail(host, BP_E_IO, BP_OS_ERRNO, 5, "the index cannot be read");
  if (is(agent, "fail-positive"))
    (void)host->fail(host->ctx, 5, 99, -1, NULL, 5);
  if (is(agent, "match-null"))
    bp_logf(host, BP_MSG_INFO, "match: %d %d %d", (int)host->match(host->ctx, NULL, 5, &entry, &verdict),
            (int)host->match(host->ctx, "/@BAD", 5, NULL, &verdict),
            (int)host->match(host->ctx, "/@BAD", 5, &entry, NULL));
  if (is(agent, "match-relative"))
    bp_logf(host, BP_MSG_INFO, "match: %d verdict %u",
            (int)host->match(host->ctx, "../BAD", 6, &entry, &verdict), (unsigned)verdict);
  if (is(agent, "hold-late"))
    bp_logf(host, BP_MSG_INFO, "hold: %d", (int)bp_hold(host, "x", 1));
  if (is(agent, "secret-null"))
    bp_logf(host, BP_MSG_INFO, "secret: %d %d", (int)host->secret(host->ctx, NULL, NULL, 0, &len),
            (int)host->secret(host->ctx, "password", NULL, 16, NULL));
}

static bp_status put_states(const bp_agent *agent, const bp_host_api *host)
{
  static char small[16];
  bp_status status = BP_OK;
  if (is(agent, "state-huge")) {
    char *blob = calloc(1, 1u << 30);
    status = bp_put_state(host, blob, 1u << 30, 1);
    free(blob);
  } else if (is(agent, "state-lie")) {
    status = bp_put_state(host, small, 1ull << 40, 1);
  } else if (is(agent, "state-null")) {
    status = bp_put_state(host, NULL, 16, 1);
  } else if (is(agent, "state-incompressible")) {
    uint32_t *blob = malloc(4u << 20), seed = 1;
    for (uint32_t i = 0; blob && i < 1u << 20; i++)
      blob[i] = seed = seed * 1664525u + 1013904223u;
    status = blob ? bp_put_state(host, blob, 4u << 20, 1) : BP_E_NOMEM;
    free(blob);
  } else if (is(agent, "watermark-zero")) {
    status = bp_watermark(host, 0);
  } else if (is(agent, "watermark-falls")) {
    (void)bp_watermark(host, 7);
    (void)bp_watermark(host, 3);
  }
  if (status != BP_OK)
    bp_logf(host, BP_MSG_INFO, "put_state: %d", (int)status);
  return status;
}

/* The entry of this number: two files, then the directory they are in. */
static void list_one(const bp_agent *agent, bp_page *page, uint32_t number)
{
  bp_entry entry;
  regular(&entry, number == 1 && is(agent, "page-cookie-twice") ? 1 : number + 1);
  if (is(agent, "contradict-links") && number < 2) {
    entry.valid |= BP_HAS_INO;
    entry.ino = entry.dev = 7;
    entry.nlink = 2;
    entry.mtime.sec += number;
  }
  if (is(agent, "contradict-no-data") && number == 0)
    entry.streams = 0;
  if (number == 0) {
    add(page, &entry, "/@BAD/one");
    if (is(agent, "contradict-cut-inline"))
      (void)bp_page_inline(page, "data", 4);
    if (!strncmp(agent->sin, "page-name-", 10))
      spoil_name(agent, page, newest(page));
    else
      spoil_parts(agent, page, newest(page));
  } else if (number == 1) {
    add(page, &entry, is(agent, "contradict-twice") ? "/@BAD/one" : "/@BAD/two");
    if (is(agent, "page-name-shared") && page->batch->count > 1)
      newest(page)->name_off = ((bp_entry *)page->batch->buf)->name_off;
  } else {
    entry.type = BP_TYPE_DIRECTORY;
    entry.flags = BP_ENTRY_TOP;
    entry.mode = 0755;
    entry.streams = 0;
    add(page, &entry, "/@BAD");
  }
}

static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  bp_agent *agent = job->agent;
  char name[64];
  bp_entry entry;
  bp_page page;
  bp_status status;
  AT(agent, job->host, "next_entries");
  status = bp_page_init(&page, batch);
  if (status != BP_OK)
    return status;
  if (is(agent, "page-empty-forever"))
    return BP_OK;
  if (is(agent, "page-complete-false"))
    return bp_page_end(&page, 1);
  send_messages(agent, job->host);
  status = put_states(agent, job->host);
  if (status != BP_OK)
    return status;
  if (!strncmp(agent->sin, "thread-", 7) && !is(agent, "thread-after-end"))
    use_thread(agent);
  if (is(agent, "page-endless")) {
    if (bp_cancelled(job->host))
      return BP_E_CANCELLED;
    regular(&entry, ++job->pages);
    snprintf(name, sizeof name, "/@BAD/%u", (unsigned)job->pages);
    add(&page, &entry, name);
    return BP_OK;
  }
  for (; job->listed < 3 && page.batch->count < batch->max_entries; job->listed++)
    list_one(agent, &page, job->listed);
  if (is(agent, "page-full-returned"))
    return BP_PAGE_FULL;
  if (is(agent, "contradict-twice-later")) {
    if (job->pages++ == 0)
      return BP_OK;
    regular(&entry, 1);
    add(&page, &entry, "/@BAD/one");
  }
  return spoil_frame(agent, batch, job->listed < 3 ? BP_OK : bp_page_end(&page, 1));
}

/* Only the fetch-* sins have a fetch worth calling: the rest answer "unknown size, open it". */
static bp_status BPLUGIN_CALL fetch(bp_job *job, const bp_want *wants, uint32_t count, bp_batch *batch)
{
  bp_agent *agent = job->agent;
  bp_entry entry;
  bp_page page;
  bp_status status;
  AT(agent, job->host, "fetch");
  status = bp_page_init(&page, batch);
  if (status != BP_OK || is(agent, "fetch-none"))
    return status;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t k = is(agent, "fetch-order") ? count - 1 - i : i;
    regular(&entry, wants[k].cookie);
    if (wants[k].cookie == 3) {
      entry.type = BP_TYPE_DIRECTORY;
      entry.mode = 0755;
      entry.streams = 0;
    }
    if (is(agent, "fetch-unknown-cookie"))
      entry.cookie = 4711;
    add(&page, &entry,
        is(agent, "fetch-other-name") ? "/etc/passwd"
        : wants[k].cookie == 1        ? "/@BAD/one"
        : wants[k].cookie == 2        ? "/@BAD/two"
                                      : "/@BAD");
    if (is(agent, "fetch-twice"))
      add(&page, &entry, "/@BAD/one");
  }
  if (is(agent, "fetch-more")) {
    regular(&entry, 99);
    add(&page, &entry, "/@BAD/more");
  }
  return BP_OK;
}

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset,
                                          uint64_t *size)
{
  AT(job->agent, job->host, "open_stream");
  (void)stream, (void)offset;
  job->cookie = cookie;
  job->reads = 0;
  *size = is(job->agent, "open-size-lie") ? 10 : is(job->agent, "contradict-cut-open") ? 200000 : 100000;
  return BP_OK;
}

/* 100 000 bytes in two chunks: 50 000 each. */
static bp_status BPLUGIN_CALL read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  const bp_agent *agent = job->agent;
  uint32_t n = job->reads++;
  AT(agent, job->host, "read");
  memset(buf, (int)job->cookie, 50000);
  if (is(agent, "read-zero"))
    return bp_chunk_set(chunk, 0, 0, 0);
  if (is(agent, "read-over-cap"))
    return bp_chunk_set(chunk, 0, cap + 1, 1);
  if (is(agent, "read-overrun"))
    memset((char *)buf + cap, 0x55, 1 << 20);
  if (is(agent, "read-end"))
    return BP_END;
  if (is(agent, "read-endless"))
    return bp_cancelled(job->host) ? BP_E_CANCELLED : bp_chunk_set(chunk, n * 50000ull, 50000, 0);
  if (is(agent, "read-wrap"))
    return bp_chunk_set(chunk, UINT64_MAX - 10, 50000, 1);
  if (n == 1) {
    if (is(agent, "read-error"))
      return bp_fail_errno(job->host, BP_E_IO, EIO, "the disk ends here");
    if (is(agent, "read-descending"))
      return bp_chunk_set(chunk, 0, 50000, 1);
    if (is(agent, "read-overlap"))
      return bp_chunk_set(chunk, 49999, 50000, 1);
  }
  (void)bp_chunk_set(chunk, n * 50000ull, 50000, n == 1);
  if (is(agent, "read-flags"))
    chunk->flags |= 1u << 31;
  return BP_OK;
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  (void)how;
  AT(job->agent, job->host, "close_stream");
  return is(job->agent, "read-changed") ? BP_E_CHANGED : BP_OK;
}

/* ---- restore: everything goes nowhere -------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                            uint32_t replace, uint32_t *action)
{
  AT(job->agent, job->host, "restore_entry");
  (void)base, (void)dest, (void)replace;
  if (is(job->agent, "action-none"))
    return BP_OK;
  *action = is(job->agent, "action-unknown")         ? 99
            : is(job->agent, "contradict-skip") ? BP_ACTION_SKIP
            : entry->type == BP_TYPE_REGULAR ? BP_ACTION_WANT
                                             : BP_ACTION_CREATED;
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  AT(job->agent, job->host, "restore_stream");
  (void)stream, (void)size;
  return BP_OK;
}

static bp_status BPLUGIN_CALL write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  AT(job->agent, job->host, "write");
  (void)buf, (void)chunk;
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_done(bp_job *job, bp_status how)
{
  AT(job->agent, job->host, "restore_done");
  (void)how;
  return BP_OK;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL commit(bp_job *job)
{
  AT(job->agent, job->host, "commit");
  if (is(job->agent, "state-late"))
    bp_logf(job->host, BP_MSG_INFO, "put_state after END: %d", (int)bp_put_state(job->host, "late", 4, 1));
  return BP_OK;
}

static bp_status BPLUGIN_CALL cancel(bp_job *job)
{
  AT(job->agent, job->host, "cancel");
  return BP_OK;
}

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  bp_status status = BP_OK;
  (void)outcome;
  (void)sins_at(job->agent, job->host, "end", &status);
  free(job);
  return status;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .ready = ready, .extension = extension,
  .begin = begin, .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk,
#ifdef WITH_FETCH
  .fetch = fetch,
#endif
  .close_stream = close_stream, .restore_entry = restore_entry, .restore_stream = restore_stream,
  .write = write_chunk, .restore_done = restore_done, .commit = commit, .cancel = cancel, .end = end,
  .confirmed = confirmed, .destroy = destroy,
};

#ifndef WITH_FETCH
/* Keeps the function compiled, and its warnings, in the variant without it. */
static const void *const unused_fetch __attribute__((unused)) = (const void *)&fetch;
#endif

static const bp_option options[] = {
  { "sin", "what to do wrong; see README.md", NULL, "none", BP_OPTION_STRING, BP_OPTION_FROM_DIRECTOR },
  { "leak_mib", "how much leak-* takes at most", NULL, "1024", BP_OPTION_INT, 0 },
};
static const char *const claims[] = { "/@BAD", NULL };

static const bp_descriptor descriptor = {
  .magic = BP_MAGIC, .struct_size = sizeof(bp_descriptor), .header = BP_HEADER_VERSION,
  .min_version = BP_VERSION(1, 0), .max_version = BP_TARGET_VERSION, .option_size = sizeof(bp_option),
  .format = 1, .id = "bad", .version = "6.6", .vendor = "filed tests", .license = "MIT",
  .claims = claims, .options = options, .n_options = sizeof options / sizeof options[0], .api = &api,
};
BPLUGIN_DEFINE(descriptor);
