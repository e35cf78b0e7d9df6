/* SPDX-License-Identifier: MIT */
/*
 * good: an agent that keeps the contract, with a service that lives in memory. Every route of the ABI is taken once:
 * pages, inline data, fetch, streams with holes, extended attributes, a sequence as state, restore.
 *
 * Its service holds, below /@GOOD (README.md has the formulas, so that a test can compute every byte):
 *   small/0001 .. small/<files>   item k was written at sequence k
 *   big                           <big> bytes: data, hole, data, hole, a quarter each; sequence 0
 *   link                          a symbolic link to big; sequence 0
 * and the directories small and /@GOOD themselves, after their content.
 * A state is the highest sequence sent, as decimal text; with a state only items above it are listed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bplugin_sdk.h"

#define ROOT "/@GOOD"
#define FIRST_TIME 1700000000
enum contents { INLINE, FETCH, STREAM };
enum { COOKIE_BIG = 1u << 30, COOKIE_LINK, COOKIE_SMALL_DIR, COOKIE_ROOT };

struct bp_agent {
  const bp_host_api *host;
  uint32_t files, page, truncated;
  uint64_t big;
  enum contents contents;
  int restore_to_disk;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  uint64_t base, next;           /* highest sequence of the base; the item to list next */
  uint32_t kind, stream;
  int failed;                      /* something could not be read: the state stays that of the base */
  uint64_t cookie, position;       /* the open stream */
  char dest[4096];               /* the entry being restored */
  bp_entry entry;
  int fd;
  uint64_t restored, sum;
};

/* ---- the service ----------------------------------------------------------------------------------------------- */

/* Item k holds its own name, k % 50 times; item 50 is empty. */
static uint32_t small_data(uint64_t k, char *out)
{
  uint32_t n = 0;
  for (uint64_t i = 0; i < k % 50; i++)
    n += (uint32_t)sprintf(out + n, "%04u\n", (unsigned)k);
  return n;
}

static uint8_t big_byte(uint64_t i)
{
  return (uint8_t)(i ^ (i >> 8) ^ (i >> 16));
}

/* Item number -> cookie: the items of the walk in order, those the base has left out. */
static uint64_t item(const bp_agent *agent, uint64_t n)
{
  if (n < agent->files)
    return n + 1;
  return COOKIE_BIG + (n - agent->files);
}

static uint32_t describe(const bp_agent *agent, uint64_t cookie, bp_entry *entry, char *name)
{
  memset(entry, 0, sizeof *entry);
  entry->cookie = cookie;
  entry->valid = BP_HAS_MODE | BP_HAS_OWNER | BP_HAS_SIZE | BP_HAS_MTIME | BP_HAS_NLINK;
  entry->nlink = 1;
  entry->mtime.sec = FIRST_TIME;
#ifdef ONE_INODE /* which each of its files had for a while, one after the other */
  entry->valid |= BP_HAS_INO;
  entry->dev = entry->ino = 1;
  entry->nlink = 2;
#endif
  entry->type = BP_TYPE_REGULAR;
  entry->mode = 0644;
  switch (cookie) {
  case COOKIE_BIG:
    entry->size = agent->big;
    entry->streams = BP_STREAM_BIT(BP_STREAM_DATA);
    return (uint32_t)sprintf(name, ROOT "/big");
  case COOKIE_LINK:
    entry->type = BP_TYPE_SYMLINK;
    entry->mode = 0777;
    return (uint32_t)sprintf(name, ROOT "/link");
  case COOKIE_SMALL_DIR:
  case COOKIE_ROOT:
    entry->type = BP_TYPE_DIRECTORY;
    entry->mode = 0755;
    entry->nlink = 2;
    return (uint32_t)sprintf(name, cookie == COOKIE_ROOT ? ROOT : ROOT "/small");
  default:
    entry->size = (cookie % 50) * 5;
    entry->mtime.sec += (int64_t)cookie;
    entry->mtime.nsec = (uint32_t)cookie;
    entry->streams = BP_STREAM_BIT(BP_STREAM_DATA) | BP_STREAM_BIT(BP_STREAM_XATTR);
    return (uint32_t)sprintf(name, ROOT "/small/%04u", (unsigned)cookie);
  }
}

