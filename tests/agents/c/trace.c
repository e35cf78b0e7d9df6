/* SPDX-License-Identifier: MIT */
/*
 * trace: an agent that writes down each call it gets, and lists what a plan tells it. For tests of the order of calls, of
 * journals, of states: what an agent does is data of the test. README.md has the plan's format.
 *
 * -DID, -DFORMAT, -DFEATURES, -DCLAIM and -DALIAS make other agents of the same source; -DCHATTER=n one that prints n
 * lines, -DFORGE one that writes to every socket it finds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bplugin_sdk.h"

#ifndef ID
# define ID "trace"
#endif
#ifndef FORMAT
# define FORMAT 2
#endif
#ifndef FEATURES
# define FEATURES 0
#endif
#ifndef CLAIM
# define CLAIM "/@TRACE"
#endif
#ifndef ALIAS
# define ALIAS NULL
#endif

enum { MAX_ITEMS = 512, MAX_FAILS = 8, TEXT = 512 };

typedef struct item {
  bp_entry entry;
  char *name, *extra, *content;  /* NULL: none */
} item;

struct bp_agent {
  const bp_host_api *host;
  char trace[TEXT], label[TEXT], die[TEXT], state[TEXT], base[TEXT];
  char fails[MAX_FAILS][64], blocks[MAX_FAILS][64];
  unsigned n_fails, n_blocks, page;
  int complete, streams, spawn, first_fetch;
  uint32_t answer;
  char *plan;
  item items[MAX_ITEMS];
  unsigned n_items;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  uint32_t kind;
  unsigned next;
  int late_refusal;
  const item *open;
  uint64_t position;
  uint32_t stream;
  pthread_mutex_t lock;
  pthread_cond_t woken;
  int canceled;
};

/* ---- telling --------------------------------------------------------------------------------------------------- */

/* One line, control characters as ?: what a call was given. Appended whole, so that instances do not mix. */
static void tell(const bp_agent *agent, const char *format, ...)
{
  char line[4096];
  int used = snprintf(line, sizeof line, "%s%s", agent->label, agent->label[0] ? " " : ""), fd;
  va_list args;
  if (!agent->trace[0])
    return;
  va_start(args, format);
  used += vsnprintf(line + used, sizeof line - (size_t)used - 2, format, args);
  va_end(args);
  if (used > (int)sizeof line - 2)
    used = (int)sizeof line - 2;
  for (int i = 0; i < used; i++)
    if ((unsigned char)line[i] < 32)
      line[i] = line[i] == '\n' ? '|' : '?';
  line[used++] = '\n';
  fd = open(agent->trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) {
    if (write(fd, line, (size_t)used) != used)
      abort();
    close(fd);
  }
}

/* ---- what an option asks of a call ----------------------------------------------------------------------------- */

static int blocks(const bp_agent *agent, const char *call)
{
  for (unsigned i = 0; i < agent->n_blocks; i++)
    if (!strcmp(agent->blocks[i], call))
      return 1;
  return 0;
}

static void wait_for_cancel(const bp_agent *agent, bp_job *job)
{
  struct timespec nap = { 0, 5 * 1000 * 1000 };
  if (!job) { /* begin: there is no Job yet that `cancel` could be called for */
    while (!bp_cancelled(agent->host))
      nanosleep(&nap, NULL);
    return;
  }
  pthread_mutex_lock(&job->lock); /* deaf to the word: only cancel() wakes it, as a read from a socket would be */
  while (!job->canceled)
    pthread_cond_wait(&job->woken, &job->lock);
  pthread_mutex_unlock(&job->lock);
}

/* The status that the test wants from this call; BP_OK to go on. */
static bp_status asked(const bp_agent *agent, const bp_host_api *host, bp_job *job, const char *call)
{
  size_t n = strlen(call);
  if (!strcmp(agent->die, call)) {
    printf("trace: these words wait in a buffer");
    fprintf(stderr, "trace: %s: Assertion `life' failed.\n", call);
    abort();
  }
  if (blocks(agent, call)) {
    tell(agent, "blocked in %s", call);
    wait_for_cancel(agent, job);
    return BP_E_CANCELLED;
  }
  for (unsigned i = 0; i < agent->n_fails; i++)
    if (!strncmp(agent->fails[i], call, n) && agent->fails[i][n] == ':') {
      bp_status status = (bp_status)strtol(agent->fails[i] + n + 1, NULL, 10);
      return bp_failf(host, status, BP_OS_NONE, 0, "%s fails by plan", call);
    }
  return BP_OK;
}

#define ASKED(agent, host, job, call)                         \
  do {                                                        \
    bp_status status_ = asked(agent, host, job, call);        \
    if (status_ != BP_OK)                                     \
      return status_;                                         \
  } while (0)

