/* SPDX-License-Identifier: MIT */
/*
 * refuse: agents that must not be loaded, or only just; one -DVARIANT each. tests/agents/refuse.py has the table of
 * what a host says to each. Compiled without a variant it is loaded and saves nothing.
 */
#include <stdlib.h>

#include "bplugin_sdk.h"

#ifndef ID
# define ID "refuse"
#endif

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  (void)host;
#ifdef CREATE_VERSION
  *out = NULL;
  return bp_fail(host, BP_E_VERSION, BP_OS_NONE, 0, "needs the host of next year");
#else
  *out = malloc(1);
  return *out ? BP_OK : BP_E_NOMEM;
#endif
}

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  (void)agent, (void)host, (void)why;
  *out = malloc(1);
  return *out ? BP_OK : BP_E_NOMEM;
}

static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  (void)job;
  return bp_page_init(&page, batch) == BP_OK ? bp_page_end(&page, 0) : BP_E_FAIL;
}

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset,
                                          uint64_t *size)
{
  (void)job, (void)cookie, (void)stream, (void)offset, (void)size;
  return BP_E_UNSUPPORTED;
}

static bp_status BPLUGIN_CALL read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  (void)job, (void)buf, (void)cap, (void)chunk;
  return BP_E_SEQUENCE;
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  (void)job, (void)how;
  return BP_OK;
}

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  free(job);
  return BP_OK;
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  free(agent);
}

#ifdef SYMBOL_MISSING_IN_LINK
void a_library_that_is_not_installed(void);
#endif

#ifdef CONSTRUCTOR_CRASH
__attribute__((constructor)) static void on_load(void)
{
  *(volatile int *)8 = 1;
}
#endif

#ifdef CONSTRUCTOR_EXIT
__attribute__((constructor)) static void on_load(void)
{
  exit(7);
}
#endif

static const bp_agent_api api = {
#ifdef SHORT_TABLE
  .struct_size = 40,
#else
  .struct_size = sizeof(bp_agent_api),
#endif
#ifndef NO_CREATE
  .create = create,
#endif
#ifndef NO_BEGIN
  .begin = begin,
#endif
#ifndef NO_GROUP
  .next_entries = next_entries, .open_stream = open_stream, .close_stream = close_stream,
# ifndef NO_READ
  .read = read_chunk,
# endif
#endif
#ifndef NO_END
  .end = end,
#endif
#ifndef NO_DESTROY
  .destroy = destroy,
#endif
};

static const bp_descriptor descriptor = {
#ifdef BAD_MAGIC
  .magic = "PLUGINB",
#else
  .magic = BP_MAGIC,
#endif
#ifdef SHORT_SIZE
  .struct_size = 64,
#else
  .struct_size = sizeof(bp_descriptor),
#endif
  .header = BP_HEADER_VERSION,
#if defined VERSION_OLD
  .min_version = BP_VERSION(0, 1), .max_version = BP_VERSION(0, 9),
#elif defined VERSION_NEW
  .min_version = BP_VERSION(1, 9), .max_version = BP_VERSION(1, 10),
#elif defined VERSION_REVERSED
  .min_version = BP_VERSION(1, 1), .max_version = BP_VERSION(1, 0),
#elif defined VERSION_WIDE
  .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 77),
#else
  .min_version = BP_VERSION(1, 0), .max_version = BP_VERSION(1, 0),
#endif
#ifdef NEEDS_UNKNOWN
  .needs = 1ull << 40,
#endif
#ifdef FEATURE_UNKNOWN
  .features = 1ull << 40,
#endif
#ifdef THREADS_UNKNOWN
  .threads = 1,
#endif
  .option_size = sizeof(bp_option), .format = 0,
#ifdef NULL_ID
  .id = NULL,
#else
  .id = ID,
#endif
  .version = "0.1", .vendor = "filed tests", .license = "MIT",
#ifdef OPTIONS_NULL
  .n_options = 3,
#endif
#ifndef NULL_TABLE
  .api = &api,
#endif
};

#if defined NO_SYMBOL
/* Nothing is exported: a library that is no agent, or one that got a symbol from a library it links. */
const void *refuse_keeps_it(void);
const void *refuse_keeps_it(void)
{
  return &descriptor;
}
#elif defined QUERY_NULL
BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  (void)host_min, (void)host_max;
  return sizeof descriptor ? NULL : &descriptor;
}
#elif defined QUERY_CRASH
BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  *(volatile uint32_t *)8 = host_min + host_max;
  return &descriptor;
}
#elif defined QUERY_HANG
BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  for (volatile uint32_t i = host_min; i < host_max || i >= host_min;)
    i = host_max;
  return &descriptor;
}
#elif defined QUERY_WILD
BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  (void)host_min, (void)host_max;
  return sizeof descriptor ? (const bp_descriptor *)(uintptr_t)16 : &descriptor;
}
#else
/* Answers whatever the host's range is: judging it is left to the host. */
BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
# ifdef SYMBOL_MISSING_IN_LINK
  a_library_that_is_not_installed();
# endif
  (void)host_min, (void)host_max;
  return &descriptor;
}
#endif
