/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output of a command as a file, and a file as the input of a command: Bacula's bpipe, with a verdict. A file is
 * whole only when its command ended with code 0: the last chunk is not given before that is known.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "line.h"

enum { COOKIE = 1, DEFAULT_SILENCE_S = 3600, CONFIG_BYTES = 8192 };

struct bp_agent {
  const bp_host_api *host;
  allowed  allow;
  unsigned silence_s;
  int      as_file; /* restore = file */
};

struct bp_job {
  const bp_host_api *host;
  const bp_agent *agent;
  line     line;
  child    child;
  char    *where;
  char    *given;     /* the writer that a console gave for this restore; NULL: that of the line */
  char    *config;    /* the restore object that says so, while it comes; room for CONFIG_BYTES */
  uint64_t config_len;
  int      wake, listed;
  uint64_t position;
};

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  *out = calloc(1, sizeof **out);
  if (!*out)
    return BP_E_NOMEM;
  (*out)->host = host;
  (*out)->silence_s = DEFAULT_SILENCE_S;
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "allow"))
    return allowed_add(&agent->allow, value);
  if (!strcmp(key, "restore"))
    agent->as_file = !strcmp(value, "file");
  else if (!strcmp(key, "silence"))
    agent->silence_s = (unsigned)strtoul(value, NULL, 10);
  else
    return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "there is no option %s", key);
  return BP_OK;
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  allowed_free(&agent->allow);
  free(agent);
}

/* ---- a Job ------------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  child_stop(&job->child);
  line_free(&job->line);
  if (job->wake >= 0)
    close(job->wake);
  free(job->where);
  free(job->given);
  free(job->config);
  free(job);
  return BP_OK;
}

/* Commands come from the Director, and from the Volume: only this machine's conf says which may run here. */
static bp_status may_run(const bp_job *job, const char *command, const char *which, bp_status otherwise)
{
  if (allowed_has(&job->agent->allow, command))
    return BP_OK;
  return bp_failf(job->host, otherwise, BP_OS_NONE, 0,
                  "%s: its %s is not among the commands that this machine's conf allows; name it there, letter for letter:"
                  " plugin pipe { allow = \"...\" }",
                  job->line.path, which);
}

static bp_status prepare(bp_job *job, const bp_begin *why)
{
  bp_status status = BP_OK;
  if (why->kind == BP_KIND_VERIFY)
    return bp_fail(job->host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "what a command prints today cannot be compared");
  job->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  job->where = strdup(why->where ? why->where : "");
  if (job->wake < 0 || !job->where)
    return bp_fail_errno(job->host, BP_E_FAIL, errno, "preparing");
  status = line_read(&job->line, job->host, why->fileset);
  if (status == BP_OK && why->kind != BP_KIND_RESTORE)
    status = may_run(job, job->line.reader, "reader", BP_E_FAIL); /* an estimate tells, too */
  return status;
}

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job = calloc(1, sizeof *job);
  *out = NULL;
  if (!job)
    return BP_E_NOMEM;
  job->host = host;
  job->agent = agent;
  job->wake = -1;
  child_init(&job->child);
  bp_status status = prepare(job, why);
  if (status != BP_OK) {
    (void)end(job, BP_OUTCOME_FAILED);
    return status;
  }
  job->child.host = host;
  job->child.wake = job->wake;
  job->child.label = job->line.path;
  job->child.trouble = why->kind == BP_KIND_RESTORE ? BP_E_IO : BP_E_FAIL; /* half a dump is sent, and cannot be called back */
  job->child.silence_s = agent->silence_s;
  *out = job;
  return BP_OK;
}

/* Any thread. */
static bp_status BPLUGIN_CALL cancel(bp_job *job)
{
  uint64_t one = 1;
  return write(job->wake, &one, sizeof one) == sizeof one ? BP_OK : BP_E_FAIL;
}

/* ---- backup ------------------------------------------------------------------------------------------------------ */