/* ---- the plan -------------------------------------------------------------------------------------------------- */

static uint32_t type_of(char letter)
{
  return letter == 'd'   ? BP_TYPE_DIRECTORY
         : letter == 'l' ? BP_TYPE_SYMLINK
         : letter == 'o' ? BP_TYPE_OBJECT
         : letter == '-' ? 0
                         : BP_TYPE_REGULAR;
}

/* kind TAB change TAB flags TAB times TAB name TAB extra TAB content: `-` where there is nothing. */
static int parse_line(item *it, char *line)
{
  char *field[7], *rest = line;
  memset(it, 0, sizeof *it);
  for (int i = 0; i < 7; i++)
    if (!(field[i] = strsep(&rest, "\t")))
      return 0;
  it->entry.type = type_of(field[0][0]);
  it->entry.change = field[1][0] == 'D' ? BP_CHANGE_DELETED : field[1][0] == 'R' ? BP_CHANGE_RENAMED : BP_CHANGE_NONE;
  it->entry.flags = (strchr(field[2], 'S') ? BP_ENTRY_SELECTED : 0) | (strchr(field[2], 'F') ? BP_ENTRY_FAILED : 0)
                    | (strchr(field[2], 'T') ? BP_ENTRY_TOP : 0);
  it->entry.valid = BP_HAS_MODE | BP_HAS_NLINK;
  it->entry.mode = 0640;
  it->entry.nlink = 1;
  if (field[3][0] != '-') {
    char *comma = strchr(field[3], ',');
    it->entry.valid |= BP_HAS_MTIME;
    it->entry.mtime.sec = strtoll(field[3], NULL, 10);
    if (comma) {
      it->entry.valid |= BP_HAS_CHTIME;
      it->entry.chtime.sec = strtoll(comma + 1, NULL, 10);
    }
  }
  it->name = field[4];
  it->extra = strcmp(field[5], "-") ? field[5] : NULL;
  it->content = strcmp(field[6], "-") ? field[6] : NULL;
  if (it->content) {
    it->entry.valid |= BP_HAS_SIZE;
    it->entry.size = strlen(it->content);
    it->entry.streams = BP_STREAM_BIT(it->entry.type == BP_TYPE_OBJECT ? BP_STREAM_OBJECT : BP_STREAM_DATA);
  }
  return 1;
}

static bp_status read_plan(bp_agent *agent, const char *path)
{
  FILE *file = fopen(path, "re");
  size_t room = 1 << 20, used;
  char *rest, *line;
  if (!file)
    return bp_fail_errno(agent->host, BP_E_INVAL, errno, "plan %s", path);
  agent->plan = calloc(1, room);
  used = agent->plan ? fread(agent->plan, 1, room - 1, file) : 0;
  fclose(file);
  rest = used ? agent->plan : NULL;
  while (rest && (line = strsep(&rest, "\n")))
    if (line[0]) {
      if (agent->n_items == MAX_ITEMS || !parse_line(&agent->items[agent->n_items], line))
        return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "plan: %s", line);
      agent->items[agent->n_items].entry.cookie = agent->n_items + 1;
      agent->n_items++;
    }
  return BP_OK;
}

/* ---- the instance ---------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = calloc(1, sizeof *agent);
  *out = agent;
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->complete = 1;
  agent->page = 100;
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
#define COPY(field)                                                                           \
  else if (!strcmp(key, #field)) snprintf(agent->field, sizeof agent->field, "%s", value)
  if (!strcmp(key, "plan"))
    return read_plan(agent, value);
  COPY(trace);
  COPY(label);
  COPY(die);
  COPY(state);
  COPY(base);
  else if (!strcmp(key, "page")) agent->page = (unsigned)strtoul(value, NULL, 10);
  else if (!strcmp(key, "answer")) agent->answer = (uint32_t)strtoul(value, NULL, 10);
  else if (!strcmp(key, "complete")) agent->complete = !strcmp(value, "yes");
  else if (!strcmp(key, "streams")) agent->streams = !strcmp(value, "yes");
  else if (!strcmp(key, "spawn")) agent->spawn = !strcmp(value, "yes");
  else if (!strcmp(key, "block") && agent->n_blocks < MAX_FAILS)
    snprintf(agent->blocks[agent->n_blocks++], sizeof agent->blocks[0], "%s", value);
  else if (!strcmp(key, "fail") && agent->n_fails < MAX_FAILS)
    snprintf(agent->fails[agent->n_fails++], sizeof agent->fails[0], "%s", value);
  else return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "unknown option %s", key);
#undef COPY
  return BP_OK;
}

static bp_status BPLUGIN_CALL ready(bp_agent *agent)
{
  tell(agent, "ready");
#ifdef FORGE
  for (int fd = 3; fd < 64; fd++) {
    struct stat status;
    if (!fstat(fd, &status) && S_ISSOCK(status.st_mode) && write(fd, "{\"event\": forged\n", 17) < 0)
      return BP_E_FAIL;
  }
#endif
#ifdef CHATTER
  for (int i = 0; i < CHATTER; i++)
    puts("chatter");
#endif
  return asked(agent, agent->host, NULL, "ready");
}

static bp_status BPLUGIN_CALL confirmed(bp_agent *agent, const char *job, const void *state, uint64_t len,
                                        uint32_t format)
{
  tell(agent, "confirmed %s state=%.*s format=%u", job, (int)len, (const char *)state, (unsigned)format);
  return asked(agent, agent->host, NULL, "confirmed");
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  tell(agent, "destroy");
  (void)asked(agent, agent->host, NULL, "destroy");
  free(agent->plan);
  free(agent);
}

/* ---- a Job ----------------------------------------------------------------------------------------------------- */

