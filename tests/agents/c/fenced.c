/* Saves nothing; says in `ready` what it may do: who it is, its environment, its nice value, whether it gets memory, what it can read. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bplugin_sdk.h"

struct bp_agent { const bp_host_api *host; uint64_t allocate; char file[512], program[512]; };
struct bp_job { int nothing; };

static bp_status create(const bp_host_api *host, bp_agent **agent)
{
  *agent = (bp_agent *)calloc(1, sizeof **agent);
  if (!*agent) return BP_E_NOMEM;
  (*agent)->host = host;
  return BP_OK;
}

static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "allocate")) agent->allocate = strtoull(value, NULL, 10);
  else if (!strcmp(key, "file")) snprintf(agent->file, sizeof agent->file, "%s", value);
  else if (!strcmp(key, "program")) snprintf(agent->program, sizeof agent->program, "%s", value);
  else return BP_E_INVAL;
  return BP_OK;
}

static void look(bp_agent *agent)
{
  const char *variable = getenv("FENCED");
  gid_t groups[64];
  int count = getgroups(64, groups), i;
  uid_t real, effective, saved;
  char list[256] = "";
  getresuid(&real, &effective, &saved);
  for (i = 0; i < count; ++i) snprintf(list + strlen(list), sizeof list - strlen(list), " %u", (unsigned)groups[i]);
  bp_logf(agent->host, BP_MSG_INFO, "user %u %u, group %u, groups%s", (unsigned)real, (unsigned)effective, (unsigned)getegid(), list);
  bp_logf(agent->host, BP_MSG_INFO, "FENCED is %s", variable ? variable : "not set");
  bp_logf(agent->host, BP_MSG_INFO, "nice %d, no new privileges %d", getpriority(PRIO_PROCESS, 0),
          prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static bp_status ready(bp_agent *agent)
{
  char secret[64];
  uint32_t length = 0;
  look(agent);
  if (agent->allocate) {
    char *memory = (char *)malloc(agent->allocate);
    if (!memory) return bp_fail_errno(agent->host, BP_E_NOMEM, ENOMEM, "no memory");
    memset(memory, 1, agent->allocate);
    free(memory);
  }
  if (agent->file[0]) {
    int fd = open(agent->file, O_RDONLY | O_CLOEXEC);
    bp_logf(agent->host, BP_MSG_INFO, "%s: %s", agent->file, fd < 0 ? strerror(errno) : "open");
    if (fd >= 0) close(fd);
  }
  if (agent->program[0]) {
    int status;
    pid_t child = fork();
    if (child == 0) { execl(agent->program, agent->program, "-c", "id -u -r; id -u; id -G", (char *)NULL); _exit(127); }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  }
  if (bp_secret(agent->host, "password", secret, sizeof secret, &length) == BP_OK)
    bp_logf(agent->host, BP_MSG_INFO, "the secret has %u bytes", length);
  look(agent);
  return BP_OK;
}

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  (void)agent; (void)host; (void)why;
  *out = (bp_job *)calloc(1, sizeof **out);
  return *out ? BP_OK : BP_E_NOMEM;
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  (void)job;
  if (status == BP_OK) bp_page_end(&page, 1);
  return status == BP_OK ? BP_END : status;
}

static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{ (void)job; (void)cookie; (void)stream; (void)offset; (void)size; return BP_E_UNSUPPORTED; }
static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{ (void)job; (void)buf; (void)cap; (void)chunk; return BP_E_UNSUPPORTED; }
static bp_status close_stream(bp_job *job, bp_status how) { (void)job; (void)how; return BP_OK; }
static bp_status restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest, uint32_t replace, uint32_t *action)
{ (void)job; (void)entry; (void)base; (void)dest; (void)replace; *action = BP_ACTION_HOST; return BP_OK; }
static bp_status restore_stream(bp_job *job, uint32_t stream, uint64_t size) { (void)job; (void)stream; (void)size; return BP_E_UNSUPPORTED; }
static bp_status write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk) { (void)job; (void)buf; (void)chunk; return BP_E_UNSUPPORTED; }
static bp_status restore_done(bp_job *job, bp_status how) { (void)job; (void)how; return BP_OK; }
static bp_status end(bp_job *job, uint32_t outcome) { (void)outcome; free(job); return BP_OK; }
static void destroy(bp_agent *agent) { free(agent); }

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .ready = ready, .begin = begin, .next_entries = next_entries,
  .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream, .restore_entry = restore_entry,
  .restore_stream = restore_stream, .write = write_chunk, .restore_done = restore_done, .end = end, .destroy = destroy,
};
static const bp_option options[] = {
  { .key = "allocate", .help = "bytes to ask for", .type = BP_OPTION_SIZE },
  { .key = "file", .help = "what to open", .type = BP_OPTION_PATH },
  { .key = "program", .help = "a shell", .type = BP_OPTION_PATH },
  { .key = "password", .help = "a secret", .type = BP_OPTION_STRING, .flags = BP_OPTION_SECRET },
};
static const char *const claims[] = { "/@FENCED", NULL };
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0), .option_size = sizeof(bp_option),
  .id = "fenced", .version = "1.0", .vendor = "tests", .license = "MIT", .claims = claims, .options = options,
  .n_options = sizeof options / sizeof *options, .api = &api,
};
BPLUGIN_DEFINE(descriptor);