/* ---- the instance ---------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = calloc(1, sizeof *agent);
  *out = agent;
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->files = 8;
  agent->page = UINT32_MAX;
  agent->big = 1u << 20;
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  if (!strcmp(key, "files"))
    agent->files = (uint32_t)strtoul(value, NULL, 10);
  else if (!strcmp(key, "big"))
    agent->big = strtoull(value, NULL, 10);
  else if (!strcmp(key, "page"))
    agent->page = (uint32_t)strtoul(value, NULL, 10);
  else if (!strcmp(key, "truncated"))
    agent->truncated = (uint32_t)strtoul(value, NULL, 10);
  else if (!strcmp(key, "contents"))
    agent->contents = !strcmp(value, "fetch") ? FETCH : !strcmp(value, "stream") ? STREAM : INLINE;
  else if (!strcmp(key, "restore"))
    agent->restore_to_disk = !strcmp(value, "disk");
  else
    return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "unknown option %s", key);
  return BP_OK;
}

static bp_status BPLUGIN_CALL ready(bp_agent *agent)
{
  return agent->page ? BP_OK : bp_fail(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "page is 0, give at least 1");
}

static bp_status BPLUGIN_CALL extension(bp_agent *agent, const char *id, const void **out)
{
  (void)agent, (void)id;
  *out = NULL;
  return BP_E_UNSUPPORTED;
}

static bp_status BPLUGIN_CALL confirmed(bp_agent *agent, const char *job, const void *state, uint64_t len,
                                        uint32_t format)
{
  bp_logf(agent->host, BP_MSG_INFO, "confirmed %s: state %.*s, format %u", job, (int)len, (const char *)state,
          (unsigned)format);
  return BP_OK;
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  free(agent);
}

/* ---- a Job ----------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  char text[32] = "";
  bp_job *job = calloc(1, sizeof *job);
  *out = job;
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  job->host = host;
  job->kind = why->kind;
  job->fd = -1;
  if (why->state_why == BP_STATE_FOUND) {
    if (why->state_format == 1 && why->state_len < sizeof text) {
      memcpy(text, why->state, (size_t)why->state_len);
      job->base = strtoull(text, NULL, 10);
    }
    /* The service forgot what lies between: a journal that wrapped. Saying nothing would leave a hole. */
    if (!text[0] || job->base < agent->truncated) {
      free(job);
      *out = NULL;
      return bp_failf(host, BP_E_BASE, BP_OS_NONE, 0, "nothing is known after sequence %s", text);
    }
  } else if (why->level != BP_LEVEL_FULL && why->kind == BP_KIND_BACKUP) {
    bp_logf(host, BP_MSG_WARNING, "no state (reason %u): sending everything", (unsigned)why->state_why);
  }
  job->next = job->base;
  return BP_OK;
}

static bp_status add_contents(const bp_job *job, bp_page *page, uint64_t cookie, uint64_t streams)
{
  char data[50 * 5 + 1], value[16];
  if (cookie >= COOKIE_BIG)
    return BP_OK;
  if (streams & BP_STREAM_BIT(BP_STREAM_XATTR)) {
    uint32_t len = (uint32_t)sprintf(value, "%u", (unsigned)cookie);
    if (bp_page_xattr(page, "user.sequence", 13, value, len))
      return BP_PAGE_FULL;
  }
  if (streams & BP_STREAM_BIT(BP_STREAM_DATA) && job->agent->contents != STREAM)
    return bp_page_inline(page, data, small_data(cookie, data));
  return BP_OK;
}

/* One entry with what it brings along, or nothing of it. */
static bp_status add(const bp_job *job, bp_page *page, uint64_t cookie, uint64_t streams)
{
  char name[64];
  bp_entry entry;
  uint32_t len = describe(job->agent, cookie, &entry, name);
  int is_link = cookie == COOKIE_LINK;
  bp_status status;
  if (job->base)
    entry.flags |= BP_ENTRY_SELECTED; /* a sequence decided, not a clock */
  if (cookie == COOKIE_ROOT)
    entry.flags |= BP_ENTRY_TOP;
  status = bp_page_add(page, &entry, name, len, is_link ? "big" : NULL, is_link ? 3 : 0);
  if (status == BP_OK && add_contents(job, page, cookie, streams) != BP_OK) {
    bp_page_undo(page);
    status = bp_page_count(page) ? BP_PAGE_FULL : BP_E_TOO_BIG;
  }
  return status;
}

