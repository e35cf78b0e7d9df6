/*
 * The calls of a restore for a page of whole entries: the loop that Caller and AgentJob are, for the case that all goes well.
 *
 * Every call is marked in the status page before and after, as Caller does it. The loop comes back as soon as there is something to
 * judge: an answer that is not plain success, something said by a callback, a cancel. Where it stands is kept, and the next
 * hand_over() goes on with what the contract has next. The page is the host's own, see page.h.
 */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "abi_numbers.h" /* CALL_*: also what comes next. PAGE_*: words of 32 bits, of 64 (CALL, PROGRESS), bytes (TEXT, MAX) */
#include "bplugin.h"
#include "page.h"

#define API __attribute__((visibility("default")))

enum { CLONED = 71 };

typedef struct restore_loop {
  const bp_agent_api *api;
  bp_job *job;
  uint8_t *status_page;
  const uint32_t *trouble;   /* of Callbacks */
  uint64_t slot_bits;        /* the agent's, for the status page */
  int32_t  pid;
  uint32_t replace;
  /* where it stands */
  uint64_t at;               /* of the item in the page */
  uint64_t stream;           /* in the item */
  uint32_t next;             /* which call */
  uint32_t wants_data;
  /* the last call */
  uint64_t item;             /* whose it was */
  int32_t  status;
  uint32_t action;
  uint64_t number;           /* of the stream, for restore_stream and write */
  /* so far */
  uint64_t restored, skipped, bytes;
  uint64_t untaken;          /* content of the last item that the agent made without */
} restore_loop;

static void set_entry(const restore_loop *h, const char *name, uint32_t length)
{
  uint32_t *words = (uint32_t *)h->status_page;
  if (length > PAGE_ENTRY_MAX)
    length = PAGE_ENTRY_MAX;
  __atomic_store_n(&words[PAGE_ENTRY_LENGTH], 0, __ATOMIC_RELEASE); /* never a length that belongs to other bytes */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  memcpy(h->status_page + PAGE_ENTRY_TEXT, name, length);
  __atomic_store_n(&words[PAGE_ENTRY_LENGTH], length, __ATOMIC_RELEASE);
}

static void before(const restore_loop *h, uint64_t call)
{
  __atomic_store_n((uint64_t *)h->status_page + PAGE_CALL, call | h->slot_bits, __ATOMIC_RELEASE);
}

/* Is the call to be judged? */
static int after(const restore_loop *h)
{
  uint64_t *words = (uint64_t *)h->status_page;
  if (getpid() != h->pid)
    _exit(CLONED); /* the agent forked, and its copy of this Job came back: it must not do a thing */
  __atomic_store_n(&words[PAGE_CALL], 0, __ATOMIC_RELEASE);
  __atomic_store_n(&words[PAGE_PROGRESS], words[PAGE_PROGRESS] + 1, __ATOMIC_RELEASE);
  return h->status != BP_OK || __atomic_load_n(h->trouble, __ATOMIC_ACQUIRE)
         || __atomic_load_n((uint32_t *)h->status_page + PAGE_CANCEL, __ATOMIC_ACQUIRE);
}

static void next_item(restore_loop *h, const item *i)
{
  h->at += i->size;
  h->next = CALL_RESTORE_ENTRY;
}

/* The next of its streams that the agent is to have, or its end. */
static void next_stream(restore_loop *h, const item *i)
{
  h->next = CALL_RESTORE_DONE;
  while (h->stream < i->size) {
    const stream *s = (const stream *)((const uint8_t *)i + h->stream);
    if (s->number != BP_STREAM_DATA || h->wants_data) {
      h->next = CALL_RESTORE_STREAM;
      return;
    }
    h->untaken += s->length;
    h->stream += sizeof *s + padded(s->length);
  }
}

static int judged_entry(restore_loop *h, const item *i)
{
  const char *dest = (const char *)i + i->dest;
  int stop;
  set_entry(h, dest, i->dest_len);
  h->action = BP_ACTION_NONE;
  h->stream = i->streams;
  h->untaken = 0;
  before(h, CALL_RESTORE_ENTRY);
  h->status = h->api->restore_entry(h->job, &i->entry, &i->entry, dest, h->replace, &h->action);
  stop = after(h);
  h->wants_data = h->action == BP_ACTION_WANT;
  if (h->status == BP_OK && (h->wants_data || h->action == BP_ACTION_CREATED)) {
    next_stream(h, i);
    return stop || h->untaken;
  }
  next_item(h, i);
  if (h->status != BP_OK || h->action != BP_ACTION_SKIP)
    return 1;
  h->skipped++;
  return stop;
}

static int judged_stream(restore_loop *h, const item *i)
{
  const stream *s = (const stream *)((const uint8_t *)i + h->stream);
  int stop;
  h->number = s->number;
  if (s->number == BP_STREAM_DATA)
    h->bytes += s->length;
  before(h, CALL_RESTORE_STREAM);
  h->status = h->api->restore_stream(h->job, s->number, s->announced);
  stop = after(h);
  h->next = CALL_WRITE;
  if (h->status != BP_OK) { /* unsupported: without it */
    h->stream += sizeof *s + padded(s->length);
    next_stream(h, i);
  }
  return stop;
}

static int judged_write(restore_loop *h, const item *i)
{
  const stream *s = (const stream *)((const uint8_t *)i + h->stream);
  const bp_chunk chunk = { .len = s->length, .flags = BP_CHUNK_LAST };
  int stop;
  before(h, CALL_WRITE);
  h->status = h->api->write(h->job, s + 1, &chunk);
  stop = after(h);
  h->stream += sizeof *s + padded(s->length);
  next_stream(h, i);
  return stop;
}

static int judged_done(restore_loop *h, const item *i)
{
  int stop;
  before(h, CALL_RESTORE_DONE);
  h->status = h->api->restore_done(h->job, BP_OK);
  stop = after(h);
  h->restored += h->status == BP_OK;
  next_item(h, i);
  return stop;
}

/* Goes on from where it stands to `end`. 0: all is done; else the number of the call that is to be judged. */
API uint32_t hand_over(restore_loop *h, const uint8_t *page, uint64_t end);
uint32_t hand_over(restore_loop *h, const uint8_t *page, uint64_t end)
{
  while (h->at < end) {
    const item *i = (const item *)(page + h->at);
    uint32_t call = h->next;
    int stop;
    h->item = h->at;
    switch (call) {
    case CALL_RESTORE_STREAM: stop = judged_stream(h, i); break;
    case CALL_WRITE: stop = judged_write(h, i); break;
    case CALL_RESTORE_DONE: stop = judged_done(h, i); break;
    default: stop = judged_entry(h, i); break;
    }
    if (stop)
      return call;
  }
  return 0;
}