static const char *const levels[] = { "none", "full", "differential", "incremental" };
static const char *const reasons[] = { "none", "found", "first", "lost", "restored", "fileset-changed", "unnamed", "gap" };

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job;
  tell(agent, "begin kind=%u level=%s why=%s base=%s state=%.*s format=%u fileset=%s", (unsigned)why->kind,
       why->level < 4 ? levels[why->level] : "?", why->state_why < 8 ? reasons[why->state_why] : "?", why->base_job,
       (int)why->state_len, why->state_len ? (const char *)why->state : "", (unsigned)why->state_format, why->fileset);
  if (agent->spawn && fork() == 0) {
    execlp("sleep", "sleep", "300", (char *)NULL);
    _exit(127);
  }
  ASKED(agent, host, NULL, "begin");
  if (!strcmp(agent->base, "refuse") && why->state_why == BP_STATE_FOUND)
    return bp_fail(host, BP_E_BASE, BP_OS_NONE, 0, "the journal has wrapped");
  job = calloc(1, sizeof *job);
  *out = job;
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  job->host = host;
  job->kind = why->kind;
  job->late_refusal = !strcmp(agent->base, "refuse-late") && why->state_why == BP_STATE_FOUND;
  pthread_mutex_init(&job->lock, NULL);
  pthread_cond_init(&job->woken, NULL);
  return BP_OK;
}

static bp_status add(const bp_agent *agent, bp_page *page, const item *it)
{
  bp_entry entry = it->entry;
  int renamed = entry.change == BP_CHANGE_RENAMED;
  uint32_t len = it->extra && !renamed ? (uint32_t)strlen(it->extra) : 0;
  bp_status status = bp_page_add(page, &entry, it->name, (uint32_t)strlen(it->name), len ? it->extra : NULL, len);
  if (status == BP_OK && renamed && it->extra)
    status = bp_page_old_name(page, it->extra, (uint32_t)strlen(it->extra));
  if (status == BP_OK && it->content && !agent->streams) {
    uint32_t size = (uint32_t)strlen(it->content);
    status = entry.type == BP_TYPE_OBJECT ? bp_page_tlv(page, BP_STREAM_OBJECT, it->content, size)
                                          : bp_page_inline(page, it->content, size);
  }
  return status;
}

static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  const bp_agent *agent = job->agent;
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  tell(agent, "next_entries");
  ASKED(agent, job->host, job, "next_entries");
  if (job->late_refusal)
    return bp_fail(job->host, BP_E_BASE, BP_OS_NONE, 0, "the journal wrapped just now");
  for (; status == BP_OK && job->next < agent->n_items; job->next++) {
    if (bp_page_count(&page) >= agent->page)
      return BP_OK;
    status = add(agent, &page, &agent->items[job->next]);
  }
  if (status != BP_OK)
    return status;
  if (agent->state[0] && job->kind == BP_KIND_BACKUP) {
    status = bp_put_state(job->host, agent->state, strlen(agent->state), 3);
    if (status != BP_OK)
      return status;
  }
  return bp_page_end(&page, agent->complete);
}

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  job->open = &job->agent->items[cookie - 1];
  tell(job->agent, "open_stream %s stream=%u", job->open->name, (unsigned)stream);
  ASKED(job->agent, job->host, job, "open_stream");
  job->position = offset;
  *size = job->open->entry.size;
  return BP_OK;
}

static bp_status BPLUGIN_CALL read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  uint64_t len = strlen(job->open->content) - job->position;
  tell(job->agent, "read");
  ASKED(job->agent, job->host, job, "read");
  int last = len <= cap;
  if (!last)
    len = cap;
  memcpy(buf, job->open->content + job->position, len);
  job->position += len;
  return bp_chunk_set(chunk, job->position - len, len, last);
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  tell(job->agent, "close_stream %d", (int)how);
  return asked(job->agent, job->host, job, "close_stream");
}