static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  const bp_agent *agent = job->agent;
  uint64_t items = agent->files + (job->base ? 0 : 4);
  int now = agent->contents != FETCH;
  char state[32];
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  for (; status == BP_OK && job->next < items; job->next++) {
    if (bp_cancelled(job->host))
      return BP_E_CANCELLED;
    if (bp_page_count(&page) >= agent->page)
      return BP_OK;
    status = add(job, &page, item(agent, job->next), now ? UINT64_MAX : 0);
    if (status != BP_OK)
      break;
  }
  if (status == BP_PAGE_FULL)
    return BP_OK;
  if (status != BP_OK)
    return status;
  if (bp_page_count(&page))
    return BP_OK;
  if (job->kind == BP_KIND_BACKUP) {
    int n = sprintf(state, "%llu", (unsigned long long)(job->failed ? job->base : agent->files));
    status = bp_put_state(job->host, state, (uint64_t)n, 1);
    if (status != BP_OK)
      return status;
  }
  return bp_page_end(&page, !job->base);
}

static bp_status BPLUGIN_CALL fetch(bp_job *job, const bp_want *wants, uint32_t count, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  for (uint32_t i = 0; status == BP_OK && i < count; i++)
    status = add(job, &page, wants[i].cookie, wants[i].streams);
  return status == BP_PAGE_FULL ? BP_OK : status;
}

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset,
                                          uint64_t *size)
{
  bp_entry entry;
  char name[64];
  (void)describe(job->agent, cookie, &entry, name);
  if (stream != BP_STREAM_DATA || !(entry.streams & BP_STREAM_BIT(BP_STREAM_DATA)))
    return BP_E_UNSUPPORTED;
  job->cookie = cookie;
  job->position = offset;
  *size = entry.size;
  return BP_OK;
}

static bp_status BPLUGIN_CALL read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  uint8_t *out = buf;
  uint64_t big = job->agent->big, quarter = big / 4, at = job->position, end, i;
  char data[50 * 5 + 1];
  if (bp_cancelled(job->host))
    return BP_E_CANCELLED;
  if (job->cookie < COOKIE_BIG) {
    uint32_t len = small_data(job->cookie, data);
    memcpy(buf, data, len);
    return bp_chunk_set(chunk, 0, len, 1);
  }
  if (at >= quarter && at < 2 * quarter)
    at = 2 * quarter; /* the hole in the middle: the next offset says it */
  if (at >= 3 * quarter)
    return bp_chunk_set(chunk, big, 0, 1); /* the hole at the end */
  end = at < quarter ? quarter : 3 * quarter;
  if (end - at > cap)
    end = at + cap;
  for (i = at; i < end; i++)
    out[i - at] = big_byte(i);
  job->position = end;
  return bp_chunk_set(chunk, at, end - at, 0);
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  job->failed |= how != BP_OK;
  return BP_OK;
}

/* ---- restore --------------------------------------------------------------------------------------------------- */

static bp_status make_parents(const bp_job *job)
{
  char path[sizeof job->dest];
  strcpy(path, job->dest);
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(path, 0755) && errno != EEXIST)
      return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "mkdir %s", path);
    *slash = '/';
  }
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                            uint32_t replace, uint32_t *action)
{
  struct stat have;
  bp_status status;
  char link[256];
  job->entry = *entry;
  job->restored = job->sum = 0;
  if (strlen(dest) >= sizeof job->dest || entry->link_len >= sizeof link)
    return BP_E_TOO_BIG;
  strcpy(job->dest, dest);
  *action = entry->type == BP_TYPE_REGULAR ? BP_ACTION_WANT : BP_ACTION_CREATED;
  if (!job->agent->restore_to_disk)
    return BP_OK;
  if (!lstat(dest, &have) && entry->type != BP_TYPE_DIRECTORY
      && (replace == BP_REPLACE_NEVER || (replace == BP_REPLACE_IFNEWER && have.st_mtime >= entry->mtime.sec)
          || (replace == BP_REPLACE_IFOLDER && have.st_mtime <= entry->mtime.sec))) {
    *action = BP_ACTION_SKIP;
    return BP_OK;
  }
  status = make_parents(job);
  if (status != BP_OK)
    return status;
  if (entry->type == BP_TYPE_DIRECTORY)
    return mkdir(dest, 0755) && errno != EEXIST
               ? bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "mkdir %s", dest)
               : BP_OK;
  (void)unlink(dest);
  if (entry->type == BP_TYPE_SYMLINK) {
    memcpy(link, (const char *)base + entry->link_off, entry->link_len);
    link[entry->link_len] = 0;
    return symlink(link, dest) ? bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "symlink %s", dest) : BP_OK;
  }
  job->fd = open(dest, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)entry->mode & 0777);
  return job->fd < 0 ? bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "create %s", dest) : BP_OK;
}

