/* SPDX-License-Identifier: MIT */
/*
 * atime: saves the files of its File lines by `fetch`, plain, and does as the FileSet says about access times with the
 * option obeys=yes, without it as it comes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bplugin_sdk.h"

struct bp_agent {
  int obeys;
};

struct bp_job {
  bp_agent *agent;
  char path[4096];
  int listed;
};

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  (void)host;
  return (*out = calloc(1, sizeof **out)) ? BP_OK : BP_E_NOMEM;
}

static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  (void)key;
  agent->obeys = !strcmp(value, "yes");
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job = *out = calloc(1, sizeof *job);
  bp_fileset lines;
  char code[4];
  uint32_t len;
  (void)host;
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  bp_fileset_begin(&lines, why->fileset);
  while (bp_fileset_next(&lines, code, job->path, sizeof job->path, &len) == BP_OK)
    if (!strcmp(code, "F"))
      return BP_OK;
  return BP_OK;
}

static bp_status add(bp_job *job, bp_batch *batch, uint64_t options, int inline_too)
{
  static char data[65536];
  bp_entry entry = { .cookie = 1, .type = BP_TYPE_REGULAR, .streams = BP_STREAM_BIT(BP_STREAM_DATA), .flags = BP_ENTRY_TOP };
  struct stat st;
  ssize_t n = 0;
  int fd;
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  if (status == BP_OK)
    status = bp_page_add(&page, &entry, job->path, (uint32_t)strlen(job->path), NULL, 0);
  if (status != BP_OK || !inline_too)
    return status;
  fd = open(job->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) || (n = read(fd, data, sizeof data)) < 0)
    return BP_E_FAIL;
  if (job->agent->obeys && options & (BP_OPT_NOATIME | BP_OPT_KEEPATIME)) {
    struct timespec times[2] = { st.st_atim, { 0, UTIME_OMIT } };
    (void)futimens(fd, times);
  }
  close(fd);
  return bp_page_inline(&page, data, (uint32_t)n);
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_status status;
  if (!job->listed++)
    return add(job, batch, 0, 0);
  status = bp_page_init(&page, batch);
  return status == BP_OK ? bp_page_end(&page, 0) : status;
}

static bp_status fetch(bp_job *job, const bp_want *wants, uint32_t count, bp_batch *batch)
{
  (void)count;
  return add(job, batch, wants->options, 1);
}

static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  (void)job, (void)cookie, (void)stream, (void)offset, (void)size;
  return BP_E_UNSUPPORTED;
}

static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  (void)job, (void)buf, (void)cap, (void)chunk;
  return BP_E_UNSUPPORTED;
}

static bp_status close_stream(bp_job *job, bp_status how)
{
  (void)job, (void)how;
  return BP_OK;
}

static bp_status end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  free(job);
  return BP_OK;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .begin = begin,
  .next_entries = next_entries, .fetch = fetch, .open_stream = open_stream, .read = read_chunk,
  .close_stream = close_stream, .end = end, .destroy = destroy,
};
static const bp_option options[] = { { "obeys", "keep access times", NULL, "no", BP_OPTION_BOOL, 0 } };
static const char *const claims[] = { "", NULL };
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0),
  .features = BP_FEATURE_PLAIN_FILES, .option_size = sizeof(bp_option), .id = "atime", .version = "1.0",
  .vendor = "filed tests", .license = "MIT", .claims = claims, .options = options, .n_options = 1, .api = &api,
};
BPLUGIN_DEFINE(descriptor);
