/*
 * @name@: saves each line of a text file as an entry of its own. A stand-in for your source: a queue, a log, a table,
 * anything that has items in an order and can say "all after this one".
 *
 * `filed` loads this library into the process of one Job and makes the calls below, in the order that bplugin.h has on
 * its first page. What to change is marked with CHANGE; the rest is likely to stay.
 */
#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE /* fseeko, ftello */
#include <stdlib.h>

#include "bplugin_sdk.h"

#define TOP "/@@NAME@/" /* all names begin so; see `claims` */
#define FORMAT 1u       /* of the state below; raise it when you change what it means */

/* One configured instance, from create to destroy. */
struct bp_agent {
  const bp_host_api *host;
  char source[4096];
};

/* One Job, from begin to end. */
struct bp_job {
  const bp_host_api *host;
  FILE *file;                 /* CHANGE: the source, open */
  uint32_t kind;
  uint64_t number, offset;    /* CHANGE: how far the listing is: lines, and bytes */
  uint64_t base, base_offset; /* how far the base came; 0: there is none, and everything is listed */
  uint64_t stream_at, left;   /* of the open stream: bytes given so far, and to come */
  int failed;                 /* an item could not be read */
};

/* ---- the instance ------------------------------------------------------------------------------------------------ */

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = *out = (bp_agent *)calloc(1, sizeof *agent);
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  return BP_OK;
}

/* Called for each option of the conf, checked against `options` below. */
static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  if (strcmp(key, "source") || strlen(value) >= sizeof agent->source)
    return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "%s: too long, or not known", key);
  strcpy(agent->source, value);
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

/* ---- a Job begins ------------------------------------------------------------------------------------------------ */

/* Where the base ended: "<lines> <bytes>". What does not fit the source any more cannot be continued from. */
static bp_status continue_from(bp_job *job, const bp_begin *why)
{
  char text[64] = "", rest;
  unsigned long long lines, bytes;
  if (why->state_format == FORMAT && why->state_len < sizeof text)
    memcpy(text, why->state, (size_t)why->state_len);
  if (sscanf(text, "%llu %llu%c", &lines, &bytes, &rest) != 2)
    return bp_fail(job->host, BP_E_BASE, BP_OS_NONE, 0, "the state is not of this agent");
  if (fseeko(job->file, 0, SEEK_END) || (unsigned long long)ftello(job->file) < bytes)
    return bp_fail(job->host, BP_E_BASE, BP_OS_NONE, 0, "the source is shorter than it was");
  job->base = job->number = lines;
  job->base_offset = job->offset = bytes;
  return BP_OK;
}

static bp_status end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  if (job->file)
    fclose(job->file);
  free(job);
  return BP_OK;
}

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_status status = BP_OK;
  bp_job *job = (bp_job *)calloc(1, sizeof *job);
  if (!job)
    return BP_E_NOMEM;
  job->host = host;
  job->kind = why->kind;
  if (why->kind != BP_KIND_RESTORE) {
    job->file = fopen(agent->source, "rbe"); /* e: no program that somebody starts inherits it */
    if (!job->file)
      status = bp_fail_errno(host, BP_E_FAIL, errno, "open %s", agent->source);
    else if (why->state_why == BP_STATE_FOUND)
      status = continue_from(job, why);
  }
  if (status != BP_OK) { /* after an error there is no `end` */
    (void)end(job, BP_OUTCOME_FAILED);
    return status;
  }
  *out = job;
  return BP_OK;
}

/* ---- backup: what there is --------------------------------------------------------------------------------------- */

/* CHANGE: the length of the item at `offset`, its end included; 0: there is none, or it is still being written. */
static uint64_t item_length(bp_job *job, uint64_t offset)
{
  uint64_t length = 0;
  int byte;
  if (fseeko(job->file, (off_t)offset, SEEK_SET))
    return 0;
  while ((byte = getc(job->file)) != EOF) {
    length++;
    if (byte == '\n')
      return length;
    if (length % 65536 == 0)
      bp_beat(job->host); /* "I am alive", in any loop without a callback */
  }
  return 0;
}