static bp_status BPLUGIN_CALL restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)size;
  job->stream = stream;
  return BP_OK;
}

static bp_status BPLUGIN_CALL write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  const uint8_t *data = buf;
  if (job->stream != BP_STREAM_DATA)
    return BP_OK;
  for (uint64_t i = 0; i < chunk->len; i++)
    job->sum = (job->sum + (chunk->offset + i + 1) * data[i]) & 0xffffffffu;
  job->restored = chunk->offset + chunk->len;
  if (job->fd >= 0) {
    for (uint64_t done = 0; done < chunk->len;) {
      ssize_t n = pwrite(job->fd, data + done, chunk->len - done, (off_t)(chunk->offset + done));
      if (n < 0)
        return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "write %s", job->dest);
      done += (uint64_t)n;
    }
    if (chunk->flags & BP_CHUNK_LAST && ftruncate(job->fd, (off_t)job->restored))
      return bp_fail_errno(job->host, bp_status_of_errno(errno), errno, "size of %s", job->dest);
  }
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_done(bp_job *job, bp_status how)
{
  struct timespec times[2] = { { 0, UTIME_OMIT }, { job->entry.mtime.sec, (long)job->entry.mtime.nsec } };
  if (job->fd >= 0) {
    (void)futimens(job->fd, times);
    close(job->fd);
    job->fd = -1;
  }
  bp_logf(job->host, BP_MSG_DEBUG, "restored %s: %llu bytes, sum %llu, status %d", job->dest,
          (unsigned long long)job->restored, (unsigned long long)job->sum, (int)how);
  return BP_OK;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static bp_status BPLUGIN_CALL commit(bp_job *job)
{
  bp_logf(job->host, BP_MSG_DEBUG, "commit");
  return BP_OK;
}

static bp_status BPLUGIN_CALL cancel(bp_job *job)
{
  (void)job; /* nothing here blocks; the cancel word is polled */
  return BP_OK;
}

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  bp_logf(job->host, BP_MSG_DEBUG, "end %u", (unsigned)outcome);
  if (job->fd >= 0)
    close(job->fd);
  free(job);
  return BP_OK;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .ready = ready, .extension = extension,
  .begin = begin, .next_entries = next_entries, .fetch = fetch, .open_stream = open_stream, .read = read_chunk,
  .close_stream = close_stream, .restore_entry = restore_entry, .restore_stream = restore_stream,
  .write = write_chunk, .restore_done = restore_done, .commit = commit, .cancel = cancel, .end = end,
  .confirmed = confirmed, .destroy = destroy,
};

static const bp_option options[] = {
  { "files", "how many small items there are", NULL, "8", BP_OPTION_INT, BP_OPTION_FROM_DIRECTOR },
  { "big", "bytes of the large item", NULL, "1048576", BP_OPTION_SIZE, BP_OPTION_FROM_DIRECTOR },
  { "page", "entries of a page at most", NULL, NULL, BP_OPTION_INT, 0 },
  { "truncated", "sequences up to this one are forgotten: a state below is no base", NULL, "0", BP_OPTION_INT, 0 },
  { "contents", "how small items travel", "inline|fetch|stream", "inline", BP_OPTION_ENUM, 0 },
  { "restore", "where a restore goes: nowhere but a message, or the file system", "memory|disk", "memory",
    BP_OPTION_ENUM, 0 },
};
static const char *const claims[] = { ROOT, NULL };
static const char *const aliases[] = { "fine", NULL };

static const bp_descriptor descriptor = {
  .magic = BP_MAGIC, .struct_size = sizeof(bp_descriptor), .header = BP_HEADER_VERSION,
  .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0), .option_size = sizeof(bp_option),
  .format = 1, .id = "good", .version = "1.0", .vendor = "filed tests", .license = "MIT",
  .aliases = aliases, .claims = claims, .options = options, .n_options = sizeof options / sizeof options[0],
  .api = &api,
};
BPLUGIN_DEFINE(descriptor);