static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_entry entry;
  struct timespec now;
  bp_status status = bp_page_init(&page, batch);
  if (status != BP_OK || job->listed)
    return status != BP_OK ? status : bp_page_end(&page, 0);
  clock_gettime(CLOCK_REALTIME, &now);
  memset(&entry, 0, sizeof entry);
  entry.cookie = COOKIE;
  entry.type = BP_TYPE_REGULAR;
  entry.flags = BP_ENTRY_SELECTED; /* a command has something new to say each time */
  entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
  entry.valid = BP_HAS_MODE | BP_HAS_OWNER | BP_HAS_MTIME;
  entry.mode = 0600;
  entry.uid = getuid();
  entry.gid = getgid();
  entry.mtime.sec = now.tv_sec;
  status = bp_page_add(&page, &entry, job->line.path, (uint32_t)strlen(job->line.path), NULL, 0);
  job->listed = status == BP_OK;
  return status; /* END comes with the next page, which is empty: when the command has said all */
}

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  if (cookie != COOKIE || stream != BP_STREAM_DATA || offset)
    return bp_fail(job->host, BP_E_INVAL, BP_OS_NONE, 0, "there is one stream, and it begins at its beginning");
  if (job->child.pid)
    return BP_E_SEQUENCE;
  *size = BP_SIZE_UNKNOWN;
  job->position = 0;
  return child_start(&job->child, CHILD_READS, job->line.reader);
}

static bp_status BPLUGIN_CALL read_stream(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  uint64_t len;
  if (!job->child.pid)
    return BP_E_SEQUENCE;
  bp_status status = child_read(&job->child, buf, cap, &len);
  int last = status == BP_OK && len < cap;
  if (last)
    status = child_finish(&job->child);
  if (status != BP_OK)
    return status;
  (void)bp_chunk_set(chunk, job->position, len, last);
  job->position += len;
  return BP_OK;
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  (void)how;
  child_stop(&job->child); /* it has ended already when all was read */
  return BP_OK;
}

/* ---- restore ----------------------------------------------------------------------------------------------------- */

static char replace_letter(uint32_t replace)
{
  static const char letters[] = { [BP_REPLACE_ALWAYS] = 'a', [BP_REPLACE_IFNEWER] = 'w', [BP_REPLACE_IFOLDER] = 'o',
                                  [BP_REPLACE_NEVER] = 'n' };
  return replace < sizeof letters && letters[replace] ? letters[replace] : 'a';
}

static bp_status BPLUGIN_CALL restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                            uint32_t replace, uint32_t *action)
{
  const char *writer = job->given ? job->given : job->line.writer;
  char *command;
  bp_status status;
  (void)base;
  (void)dest;
  if (job->child.pid)
    return BP_E_SEQUENCE;
  free(job->config);
  job->config = NULL;
  if (entry->type == BP_TYPE_OBJECT) { /* bpipe's own: what a console asked for in its restore menu */
    if (!(job->config = malloc(CONFIG_BYTES)))
      return BP_E_NOMEM;
    job->config_len = 0;
    *action = BP_ACTION_WANT;
    return BP_OK;
  }
  if (entry->type != BP_TYPE_REGULAR) {
    *action = BP_ACTION_SKIP;
    return bp_failf(job->host, BP_E_ENTRY, BP_OS_NONE, 0, "%s: it is no file", job->line.path);
  }
  if (job->agent->as_file) {
    *action = BP_ACTION_HOST;
    return BP_OK;
  }
  if (!*writer)
    return bp_failf(job->host, BP_E_ENTRY, BP_OS_NONE, 0,
                    "%s: it was saved without a writer; plugin pipe { restore = file } brings it back as a file",
                    job->line.path);
  status = may_run(job, writer, job->given ? "restore command" : "writer", BP_E_ACCESS);
  if (status != BP_OK)
    return status;
  command = line_expand(writer, job->where, replace_letter(replace), &status);
  if (status == BP_E_ACCESS)
    return bp_failf(job->host, status, BP_OS_NONE, 0,
                    "%s: its writer is given the directory to restore to, whose name holds characters that a shell would"
                    " act on: %s",
                    job->line.path, job->where);
  if (status != BP_OK)
    return status;
  job->position = 0;
  *action = BP_ACTION_WANT;
  status = child_start(&job->child, CHILD_WRITES, command); /* now: an empty file has no stream, and its writer runs too */
  free(command);
  return status;
}

