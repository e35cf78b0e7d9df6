/* SPDX-License-Identifier: MIT */
/*
 * bplugin_fake.h: a host for the unit tests of an agent, C99, nothing to link and no filed. A test is a program with the
 * agent's sources in it:
 *
 *   bp_fake host;
 *   const bp_descriptor *d = bp_fake_open(&host);           bplugin_query_v1 of this program; NULL: it refuses
 *   bp_agent *agent = bp_fake_agent(&host, "source=/tmp/x", NULL);      create, option*, ready; NULL: see host.failed
 *   bp_begin why = bp_fake_begin(BP_KIND_BACKUP, BP_LEVEL_FULL);
 *   status = bp_fake_backup(&host, agent, &why, each, &mine);     begin, all pages and streams, commit, end
 *   d->api->destroy(agent);
 *
 * `each` gets every entry with its content. host.state is what the agent put: give it to the next `why`, with
 * BP_STATE_FOUND. The host accepts all that the contract allows and stops at what it forbids: BP_E_VIOLATION, with the
 * rule in host.failed. It is small: `filed agent check` looks at much more, and has the last word.
 */
#ifndef BPLUGIN_FAKE_H
#define BPLUGIN_FAKE_H

#include <stdlib.h>

#include "bplugin_sdk.h"

#define BP_FAKE_PAGE (2u << 20)
#define BP_FAKE_READ BP_MIN_READ

/* One entry as it was saved. data: NULL when it has none; holes are zeros. Valid during the call. */
typedef struct bp_fake_entry {
  bp_entry    entry;
  const char *name, *link;
  const uint8_t *data;
  uint64_t    len;
} bp_fake_entry;
typedef void (*bp_fake_each)(void *user, const bp_fake_entry *entry);

struct bp_ctx {
  uint8_t  state[BP_MAX_STATE];
  uint64_t state_len;
  uint32_t state_format, state_allowed, warnings;
  char     message[BP_TEXT_MAX], failed[BP_TEXT_MAX];
};

typedef struct bp_fake {
  bp_host_api api;
  bp_ctx   context;        /* what the agent said last, and its state */
  uint32_t cancel;         /* set it to see what a cancel does */
  uint64_t heartbeat;
  const bp_descriptor *d;
} bp_fake;

static inline void bp_fake_copy(char *to, const char *text, uint32_t len)
{
  len = len < BP_TEXT_MAX - 1u ? len : BP_TEXT_MAX - 1u;
  if (len)
    memcpy(to, text, len);
  to[len] = 0;
}

static inline bp_status bp_fake_violation(bp_fake *host, const char *rule)
{
  bp_fake_copy(host->context.failed, rule, (uint32_t)strlen(rule));
  return BP_E_VIOLATION;
}

/* ---- callbacks --------------------------------------------------------------------------------------------------- */

static inline bp_status BPLUGIN_CALL bp_fake_message(bp_ctx *ctx, int32_t severity, const char *utf8, uint32_t len)
{
  bp_fake_copy(ctx->message, utf8, len);
  ctx->warnings += severity >= BP_MSG_WARNING;
  return severity >= BP_MSG_DEBUG && severity <= BP_MSG_ERROR ? BP_OK : BP_E_INVAL;
}

static inline bp_status BPLUGIN_CALL bp_fake_fail(bp_ctx *ctx, bp_status status, int32_t os_domain, int64_t os_error,
                                                  const char *utf8, uint32_t len)
{
  (void)status, (void)os_domain, (void)os_error;
  bp_fake_copy(ctx->failed, utf8, len);
  return BP_OK;
}

static inline bp_status BPLUGIN_CALL bp_fake_match(bp_ctx *ctx, const char *path, uint32_t len, const bp_entry *entry,
                                                   uint32_t *verdict)
{
  (void)ctx;
  if (!path || !len || !entry || !verdict)
    return BP_E_INVAL;
  *verdict = BP_VERDICT_TAKE;
  return BP_OK;
}

static inline bp_status BPLUGIN_CALL bp_fake_put_state(bp_ctx *ctx, const void *state, uint64_t len, uint32_t format)
{
  if (!ctx->state_allowed)
    return BP_E_SEQUENCE;
  if (len > sizeof ctx->state)
    return BP_E_TOO_BIG;
  if (len)
    memcpy(ctx->state, state, (size_t)len);
  ctx->state_len = len;
  ctx->state_format = format;
  return BP_OK;
}

static inline bp_status BPLUGIN_CALL bp_fake_secret(bp_ctx *ctx, const char *name, void *buf, uint32_t cap, uint32_t *len)
{
  (void)ctx, (void)name, (void)buf, (void)cap, (void)len;
  return BP_E_NOTFOUND;
}

