// SPDX-License-Identifier: MIT
// bad_throw: C++ exceptions at the border. Option `throw` names the function that throws: `open_stream` lets it leave
// the agent, which ends the process (the descriptor of the call is not noexcept here, so that it really crosses);
// `guarded:open_stream` throws inside bp_guard and comes back as BP_E_FAIL, `nomem:open_stream` as BP_E_NOMEM.

#include <new>
#include <stdexcept>
#include <string>

#include "bplugin_sdk.h"

struct bp_agent {
  const bp_host_api *host;
  std::string sin;
};

struct bp_job {
  bp_agent *agent;
};

namespace {

bp_status sin(const bp_agent *agent, const std::string &function)
{
  if (agent->sin == function)
    throw std::runtime_error("out of " + function);
  return bp_guard([&]() -> bp_status {
    if (agent->sin == "guarded:" + function)
      throw std::runtime_error("caught in " + function);
    if (agent->sin == "nomem:" + function)
      throw std::bad_alloc();
    return BP_OK;
  });
}

bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  return bp_guard([&]() -> bp_status {
    *out = new bp_agent{host, {}};
    return BP_OK;
  });
}

bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  if (std::string(key) != "throw")
    return BP_E_INVAL;
  agent->sin = value;
  return sin(agent, "option");
}

bp_status BPLUGIN_CALL ready(bp_agent *agent)
{
  return sin(agent, "ready");
}

bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *, const bp_begin *, bp_job **out)
{
  bp_status status = sin(agent, "begin");
  if (status == BP_OK)
    *out = new bp_job{agent};
  return status;
}

bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_entry entry;
  bp_status status = sin(job->agent, "next_entries");
  if (status != BP_OK || (status = bp_page_init(&page, batch)) != BP_OK)
    return status;
  memset(&entry, 0, sizeof entry);
  entry.type = BP_TYPE_REGULAR;
  entry.cookie = 1;
  entry.valid = BP_HAS_MODE | BP_HAS_SIZE;
  entry.mode = 0644;
  entry.size = 5;
  entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
  status = bp_page_add(&page, &entry, "/@THROW/one", 11, nullptr, 0);
  return status == BP_OK ? bp_page_end(&page, 1) : status;
}

bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t, uint32_t, uint64_t, uint64_t *size)
{
  *size = 5;
  return sin(job->agent, "open_stream");
}

bp_status BPLUGIN_CALL read_chunk(bp_job *job, void *buf, uint64_t, bp_chunk *chunk)
{
  bp_status status = sin(job->agent, "read");
  memcpy(buf, "data\n", 5);
  return status == BP_OK ? bp_chunk_set(chunk, 0, 5, 1) : status;
}

bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status)
{
  return sin(job->agent, "close_stream");
}

bp_status BPLUGIN_CALL commit(bp_job *job)
{
  return sin(job->agent, "commit");
}

bp_status BPLUGIN_CALL end(bp_job *job, uint32_t)
{
  delete job;
  return BP_OK;
}

void BPLUGIN_CALL destroy(bp_agent *agent)
{
  delete agent;
}

bp_agent_api make_table()
{
  bp_agent_api table = bp_agent_api();
  table.struct_size = sizeof table;
  table.create = create;
  table.option = option;
  table.ready = ready;
  table.begin = begin;
  table.next_entries = next_entries;
  table.open_stream = open_stream;
  table.read = read_chunk;
  table.close_stream = close_stream;
  table.commit = commit;
  table.end = end;
  table.destroy = destroy;
  return table;
}

const bp_agent_api table = make_table();

const bp_option options[] = {
  {"throw", "the function that throws, guarded:function or nomem:function", nullptr, nullptr, BP_OPTION_STRING,
   BP_OPTION_FROM_DIRECTOR},
};
const char *const claims[] = {"/@THROW", nullptr};

const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, BP_VERSION(1, 0), BP_VERSION(1, 0), 0, 0, 0, sizeof(bp_option), 1, 0, "bad-throw", "6.6",
  "filed tests", "MIT", nullptr, claims, options, 1, &table,
};

} // namespace

BPLUGIN_DEFINE(descriptor);