static bp_status BPLUGIN_CALL restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)size;
  return stream == BP_STREAM_DATA || (stream == BP_STREAM_OBJECT && job->config)
           ? BP_OK
           : bp_fail(job->host, BP_E_UNSUPPORTED, BP_OS_NONE, 0, "a command takes nothing but data");
}

static bp_status BPLUGIN_CALL write_stream(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  static const char zeros[1 << 16];
  if (job->config) {
    if (chunk->offset != job->config_len || chunk->len > CONFIG_BYTES - job->config_len)
      return bp_failf(job->host, BP_E_ENTRY, BP_OS_NONE, 0, "%s: its restore options are too long", job->line.path);
    memcpy(job->config + job->config_len, buf, chunk->len);
    job->config_len += chunk->len;
    return BP_OK;
  }
  bp_status status = job->child.pid ? BP_OK : BP_E_SEQUENCE;
  while (status == BP_OK && job->position < chunk->offset) { /* a hole */
    uint64_t gap = chunk->offset - job->position;
    gap = gap < sizeof zeros ? gap : sizeof zeros;
    status = child_write(&job->child, zeros, gap);
    job->position += gap;
  }
  if (status == BP_OK && chunk->len)
    status = child_write(&job->child, buf, chunk->len);
  job->position += chunk->len;
  return status;
}

static bp_status BPLUGIN_CALL restore_done(bp_job *job, bp_status how)
{
  bp_status status = BP_OK;
  if (job->config) {
    if (how == BP_OK) {
      free(job->given);
      job->given = line_restore_command(job->config, job->config_len);
    }
    free(job->config);
    job->config = NULL;
    if (job->given)
      bp_logf(job->host, BP_MSG_INFO, "%s: restored by the command that was given with the restore", job->line.path);
    return BP_OK;
  }
  if (how == BP_OK && job->child.pid)
    status = child_finish(&job->child);
  child_stop(&job->child); /* what came was not the whole file: its writer must not take it for one */
  return status;
}

/* ---- the agent --------------------------------------------------------------------------------------------------- */

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api),
  .create = create,
  .option = option,
  .begin = begin,
  .next_entries = next_entries,
  .open_stream = open_stream,
  .read = read_stream,
  .close_stream = close_stream,
  .restore_entry = restore_entry,
  .restore_stream = restore_stream,
  .write = write_stream,
  .restore_done = restore_done,
  .cancel = cancel,
  .end = end,
  .destroy = destroy,
};

static const bp_option options[] = {
  { "allow", "a command that may run; * stands for letters, digits and _.,:=@%+-, and ** alone for any command", NULL, NULL,
    BP_OPTION_STRING, BP_OPTION_REPEATS },
  { "restore", "whether the writer gets the data back, or it becomes a plain file", "command|file", "command",
    BP_OPTION_ENUM, 0 },
  { "silence", "how long a command may neither read, write nor say anything; 0: for ever", NULL, "1 hour",
    BP_OPTION_DURATION, 0 },
};
static const char *const aliases[] = { "bpipe", NULL };

static const bp_descriptor descriptor = {
  .magic = BP_MAGIC,
  .struct_size = sizeof(bp_descriptor),
  .header = BP_HEADER_VERSION,
  .min_version = BP_VERSION(1, 0),
  .max_version = BP_VERSION(1, 0),
  .features = BP_FEATURE_VERBATIM,
  .option_size = sizeof(bp_option),
  .id = "pipe",
  .version = "1.0",
  .vendor = "filed",
  .license = "Apache-2.0",
  .aliases = aliases,
  .options = options,
  .n_options = sizeof options / sizeof options[0],
  .api = &api,
};

BPLUGIN_DEFINE(descriptor);
