/* SPDX-License-Identifier: MIT */
/*
 * million: makes entries up, as many as the option `entries` says, so that nothing but the host is measured. A thousand
 * small files to a folder, /@MILLION/<folder>/<file>, with 40 bytes that come along in the page; then the folder.
 */
#include <stdlib.h>

#include "bplugin_sdk.h"

#define IN_FOLDER 1000

struct bp_agent {
  uint64_t entries;
};

struct bp_job {
  uint64_t entries, next;
};

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  (void)host;
  return (*out = calloc(1, sizeof **out)) ? BP_OK : BP_E_NOMEM;
}

static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  (void)key;
  agent->entries = strtoull(value, NULL, 10);
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  (void)host, (void)why;
  if (!(*out = calloc(1, sizeof **out)))
    return BP_E_NOMEM;
  (*out)->entries = agent->entries;
  return BP_OK;
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  char name[64], content[64];
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  for (; status == BP_OK && job->next < job->entries; job->next++) {
    uint64_t folder = job->next / IN_FOLDER, file = job->next % IN_FOLDER;
    int is_folder = file == IN_FOLDER - 1, len, size;
    bp_entry entry = { .cookie = job->next, .mtime.sec = 1700000000,
                       .valid = BP_HAS_MODE | BP_HAS_MTIME | BP_HAS_SIZE, .mode = is_folder ? 0755 : 0644 };
    len = is_folder ? sprintf(name, "/@MILLION/%06llu", (unsigned long long)folder)
                    : sprintf(name, "/@MILLION/%06llu/file-%03llu", (unsigned long long)folder, (unsigned long long)file);
    entry.type = is_folder ? BP_TYPE_DIRECTORY : BP_TYPE_REGULAR;
    size = sprintf(content, "the only copy of what is in file %07llu", (unsigned long long)job->next);
    if (!is_folder) {
      entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
      entry.size = (uint64_t)size;
    }
    status = bp_page_add(&page, &entry, name, (uint32_t)len, NULL, 0);
    if (status == BP_OK && !is_folder && (status = bp_page_inline(&page, content, (uint32_t)size)) == BP_PAGE_FULL)
      bp_page_undo(&page);
    if (status != BP_OK)
      break;
  }
  if (status == BP_PAGE_FULL || (status == BP_OK && bp_page_count(&page)))
    return BP_OK;
  return status == BP_OK ? bp_page_end(&page, 1) : status;
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
  .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream,
  .end = end, .destroy = destroy,
};
static const bp_option options[] = { { "entries", "how many", NULL, "0", BP_OPTION_INT, 0 } };
static const char *const claims[] = { "/@MILLION", NULL };
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0),
  .option_size = sizeof(bp_option), .format = 1, .id = "million", .version = "1.0", .vendor = "filed tests",
  .license = "MIT", .claims = claims, .options = options, .n_options = 1, .api = &api,
};
BPLUGIN_DEFINE(descriptor);
