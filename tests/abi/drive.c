/* SPDX-License-Identifier: MIT */
/*
 * drive: a host of some hundred lines, in C, for Linux and Windows. It loads one agent and takes it through a backup,
 * an incremental from the state, a restore of all that was saved, and a cancel; what it sees it prints, a line each.
 *
 *   drive LIBRARY [key=value]...       options for the agent; `incremental:key=value` only from the second Job on
 *
 * `host:path=PATH` is the File line, instead of `/`; with `host:wait=yes` it says `next incremental` and `next restore`, and
 * goes on when it has got a line: so that others can change the source in between.
 *
 * It keeps to the contract and checks what an agent hands over only as far as it has to walk through it: the host's
 * checks are tested elsewhere. Its use is to run agents under sanitizers and under Windows.
 */
#include "host.h"

#define BUFFER_BYTES (64u << 10)
#define MAX_SAVED 10000

typedef struct saved {
  char *name, *link;
  bp_entry entry;
  uint8_t *data;
  uint64_t len;
} saved;

static saved store[MAX_SAVED];
static uint32_t n_saved;

/* ---- backup ---------------------------------------------------------------------------------------------------- */

static char *text_at(const bp_batch *batch, uint32_t offset, uint32_t len)
{
  char *text = (char *)take((size_t)len + 1);
  need(!len || (offset >= batch->heap_low && (uint64_t)offset + len <= batch->cap), "a part outside of the heap");
  memcpy(text, (char *)batch->buf + offset, len);
  return text;
}

/* Holes become zeros. */
static void read_stream(const bp_agent_api *api, bp_job *job, saved *one)
{
  uint8_t *buffer = (uint8_t *)take(BUFFER_BYTES);
  uint64_t size = 0;
  bp_chunk chunk;
  need(api->open_stream(job, one->entry.cookie, BP_STREAM_DATA, 0, &size) == BP_OK, "open_stream");
  do {
    memset(&chunk, 0, sizeof chunk);
    need(api->read(job, buffer, BUFFER_BYTES, &chunk) == BP_OK, "read");
    need(chunk.offset >= one->len && chunk.len <= BUFFER_BYTES, "chunk");
    need(chunk.len || chunk.flags & BP_CHUNK_LAST, "no bytes and not the last");
    one->data = (uint8_t *)realloc(one->data, (size_t)(chunk.offset + chunk.len + 1));
    need(one->data != NULL, "memory");
    memset(one->data + one->len, 0, (size_t)(chunk.offset - one->len));
    memcpy(one->data + chunk.offset, buffer, (size_t)chunk.len);
    one->len = chunk.offset + chunk.len;
  } while (!(chunk.flags & BP_CHUNK_LAST));
  need(api->close_stream(job, BP_OK) == BP_OK, "close_stream");
  free(buffer);
}

static uint32_t sum(const uint8_t *data, uint64_t len)
{
  uint32_t total = 0;
  for (uint64_t i = 0; i < len; i++)
    total += (uint32_t)(i + 1) * data[i];
  return total;
}

/* Small streams: of them only a restore object is kept. */
static void read_object(const bp_batch *batch, saved *one)
{
  bp_tlv_reader reader;
  bp_tlv tlv;
  bp_tlv_begin(&reader, (char *)batch->buf + one->entry.tlv_off, one->entry.tlv_len);
  while (bp_tlv_next(&reader, &tlv) == BP_OK)
    if (tlv.stream == BP_STREAM_OBJECT) {
      one->data = (uint8_t *)take(tlv.len);
      memcpy(one->data, tlv.data, tlv.len);
      one->len = tlv.len;
    }
}

static void save(const bp_agent_api *api, bp_job *job, const bp_batch *batch, uint32_t number)
{
  saved *one = &store[n_saved++];
  need(n_saved <= MAX_SAVED, "too many entries");
  memcpy(&one->entry, (char *)batch->buf + (size_t)number * batch->stride, sizeof one->entry);
  one->name = text_at(batch, one->entry.name_off, one->entry.name_len);
  one->link = text_at(batch, one->entry.link_off, one->entry.link_len);
  if (one->entry.inline_off) {
    one->data = (uint8_t *)text_at(batch, one->entry.inline_off, one->entry.inline_len);
    one->len = one->entry.inline_len;
  } else if (one->entry.type == BP_TYPE_OBJECT) {
    read_object(batch, one);
  } else if (one->entry.streams & BP_STREAM_BIT(BP_STREAM_DATA)) {
    read_stream(api, job, one);
  }
  printf("saved %s: %llu bytes, sum %u%s\n", one->name, (unsigned long long)one->len,
         (unsigned)(one->len ? sum(one->data, one->len) : 0), one->entry.flags & BP_ENTRY_SELECTED ? ", selected" : "");
}

/* All pages of one Job. With `fetch`, small data comes that way. */
static void walk(const bp_agent_api *api, bp_job *job)
{
  bp_batch page = new_page(), fetched = new_page();
  bp_want wants[64];
  bp_status status;
  do {
    clear_page(&page);
    status = api->next_entries(job, &page);
    need(status == BP_OK || status == BP_END, "next_entries");
    for (uint32_t i = 0; i < page.count && !api->fetch; i++)
      save(api, job, &page, i);
    for (uint32_t i = 0; i < page.count && api->fetch; i++) {
      bp_entry entry;
      memcpy(&entry, (char *)page.buf + (size_t)i * page.stride, sizeof entry);
      wants[i].cookie = entry.cookie;
      wants[i].streams = entry.streams;
      wants[i].options = 0;
    }
    for (uint32_t done = 0; done < page.count && api->fetch; done += fetched.count) {
      clear_page(&fetched);
      need(api->fetch(job, wants + done, page.count - done, &fetched) == BP_OK, "fetch");
      need(fetched.count && fetched.count <= page.count - done, "fetch gave none, or too many");
      for (uint32_t i = 0; i < fetched.count; i++)
        save(api, job, &fetched, i);
    }
  } while (status == BP_OK);
  printf("end of list%s\n", page.flags & BP_BATCH_COMPLETE ? ", complete" : "");
  free(page.buf);
  free(fetched.buf);
}

