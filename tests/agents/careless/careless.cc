// SPDX-License-Identifier: MIT
// The mailbox of careless.c once more, in C++, by somebody who trusts the standard library; one mistake at a time, by the
// option `flaw`. It lists plain files, which the file system agent restores.
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bplugin_sdk.h"

namespace {

constexpr uint64_t sizes[] = { 0, 1, 100, 1000, 65536, 65537, 70000, 200000, 400, 400, 600, 700 };
constexpr uint32_t MESSAGES = 12;

std::string content(uint64_t message)
{
  std::string text(sizes[message], 0);
  for (uint64_t i = 0; i < text.size(); i++)
    text[i] = static_cast<char>((31 * message + i) % 251);
  return text;
}

std::string name_of(uint32_t message)
{
  return std::string("/@CARE/in/") + (message < 10 ? "0" : "") + std::to_string(message);
}

struct Farewell { // a destructor that throws, when the process ends
  bool armed = false;
  ~Farewell() noexcept(false)
  {
    if (armed)
      throw std::runtime_error("the log was closed before its owner");
  }
} farewell;

} // namespace

struct bp_agent {
  const bp_host_api *host;
  std::string flaw;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  std::vector<uint32_t> order;
  uint32_t next = 0;
  std::string text;
  uint64_t position = 0;

  bool is(const char *flaw) const { return agent->flaw == flaw; }
};

namespace {

bp_status create(const bp_host_api *host, bp_agent **out)
{
  return bp_guard([&] { *out = new bp_agent{ host, {} }; return BP_OK; });
}

bp_status option(bp_agent *agent, const char *, const char *value)
{
  return bp_guard([&] { agent->flaw = value; return BP_OK; });
}

void destroy(bp_agent *agent)
{
  delete agent;
}

bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *, bp_job **out)
{
  return bp_guard([&] {
    auto *job = *out = new bp_job{ agent, host, {}, 0, {}, 0 };
    std::unordered_map<std::string, uint32_t> mailbox;
    for (uint32_t i = 0; i < MESSAGES; i++) {
      job->order.push_back(i);
      mailbox[name_of(i)] = i;
    }
    if (job->is("order-of-a-hash")) {
      job->order.clear();
      for (const auto &one : mailbox)
        job->order.push_back(one.second);
    }
    if (job->is("thread-throws"))
      std::thread([] { throw std::runtime_error("the service is gone"); }).join();
    farewell.armed = job->is("throws-at-exit");
    return BP_OK;
  });
}

bp_status next_entries(bp_job *job, bp_batch *batch)
{
  return bp_guard([&] {
    bp_page page;
    bp_status status = bp_page_init(&page, batch);
    for (; status == BP_OK && job->next < MESSAGES; job->next++) {
      uint32_t message = job->order[job->next];
      bp_entry entry{};
      entry.cookie = job->next; // its place in the order
      entry.type = BP_TYPE_REGULAR;
      entry.mode = 0640;
      entry.size = sizes[message];
      entry.mtime.sec = 1700000000 + (message == 9 ? 8 : message);
      entry.valid = BP_HAS_MODE | BP_HAS_MTIME | BP_HAS_SIZE;
      entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
      std::string name = name_of(message);
      if (message == 3 && job->is("folder-of-a-file"))
        name = name_of(2) + "/attachment";
      status = bp_page_add(&page, &entry, name.c_str(),
                           static_cast<uint32_t>(name.size()) + (job->is("name-with-its-nul") ? 1 : 0), nullptr, 0);
      if (status == BP_OK && job->is("moved-from")) {
        std::string text = content(message), sent = std::move(text);
        status = bp_page_inline(&page, text.data(), static_cast<uint32_t>(text.size())); // NOLINT: that is the mistake
      }
    }
    if (status == BP_PAGE_FULL || (status == BP_OK && bp_page_count(&page)))
      return BP_OK;
    return status == BP_OK ? bp_page_end(&page, 1) : status;
  });
}

bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t, uint64_t, uint64_t *size)
{
  return bp_guard([&] {
    uint64_t message = cookie; // in the order of the names, as anybody would have it
    job->text = content(message);
    job->position = 0;
    *size = job->text.size();
    if (job->is("ends-at-a-nul"))
      job->text = std::string(job->text.c_str());
    return BP_OK;
  });
}

bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  try {
    uint64_t left = job->text.size() - job->position, n = left < cap ? left : cap;
    if (job->is("catch-all") && job->text.size() == 200000)
      throw std::out_of_range("map::at");
    memcpy(buf, job->text.data() + job->position, n);
    (void)bp_chunk_set(chunk, job->position, n, n == left);
    job->position += n;
    return BP_OK;
  } catch (...) {
    return BP_OK; // "never throw through C"
  }
}

bp_status close_stream(bp_job *, bp_status)
{
  return BP_OK;
}

bp_status end(bp_job *job, uint32_t)
{
  delete job;
  return BP_OK;
}

bp_agent_api table()
{
  bp_agent_api api{};
  api.struct_size = sizeof api;
  api.create = create, api.option = option, api.begin = begin, api.next_entries = next_entries;
  api.open_stream = open_stream, api.read = read_chunk, api.close_stream = close_stream, api.end = end;
  api.destroy = destroy;
  return api;
}

const bp_agent_api api = table();
const char *const claims[] = { "/@CARE", nullptr };
const bp_option options[] = { { "flaw", "what it does wrong", nullptr, "", BP_OPTION_STRING, 0 } };

bp_descriptor describe()
{
  bp_descriptor d{};
  memcpy(d.magic, BP_MAGIC, sizeof d.magic);
  d.struct_size = sizeof d, d.header = BP_HEADER_VERSION;
  d.min_version = d.max_version = BP_VERSION(1, 0);
  d.features = BP_FEATURE_PLAIN_FILES;
  d.option_size = sizeof(bp_option);
  d.id = "careless-cc", d.version = "0.1", d.vendor = "filed tests", d.license = "MIT";
  d.claims = claims, d.options = options, d.n_options = 1, d.api = &api;
  return d;
}
const bp_descriptor descriptor = describe();

} // namespace

BPLUGIN_DEFINE(descriptor);