static inline bp_status BPLUGIN_CALL bp_fake_defer(bp_ctx *ctx, uint32_t seconds)
{
  (void)ctx, (void)seconds;
  return BP_OK;
}

static inline bp_status BPLUGIN_CALL bp_fake_extension(bp_ctx *ctx, const char *id, const void **out)
{
  (void)ctx, (void)id;
  *out = NULL;
  return BP_E_UNSUPPORTED;
}

/* ---- an agent ---------------------------------------------------------------------------------------------------- */

/* The descriptor of the agent in this program. The host speaks 1.0, so that what is newer has to be looked for. */
static inline const bp_descriptor *bp_fake_open(bp_fake *host)
{
  memset(host, 0, sizeof *host);
  host->api.struct_size = (uint32_t)BP_SIZE_TO(bp_host_api, extension);
  host->api.version = BP_VERSION(1, 0);
  host->api.ctx = &host->context;
  host->api.cancel = &host->cancel;
  host->api.heartbeat = &host->heartbeat;
  host->api.message = bp_fake_message;
  host->api.fail = bp_fake_fail;
  host->api.match = bp_fake_match;
  host->api.put_state = bp_fake_put_state;
  host->api.secret = bp_fake_secret;
  host->api.defer = bp_fake_defer;
  host->api.extension = bp_fake_extension;
  return host->d = bplugin_query_v1(BP_VERSION(1, 0), BP_VERSION(1, 0));
}

/* An instance with its options, "key=value" and NULL at the end, made and ready; NULL when it refuses: host->context.failed. */
static inline bp_agent *bp_fake_agent(bp_fake *host, ...)
{
  const bp_agent_api *api = host->d->api;
  const char *pair;
  bp_agent *agent = NULL;
  bp_status status = api->create(&host->api, &agent);
  va_list pairs;
  if (status != BP_OK || !agent)
    return NULL;
  va_start(pairs, host);
  while (status == BP_OK && (pair = va_arg(pairs, const char *)) != NULL) {
    const char *equals = strchr(pair, '=');
    char key[64] = "";
    if (equals && (size_t)(equals - pair) < sizeof key)
      memcpy(key, pair, (size_t)(equals - pair));
    status = equals && api->option ? api->option(agent, key, equals + 1) : BP_E_INVAL;
  }
  va_end(pairs);
  if (status == BP_OK && api->ready)
    status = api->ready(agent);
  if (status == BP_OK)
    return agent;
  api->destroy(agent);
  return NULL;
}

static inline bp_begin bp_fake_begin(uint32_t kind, uint32_t level)
{
  bp_begin why;
  memset(&why, 0, sizeof why);
  why.struct_size = (uint32_t)BP_SIZE_TO(bp_begin, where);
  why.kind = kind;
  why.level = level;
  why.job = "Test.2026-01-01_00.00.00_01";
  why.base_job = why.where = "";
  why.fileset = kind == BP_KIND_RESTORE ? "" : "I\nF /\nN\n";
  return why;
}

/* ---- a backup ---------------------------------------------------------------------------------------------------- */

static inline void bp_fake_page(bp_batch *batch, void *memory)
{
  memset(memory, 0, BP_FAKE_PAGE);
  memset(batch, 0, sizeof *batch);
  batch->struct_size = sizeof *batch;
  batch->stride = sizeof(bp_entry);
  batch->buf = memory;
  batch->cap = batch->heap_low = BP_FAKE_PAGE;
  batch->max_entries = 64;
}

static inline char *bp_fake_text(const bp_batch *batch, uint32_t offset, uint32_t len)
{
  char *text;
  if (len && (offset < batch->heap_low || (uint64_t)offset + len > batch->cap))
    return NULL;
  text = (char *)calloc(1, (size_t)len + 1);
  if (text && len)
    memcpy(text, (const char *)batch->buf + offset, len);
  return text;
}