static bp_status list_all(bp_job *job, bp_page *page)
{
  uint64_t length;
  while ((length = item_length(job, job->offset)) > 0) {
    char name[64];
    bp_entry entry;
    int32_t added;
    uint32_t n = (uint32_t)snprintf(name, sizeof name, TOP "%010llu", (unsigned long long)job->number + 1);
    if (bp_cancelled(job->host))
      return BP_E_CANCELLED;
    memset(&entry, 0, sizeof entry);
    entry.cookie = job->offset; /* ours: comes back in open_stream */
    entry.type = BP_TYPE_REGULAR;
    entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
    entry.valid = BP_HAS_MODE | BP_HAS_SIZE;
    entry.mode = 0644;
    entry.size = length;
    entry.flags = BP_ENTRY_SELECTED; /* we choose by our own numbers: the host shall not compare times */
    added = bp_page_add(page, &entry, name, n, NULL, 0);
    if (added == BP_PAGE_FULL)
      return BP_OK; /* no status of a call: the next page has it */
    if (added != BP_OK)
      return added;
    job->number++;
    job->offset += length;
  }
  return BP_END;
}

/* Found again when this Job is the base of another: up to here all is saved. What failed, and all after it, comes again. */
static bp_status put_state(const bp_job *job)
{
  char state[64];
  uint64_t number = job->failed ? job->base : job->number, offset = job->failed ? job->base_offset : job->offset;
  uint32_t n = (uint32_t)snprintf(state, sizeof state, "%llu %llu", (unsigned long long)number,
                                  (unsigned long long)offset);
  return bp_put_state(job->host, state, n, FORMAT);
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  if (status == BP_OK)
    status = list_all(job, &page);
  if (status != BP_END)
    return status;
  if (bp_page_count(&page) > 0)
    return BP_OK; /* asked again when these are read: only then it is known what was saved */
  if (job->kind == BP_KIND_BACKUP) { /* not in an estimate, nor in a verify */
    status = put_state(job);
    if (status != BP_OK)
      return status;
  }
  /* Complete, so that what only the base has is deleted: never after a list of news, which would delete all the rest. */
  return bp_page_end(&page, job->base == 0);
}

/* ---- backup: its content ----------------------------------------------------------------------------------------- */

static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  if (stream != BP_STREAM_DATA || offset)
    return BP_E_INVAL;
  *size = job->left = item_length(job, cookie);
  if (!job->left || fseeko(job->file, (off_t)cookie, SEEK_SET)) {
    job->failed = 1;
    return bp_fail(job->host, BP_E_NOTFOUND, BP_OS_NONE, 0, "it is not in the source any more");
  }
  job->stream_at = 0;
  return BP_OK;
}

/* The next bytes of the item. They go straight into the host's buffer. */
static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  uint64_t n = cap < job->left ? cap : job->left, at = job->stream_at;
  if (fread(buf, 1, (size_t)n, job->file) != n) /* this entry alone: counted, the Job goes on; BP_E_FAIL ends it */
    return bp_fail(job->host, BP_E_IO, BP_OS_NONE, 0, "the source was cut while it was read");
  job->stream_at += n;
  job->left -= n;
  return bp_chunk_set(chunk, at, n, job->left == 0);
}

static bp_status close_stream(bp_job *job, bp_status how)
{
  if (how != BP_OK)
    job->failed = 1;
  return BP_OK;
}

/* ---- restore ----------------------------------------------------------------------------------------------------- */

/* Each entry is an ordinary file: the file system agent brings it back to `dest`. CHANGE to BP_ACTION_WANT to get the
 * bytes yourself, by restore_stream, write and restore_done. */
static bp_status restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                               uint32_t replace, uint32_t *action)
{
  (void)job, (void)entry, (void)base, (void)dest, (void)replace;
  *action = BP_ACTION_HOST;
  return BP_OK;
}

static bp_status restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)job, (void)stream, (void)size;
  return BP_E_UNSUPPORTED;
}

static bp_status write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  (void)job, (void)buf, (void)chunk;
  return BP_E_UNSUPPORTED;
}

static bp_status restore_done(bp_job *job, bp_status how)
{
  (void)job, (void)how;
  return BP_OK;
}

/* ---- what it is -------------------------------------------------------------------------------------------------- */

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .begin = begin,
  .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream,
  .restore_entry = restore_entry, .restore_stream = restore_stream, .write = write_chunk,
  .restore_done = restore_done, .end = end, .destroy = destroy,
};

static const bp_option options[] = {
  { .key = "source", .help = "the text file whose lines are saved", .type = BP_OPTION_PATH,
    .flags = BP_OPTION_REQUIRED },
};

static const char *const claims[] = { TOP, NULL }; /* the File lines it takes */

static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_TARGET_VERSION,
  .option_size = sizeof(bp_option), .format = 1, .id = "@name@", .version = "0.1", .vendor = "CHANGE",
  .license = "CHANGE", .claims = claims, .options = options, .n_options = sizeof options / sizeof *options,
  .api = &api,
};

BPLUGIN_DEFINE(descriptor);
