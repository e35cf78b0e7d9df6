/* SPDX-License-Identifier: MIT */
/* The host's side of a small host in C, and how it loads an agent: what the drivers of this directory have in common. */
#ifndef TESTS_HOST_H
#define TESTS_HOST_H

#include <stdlib.h>

#include "bplugin_sdk.h"

#ifdef _WIN32
# include <windows.h>
#else
# include <dlfcn.h>
#endif

#define PAGE_BYTES (2u << 20)

typedef const bp_descriptor *(BPLUGIN_CALL *query_function)(uint32_t, uint32_t);

struct bp_ctx {
  char state[65536];
  uint64_t state_len;
  uint32_t state_format;
};

static uint32_t cancel_word;
static uint64_t heartbeat_word;
static bp_ctx context;
static const char *file_line = "/";
static int waits;

static void die(const char *what)
{
  printf("FAILED: %s\n", what);
  fflush(stdout);
  exit(1);
}

static void need(int condition, const char *what)
{
  if (!condition)
    die(what);
}

static void *take(size_t size)
{
  void *memory = calloc(1, size ? size : 1);
  need(memory != NULL, "memory");
  return memory;
}

/* ---- the host's side ------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL on_message(bp_ctx *ctx, int32_t severity, const char *utf8, uint32_t len)
{
  (void)ctx;
  printf("message %d: %.*s\n", (int)severity, (int)len, utf8);
  return BP_OK;
}

static bp_status BPLUGIN_CALL on_fail(bp_ctx *ctx, bp_status status, int32_t domain, int64_t number, const char *utf8,
                                      uint32_t len)
{
  (void)ctx, (void)domain, (void)number;
  printf("fail %d: %.*s\n", (int)status, (int)len, utf8);
  return BP_OK;
}

static bp_status BPLUGIN_CALL on_match(bp_ctx *ctx, const char *path, uint32_t len, const bp_entry *entry,
                                       uint32_t *verdict)
{
  (void)ctx, (void)path, (void)len, (void)entry;
  *verdict = BP_VERDICT_TAKE;
  return BP_OK;
}

static bp_status BPLUGIN_CALL on_put_state(bp_ctx *ctx, const void *state, uint64_t len, uint32_t format)
{
  if (len > sizeof ctx->state)
    return BP_E_TOO_BIG;
  memcpy(ctx->state, state, (size_t)len);
  ctx->state_len = len;
  ctx->state_format = format;
  return BP_OK;
}

static bp_status BPLUGIN_CALL on_secret(bp_ctx *ctx, const char *name, void *buf, uint32_t cap, uint32_t *len)
{
  (void)ctx, (void)name, (void)buf, (void)cap, (void)len;
  return BP_E_NOTFOUND;
}

static bp_status BPLUGIN_CALL on_defer(bp_ctx *ctx, uint32_t seconds)
{
  (void)ctx, (void)seconds;
  return BP_OK;
}

static bp_status BPLUGIN_CALL on_extension(bp_ctx *ctx, const char *id, const void **out)
{
  (void)ctx, (void)id;
  *out = NULL;
  return BP_E_UNSUPPORTED;
}

static bp_status BPLUGIN_CALL on_expect(bp_ctx *ctx, uint64_t entries, uint64_t bytes)
{
  (void)ctx, (void)entries, (void)bytes;
  return BP_OK;
}

static bp_status BPLUGIN_CALL on_watermark(bp_ctx *ctx, uint64_t position)
{
  (void)ctx, (void)position;
  return BP_OK;
}

static bp_status BPLUGIN_CALL on_hold(bp_ctx *ctx, const void *token, uint32_t len)
{
  (void)ctx, (void)token, (void)len;
  return BP_E_SEQUENCE;
}

static const bp_host_api host = {
  sizeof(bp_host_api), BP_VERSION(1, 1), 0, &context, &cancel_word, &heartbeat_word, on_message, on_fail, on_match,
  on_put_state, on_secret, on_defer, on_extension, on_expect, on_watermark,
  on_hold
};

/* ---- loading --------------------------------------------------------------------------------------------------- */

