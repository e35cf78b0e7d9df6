/* SPDX-License-Identifier: MIT */
/*
 * cancel: begins one backup after the other, and has each canceled by another thread while this one asks for entries and
 * reads: sooner or later each time. Its use is to run agents under the thread sanitizer.
 *
 *   cancel LIBRARY [key=value]...      as drive.c; a `host:path` that does not begin with `/` is a Plugin line
 *
 * Prints how many backups were canceled, and how many had come to their end before.
 */
#include <pthread.h>
#include <sched.h>

#include "host.h"

/* The latest cancel comes with the first read: of a command that says nothing there is no other. */
enum { BACKUPS = 40, CALLS = 4, BUFFER_BYTES = 64 << 10 };

static uint32_t calls; /* begun by the thread of the Job */
static uint8_t buffer[BUFFER_BYTES];

typedef struct canceling {
  const bp_agent_api *api;
  bp_job *job;
  uint32_t at; /* the call */
} canceling;

static void *cancel(void *argument)
{
  const canceling *c = argument;
  while (__atomic_load_n(&calls, __ATOMIC_RELAXED) < c->at) /* relaxed: it must not order what the agent does */
    sched_yield();
#ifdef RACE /* what the contract does not allow: for the test that a race is found */
  cancel_word = 1;
#else
  __atomic_store_n(&cancel_word, 1, __ATOMIC_RELAXED);
#endif
  need(!c->api->cancel || c->api->cancel(c->job) == BP_OK, "cancel");
  return NULL;
}

static void begin_call(void)
{
  __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
}

static bp_status read_all(const bp_agent_api *api, bp_job *job, uint64_t cookie)
{
  uint64_t size;
  bp_status status;
  bp_chunk chunk;
  begin_call();
  status = api->open_stream(job, cookie, BP_STREAM_DATA, 0, &size);
  if (status != BP_OK)
    return status;
  do {
    memset(&chunk, 0, sizeof chunk);
    begin_call();
    status = api->read(job, buffer, sizeof buffer, &chunk);
  } while (status == BP_OK && !(chunk.flags & BP_CHUNK_LAST));
  need(api->close_stream(job, status) == BP_OK, "close_stream");
  return status;
}

/* To the end of the list, or until a call says that the Job is canceled. What fails for another reason is left out. */
static bp_status walk(const bp_agent_api *api, bp_job *job, bp_batch *page)
{
  bp_status status = BP_OK;
  while (status == BP_OK) {
    clear_page(page);
    begin_call();
    status = api->next_entries(job, page);
    for (uint32_t i = 0; status >= BP_OK && i < page->count; i++) {
      bp_entry entry;
      bp_status read = BP_OK;
      memcpy(&entry, (uint8_t *)page->buf + (size_t)i * page->stride, sizeof entry);
      if (entry.streams & BP_STREAM_BIT(BP_STREAM_DATA) && !(entry.flags & BP_ENTRY_FAILED))
        read = read_all(api, job, entry.cookie);
      if (read == BP_E_CANCELLED)
        status = read;
    }
  }
  return status;
}

int main(int argc, char **argv)
{
  const bp_agent_api *api;
  uint32_t canceled = 0;
  bp_batch page = new_page();
  need(argc >= 2, "give a library");
  api = load(argv[1])->api;
  for (uint32_t n = 0; n < BACKUPS; n++) {
    bp_agent *agent = instance(api, argc, argv, 0);
    bp_begin begin = why(BP_KIND_BACKUP, BP_LEVEL_FULL);
    canceling c = { api, NULL, n % CALLS };
    pthread_t thread;
    bp_status status;
    need(api->begin(agent, &host, &begin, &c.job) == BP_OK && c.job, "begin");
    need(pthread_create(&thread, NULL, cancel, &c) == 0, "a thread");
    status = walk(api, c.job, &page);
    need(status == BP_E_CANCELLED || status == BP_END, "it fails for another reason");
    canceled += status == BP_E_CANCELLED;
    __atomic_store_n(&calls, UINT32_MAX / 2, __ATOMIC_RELAXED); /* one that waits for a later call cancels now, as a host may */
    need(pthread_join(thread, NULL) == 0, "the end of a thread");
    need(api->end(c.job, BP_OUTCOME_CANCELLED) == BP_OK, "end");
    api->destroy(agent);
    cancel_word = calls = 0;
  }
  free(page.buf);
  printf("canceled %u of %u\n", (unsigned)canceled, (unsigned)BACKUPS);
  return 0;
}