static void backup(const bp_agent_api *api, bp_agent *agent, const bp_begin *begin)
{
  bp_job *job = NULL;
  need(api->begin(agent, &host, begin, &job) == BP_OK && job, "begin");
  walk(api, job);
  need(!api->commit || api->commit(job) == BP_OK, "commit");
  need(api->end(job, BP_OUTCOME_DONE) == BP_OK, "end");
}

/* ---- restore --------------------------------------------------------------------------------------------------- */

static void restore_data(const bp_agent_api *api, bp_job *job, const saved *one)
{
  uint64_t at = 0;
  uint32_t stream = one->entry.type == BP_TYPE_OBJECT ? BP_STREAM_OBJECT : BP_STREAM_DATA;
  need(api->restore_stream(job, stream, one->len) == BP_OK, "restore_stream");
  do {
    bp_chunk chunk;
    uint64_t n = one->len - at < BUFFER_BYTES ? one->len - at : BUFFER_BYTES;
    bp_chunk_set(&chunk, at, n, at + n == one->len);
    need(api->write(job, one->len ? one->data + at : one->data, &chunk) == BP_OK, "write");
    at += n;
  } while (at < one->len);
}

/* Objects come before all else. */
static void restore(const bp_agent_api *api, bp_agent *agent)
{
  bp_begin begin = why(BP_KIND_RESTORE, BP_LEVEL_NONE);
  bp_job *job = NULL;
  char *base;
  need(api->begin(agent, &host, &begin, &job) == BP_OK && job, "begin of a restore");
  for (uint32_t n = 0; n < 2 * n_saved; n++) {
    const saved *one = &store[n % n_saved];
    bp_entry entry = one->entry;
    uint32_t action = BP_ACTION_NONE;
    size_t name = strlen(one->name), link = strlen(one->link);
    if ((entry.type == BP_TYPE_OBJECT) != (n < n_saved))
      continue;
    base = (char *)take(name + link);
    memcpy(base, one->name, name);
    memcpy(base + name, one->link, link);
    entry.name_off = 0;
    entry.link_off = (uint32_t)name;
    entry.inline_off = entry.inline_len = entry.tlv_off = entry.tlv_len = 0;
    need(api->restore_entry(job, &entry, base, one->name, BP_REPLACE_ALWAYS, &action) == BP_OK, "restore_entry");
    free(base);
    if (action == BP_ACTION_WANT)
      restore_data(api, job, one);
    if (action == BP_ACTION_WANT || action == BP_ACTION_CREATED)
      need(api->restore_done(job, BP_OK) == BP_OK, "restore_done");
  }
  need(!api->commit || api->commit(job) == BP_OK, "commit of a restore");
  need(api->end(job, BP_OUTCOME_DONE) == BP_OK, "end of a restore");
  printf("restored %u\n", (unsigned)n_saved);
}

static void cancelled(const bp_agent_api *api, bp_agent *agent)
{
  bp_begin begin = why(BP_KIND_BACKUP, BP_LEVEL_FULL);
  bp_batch page = new_page();
  bp_job *job = NULL;
  need(api->begin(agent, &host, &begin, &job) == BP_OK && job, "begin before a cancel");
  cancel_word = 1;
  need(!api->cancel || api->cancel(job) == BP_OK, "cancel");
  printf("after a cancel: %d\n", (int)api->next_entries(job, &page));
  need(api->end(job, BP_OUTCOME_CANCELLED) == BP_OK, "end after a cancel");
  cancel_word = 0;
  free(page.buf);
}

/* ---- the script ------------------------------------------------------------------------------------------------ */

static void wait_before(const char *what)
{
  char line[16];
  if (!waits)
    return;
  printf("next %s\n", what);
  fflush(stdout);
  need(fgets(line, sizeof line, stdin) != NULL, "nobody says to go on");
}

int main(int argc, char **argv)
{
  const bp_descriptor *d;
  const bp_agent_api *api;
  bp_agent *agent;
  bp_begin begin;
  char state[sizeof context.state];
  need(argc >= 2, "give a library");
  d = load(argv[1]);
  api = d->api;

  agent = instance(api, argc, argv, 0);
  begin = why(BP_KIND_BACKUP, BP_LEVEL_FULL);
  backup(api, agent, &begin);
  printf("state %.*s\n", (int)context.state_len, context.state);
  api->destroy(agent);

  wait_before("incremental");
  agent = instance(api, argc, argv, 1);
  begin = why(BP_KIND_BACKUP, BP_LEVEL_INCREMENTAL);
  memcpy(state, context.state, sizeof state);
  begin.state_why = BP_STATE_FOUND;
  begin.base_job = "drive.1";
  begin.state = state;
  begin.state_len = context.state_len;
  begin.state_format = context.state_format;
  if (api->confirmed)
    need(api->confirmed(agent, begin.base_job, state, begin.state_len, begin.state_format) == BP_OK, "confirmed");
  backup(api, agent, &begin);
  printf("state %.*s\n", (int)context.state_len, context.state);
  wait_before("restore");
  restore(api, agent);
  cancelled(api, agent);
  api->destroy(agent);
  for (uint32_t i = 0; i < n_saved; i++) {
    free(store[i].name);
    free(store[i].link);
    free(store[i].data);
  }
  printf("done\n");
  return 0;
}