static query_function find_query(const char *path)
{
  query_function query = NULL;
#ifdef _WIN32
  HMODULE library = LoadLibraryA(path);
  FARPROC found;
  need(library != NULL, "the library does not load");
  found = GetProcAddress(library, "bplugin_query_v1");
#else
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void *found;
  need(library != NULL, "the library does not load");
  found = dlsym(library, "bplugin_query_v1");
#endif
  memcpy(&query, &found, sizeof query);
  return query;
}

static const bp_descriptor *load(const char *path)
{
  query_function query = find_query(path);
  const bp_descriptor *d;
  need(query != NULL, "no bplugin_query_v1");
  d = query(BP_VERSION(1, 0), BP_VERSION(1, 0));
  need(d != NULL, "refused");
  need(query(BP_VERSION(7, 0), BP_VERSION(7, 9)) == NULL, "it should refuse a host of version 7");
  need(query(BP_VERSION(1, 0), BP_VERSION(1, 0)) == d, "it should say the same again");
  need(!memcmp(d->magic, BP_MAGIC, sizeof d->magic), "magic");
  need(d->struct_size >= sizeof *d, "short descriptor");
  need(d->api && d->api->struct_size >= sizeof *d->api, "short table");
  printf("loaded %s %s\n", d->id, d->version);
  return d;
}

/* ---- a Job ------------------------------------------------------------------------------------------------------- */

static bp_batch new_page(void)
{
  bp_batch batch;
  memset(&batch, 0, sizeof batch);
  batch.struct_size = sizeof batch;
  batch.stride = sizeof(bp_entry);
  batch.buf = take(PAGE_BYTES);
  batch.cap = PAGE_BYTES;
  batch.max_entries = 64;
  return batch;
}

static void clear_page(bp_batch *batch)
{
  memset(batch->buf, 0, (size_t)batch->max_entries * batch->stride);
  batch->count = batch->flags = 0;
  batch->heap_low = batch->cap;
}

static bp_begin why(uint32_t kind, uint32_t level)
{
  static char fileset[512];
  bp_begin begin;
  snprintf(fileset, sizeof fileset, "I\n%s %s\nN\n", *file_line == '/' ? "F" : "P", file_line);
  memset(&begin, 0, sizeof begin);
  begin.struct_size = sizeof begin;
  begin.kind = kind;
  begin.level = level;
  begin.job = "drive.2";
  begin.base_job = "";
  begin.fileset = kind == BP_KIND_RESTORE ? "" : fileset;
  begin.where = "";
  return begin;
}

/* What is said to the host itself, not to the agent. */
static int for_host(const char *argument)
{
  if (!strncmp(argument, "host:path=", 10))
    file_line = argument + 10;
  else if (!strcmp(argument, "host:wait=yes"))
    waits = 1;
  return !strncmp(argument, "host:", 5);
}

static bp_agent *instance(const bp_agent_api *api, int argc, char **argv, int incremental)
{
  static const char only[] = "incremental:";
  bp_agent *agent = NULL;
  need(api->create(&host, &agent) == BP_OK && agent, "create");
  for (int i = 2; i < argc; i++) {
    char pair[4096];
    char *equals;
    const char *argument = argv[i];
    if (for_host(argument))
      continue;
    if (!strncmp(argument, only, sizeof only - 1)) {
      if (!incremental)
        continue;
      argument += sizeof only - 1;
    }
    snprintf(pair, sizeof pair, "%s", argument);
    equals = strchr(pair, '=');
    need(equals != NULL, "options are key=value");
    *equals = 0;
    need(api->option(agent, pair, equals + 1) == BP_OK, "option");
  }
  need(!api->ready || api->ready(agent) == BP_OK, "ready");
  return agent;
}

#endif