/* The DATA of an entry, stream or inline. */
static inline bp_status bp_fake_content(bp_fake *host, bp_job *job, const bp_batch *batch, bp_fake_entry *one)
{
  const bp_agent_api *api = host->d->api;
  uint8_t *data = NULL;
  uint64_t size = BP_SIZE_UNKNOWN, end = 0;
  bp_status status = BP_OK, closed;
  bp_chunk chunk;
  if (one->entry.inline_off) {
    one->data = (uint8_t *)bp_fake_text(batch, one->entry.inline_off, one->entry.inline_len);
    one->len = one->entry.inline_len;
    return one->data ? BP_OK : bp_fake_violation(host, "inline data outside of the page's heap");
  }
  if (!(one->entry.streams & BP_STREAM_BIT(BP_STREAM_DATA)))
    return BP_OK;
  status = api->open_stream(job, one->entry.cookie, BP_STREAM_DATA, 0, &size);
  if (status != BP_OK)
    return status;
  do {
    uint8_t *grown = (uint8_t *)realloc(data, (size_t)end + BP_FAKE_READ + 1);
    memset(&chunk, 0, sizeof chunk);
    if (!grown) {
      status = BP_E_NOMEM;
      break;
    }
    data = grown;
    status = api->read(job, data + end, BP_FAKE_READ, &chunk);
    if (status == BP_OK && (chunk.offset < end || chunk.len > BP_FAKE_READ || (!chunk.len && !chunk.flags)))
      status = bp_fake_violation(host, "read: a chunk that goes back, is too long, or is empty and not the last");
    if (status == BP_OK && chunk.offset > end) { /* a hole */
      grown = (uint8_t *)realloc(data, (size_t)(chunk.offset + chunk.len + 1));
      status = grown ? BP_OK : BP_E_NOMEM;
      data = grown ? grown : data;
      if (grown) {
        memmove(data + chunk.offset, data + end, (size_t)chunk.len);
        memset(data + end, 0, (size_t)(chunk.offset - end));
      }
    }
    end = status == BP_OK ? chunk.offset + chunk.len : end;
  } while (status == BP_OK && !(chunk.flags & BP_CHUNK_LAST));
  closed = api->close_stream(job, status == BP_OK ? BP_OK : BP_E_IO);
  one->data = data;
  one->len = end;
  return status != BP_OK ? status : closed;
}

/* The entries of one page, each read and given to `each`. */
static inline bp_status bp_fake_entries(bp_fake *host, bp_job *job, const bp_batch *batch, bp_fake_each each, void *user)
{
  bp_status status = BP_OK;
  if (batch->count > batch->max_entries)
    return bp_fake_violation(host, "next_entries: more entries than the page takes");
  for (uint32_t i = 0; i < batch->count && status == BP_OK; i++) {
    bp_fake_entry one;
    char *name, *link;
    memset(&one, 0, sizeof one);
    memcpy(&one.entry, (const char *)batch->buf + (size_t)i * batch->stride, sizeof one.entry);
    one.name = name = bp_fake_text(batch, one.entry.name_off, one.entry.name_len);
    one.link = link = bp_fake_text(batch, one.entry.link_off, one.entry.link_len);
    status = name && link && *name ? BP_OK : bp_fake_violation(host, "next_entries: a name outside of the page's heap");
    if (status == BP_OK && !(one.entry.flags & BP_ENTRY_FAILED) && one.entry.change != BP_CHANGE_DELETED)
      status = bp_fake_content(host, job, batch, &one);
    if (status == BP_OK && each)
      each(user, &one);
    free((void *)(uintptr_t)one.data);
    free(name);
    free(link);
  }
  return status;
}

/* One Job from begin to end. BP_OK, or what ended it: a status of the agent's, or BP_E_VIOLATION. */
static inline bp_status bp_fake_backup(bp_fake *host, bp_agent *agent, const bp_begin *why, bp_fake_each each, void *user)
{
  const bp_agent_api *api = host->d->api;
  bp_job *job = NULL;
  bp_batch batch;
  void *memory;
  bp_status status = api->begin(agent, &host->api, why, &job), got = BP_OK;
  if (status != BP_OK || !job)
    return status != BP_OK ? status : bp_fake_violation(host, "begin: BP_OK and no job");
  memory = malloc(BP_FAKE_PAGE);
  status = memory ? BP_OK : BP_E_NOMEM;
  host->context.state_allowed = why->kind == BP_KIND_BACKUP;
  while (status == BP_OK && got != BP_END) {
    bp_fake_page(&batch, memory);
    got = api->next_entries(job, &batch);
    if (got != BP_OK && got != BP_END)
      status = got > 0 ? bp_fake_violation(host, "next_entries: no status") : got;
    else if (why->kind != BP_KIND_ESTIMATE)
      status = bp_fake_entries(host, job, &batch, each, user);
  }
  host->context.state_allowed = 0;
  if (status == BP_OK && api->commit && why->kind == BP_KIND_BACKUP)
    status = api->commit(job);
  (void)api->end(job, status == BP_OK ? BP_OUTCOME_DONE : BP_OUTCOME_FAILED);
  free(memory);
  return status;
}

#endif
