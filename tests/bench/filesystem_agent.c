/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filesystem agent costs without a host: microseconds an entry for listing, for fetching small files and for
 * reading large ones.
 *
 *   gcc -O2 -Iabi tests/bench/filesystem_agent.c -o build/filesystem_agent -ldl
 *   build/filesystem_agent filed/_agents/filesystem.so /usr [list|fetch|attributes|all]
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bplugin_sdk.h"

static uint32_t cancel;
static uint64_t heartbeat, directories;

static bp_status say(bp_ctx *ctx, int32_t severity, const char *text, uint32_t len)
{
  (void)ctx;
  if (severity >= BP_MSG_WARNING)
    fprintf(stderr, "%.*s\n", (int)len, text);
  return BP_OK;
}

static bp_status fail(bp_ctx *ctx, bp_status status, int32_t domain, int64_t number, const char *text, uint32_t len)
{
  (void)ctx, (void)domain;
  fprintf(stderr, "%d, error %lld: %.*s\n", status, (long long)number, (int)len, text);
  return BP_OK;
}

static bp_status match(bp_ctx *ctx, const char *path, uint32_t len, const bp_entry *entry, uint32_t *verdict)
{
  (void)ctx, (void)path, (void)len, (void)entry;
  directories++;
  *verdict = BP_VERDICT_TAKE;
  return BP_OK;
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(bp_status status, const char *call)
{
  if (status < 0) {
    fprintf(stderr, "%s: %d\n", call, status);
    exit(1);
  }
}

int main(int argc, char **argv)
{
  enum { MOST = 256, PAGE = 1 << 20, FETCHED = 4 << 20, PIECE = 256 << 10 };
  bp_host_api host = { .struct_size = sizeof host, .version = BP_HEADER_VERSION, .cancel = &cancel,
                       .heartbeat = &heartbeat, .message = say, .fail = fail, .match = match };
  const bp_descriptor *(*query)(uint32_t, uint32_t);
  const bp_agent_api *api;
  bp_begin why = { .struct_size = sizeof why, .kind = BP_KIND_BACKUP, .job = "", .base_job = "", .where = "" };
  uint64_t *page = malloc(PAGE), *fetched = malloc(FETCHED), entries = 0, inlined = 0, streamed = 0, bytes = 0;
  const char *what = argc > 3 ? argv[3] : "list";
  bp_want wants[MOST];
  bp_status status;
  bp_agent *agent;
  bp_job *job;
  char *fileset;
  char *piece = malloc(PIECE);
  void *library;
  double start;
  if (argc < 3 || !(library = dlopen(argv[1], RTLD_NOW)))
    return fprintf(stderr, "usage: filesystem_agent LIBRARY PATH [list|fetch|attributes|all]\n%s\n", argc < 3 ? "" : dlerror()), 2;
  query = (const bp_descriptor *(*)(uint32_t, uint32_t))dlsym(library, "bplugin_query_v1");
  api = query(BP_HEADER_VERSION, BP_HEADER_VERSION)->api;
  fileset = malloc(strlen(argv[2]) + 20);
  sprintf(fileset, "I\nF %s\nN\n", argv[2]);
  why.fileset = fileset;
  check(api->create(&host, &agent), "create");
  check(api->begin(agent, &host, &why, &job), "begin");
  start = now();
  do {
    bp_batch batch = { .struct_size = sizeof batch, .stride = sizeof(bp_entry), .buf = page, .cap = PAGE, .max_entries = MOST };
    uint32_t count = 0;
    check(status = api->next_entries(job, &batch), "next_entries");
    entries += batch.count;
    if (!strcmp(what, "list"))
      continue;
    for (uint32_t i = 0; i < batch.count; i++) {
      const bp_entry *entry = (const bp_entry *)((char *)page + i * sizeof(bp_entry));
      uint64_t data = BP_STREAM_BIT(BP_STREAM_DATA);
      if (!(entry->flags & BP_ENTRY_FAILED))
        wants[count++] = (bp_want){ entry->cookie, entry->streams & (!strcmp(what, "fetch") ? data : !strcmp(what, "all") ? ~0ull : ~data), 0 };
    }
    for (uint32_t done = 0; done < count;) {
      bp_batch more = { .struct_size = sizeof more, .stride = sizeof(bp_entry), .buf = fetched, .cap = FETCHED, .max_entries = MOST };
      check(api->fetch(job, wants + done, count - done, &more), "fetch");
      for (uint32_t i = 0; i < more.count; i++) {
        const bp_entry *entry = (const bp_entry *)((char *)fetched + i * sizeof(bp_entry));
        bp_chunk chunk = { 0 };
        uint64_t size;
        if (entry->inline_off) {
          inlined++;
          bytes += entry->inline_len;
        } else if (entry->type == BP_TYPE_REGULAR && wants[done + i].streams & 1) {
          check(api->open_stream(job, entry->cookie, BP_STREAM_DATA, 0, &size), "open_stream");
          while (!(chunk.flags & BP_CHUNK_LAST)) {
            check(api->read(job, piece, PIECE, &chunk), "read");
            bytes += chunk.len;
          }
          api->close_stream(job, BP_OK);
          streamed++;
        }
      }
      done += more.count;
    }
  } while (status != BP_END);
  start = now() - start;
  printf("%s: %llu entries, %llu directories, %llu inline, %llu streamed, %.1f MB; %.3f s, %.2f us an entry, %.0f MB/s\n",
         what, (unsigned long long)entries, (unsigned long long)directories, (unsigned long long)inlined,
         (unsigned long long)streamed, (double)bytes / 1e6, start, start * 1e6 / (double)entries, (double)bytes / 1e6 / start);
  api->end(job, BP_OUTCOME_DONE);
  api->destroy(agent);
  return 0;
}