/* ---- restore: told, and kept nowhere --------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                            uint32_t replace, uint32_t *action)
{
  tell(job->agent, "restore_entry type=%u name=%.*s dest=%s replace=%u", (unsigned)entry->type, (int)entry->name_len,
       (const char *)base + entry->name_off, dest, (unsigned)replace);
  ASKED(job->agent, job->host, job, "restore_entry");
  if (job->agent->answer)
    *action = job->agent->answer;
  else
    *action = entry->type == BP_TYPE_REGULAR || entry->type == BP_TYPE_OBJECT ? BP_ACTION_WANT : BP_ACTION_CREATED;
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  tell(job->agent, "restore_stream %u size=%llu", (unsigned)stream, (unsigned long long)size);
  return asked(job->agent, job->host, job, "restore_stream");
}

static bp_status BPLUGIN_CALL write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  tell(job->agent, "write %llu+%llu%s %.*s", (unsigned long long)chunk->offset, (unsigned long long)chunk->len,
       chunk->flags & BP_CHUNK_LAST ? " last" : "", chunk->len < 200 ? (int)chunk->len : 200, (const char *)buf);
  return asked(job->agent, job->host, job, "write");
}

static bp_status BPLUGIN_CALL restore_done(bp_job *job, bp_status how)
{
  tell(job->agent, "restore_done %d", (int)how);
  return asked(job->agent, job->host, job, "restore_done");
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL commit(bp_job *job)
{
  tell(job->agent, "commit");
  return asked(job->agent, job->host, job, "commit");
}

static bp_status BPLUGIN_CALL cancel(bp_job *job)
{
  tell(job->agent, "cancel");
  (void)asked(job->agent, job->host, job, "cancel");
  pthread_mutex_lock(&job->lock);
  job->canceled = 1;
  pthread_cond_broadcast(&job->woken);
  pthread_mutex_unlock(&job->lock);
  return BP_OK;
}

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  bp_status status;
  tell(job->agent, "end %s", outcome == BP_OUTCOME_DONE ? "done" : outcome == BP_OUTCOME_FAILED ? "failed" : "cancelled");
  status = asked(job->agent, job->host, job, "end");
  free(job);
  return status;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .ready = ready, .begin = begin,
  .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream,
  .restore_entry = restore_entry, .restore_stream = restore_stream, .write = write_chunk,
  .restore_done = restore_done, .commit = commit, .cancel = cancel, .end = end, .confirmed = confirmed,
  .destroy = destroy,
};

static const bp_option options[] = {
  { "trace", "where the calls are written down", NULL, NULL, BP_OPTION_PATH, BP_OPTION_FROM_DIRECTOR },
  { "plan", "what there is to list", NULL, NULL, BP_OPTION_PATH, BP_OPTION_FROM_DIRECTOR },
  { "label", "in front of each line of the trace", NULL, NULL, BP_OPTION_STRING, BP_OPTION_FROM_DIRECTOR },
  { "state", "put before END, format 3", NULL, NULL, BP_OPTION_STRING, BP_OPTION_FROM_DIRECTOR },
  { "complete", "END comes with COMPLETE", NULL, "yes", BP_OPTION_BOOL, BP_OPTION_FROM_DIRECTOR },
  { "base", "a state FOUND is refused: by begin, or by next_entries", "ok|refuse|refuse-late", "ok", BP_OPTION_ENUM, 0 },
  { "block", "the call that waits for cancel()", NULL, NULL, BP_OPTION_STRING, BP_OPTION_REPEATS },
  { "die", "the call that aborts, with words on stdout and stderr", NULL, NULL, BP_OPTION_STRING, 0 },
  { "fail", "call:status", NULL, NULL, BP_OPTION_STRING, BP_OPTION_REPEATS },
  { "page", "entries of a page at most", NULL, "100", BP_OPTION_INT, 0 },
  { "streams", "contents go through open_stream", NULL, "no", BP_OPTION_BOOL, 0 },
  { "answer", "the action of every restore_entry", NULL, "0", BP_OPTION_INT, 0 },
  { "spawn", "begin starts a process that outlives everything", NULL, "no", BP_OPTION_BOOL, 0 },
};
static const char *const claims[] = { CLAIM, NULL };
static const char *const aliases[] = { ALIAS, NULL };

static const bp_descriptor descriptor = {
  .magic = BP_MAGIC, .struct_size = sizeof(bp_descriptor), .header = BP_HEADER_VERSION,
  .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0), .option_size = sizeof(bp_option),
  .features = FEATURES, .format = FORMAT, .id = ID, .version = "3.1", .vendor = "filed tests", .license = "MIT",
  .aliases = aliases, .claims = claims, .options = options, .n_options = sizeof options / sizeof options[0],
  .api = &api,
};
BPLUGIN_DEFINE(descriptor);
