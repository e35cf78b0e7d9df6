/*
 * @name@: saves each line of a text file as an entry of its own. A stand-in for your source: a queue, a log, a table,
 * anything that has items in an order and can say "all after this one".
 *
 * `filed` loads this library into the process of one Job and makes the calls below, in the order that bplugin.h has on
 * its first page. No exception may leave a call: bp_guard turns it into a status. What to change is marked with CHANGE.
 */
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "bplugin_sdk.h"

namespace {

constexpr std::string_view top = "/@@NAME@/"; // all names begin so; see `claims`
constexpr std::uint32_t format = 1;            // of the state; raise it when you change what it means

// CHANGE: where the items come from.
class Source {
public:
  // std::ifstream cannot say O_CLOEXEC ("e"): programs that somebody starts would inherit the file.
  explicit Source(const std::string &path) : file_(std::fopen(path.c_str(), "rbe"), &std::fclose) {}

  bool is_open() const { return file_ != nullptr; }

  std::uint64_t size()
  {
    return std::fseek(file_.get(), 0, SEEK_END) ? 0 : static_cast<std::uint64_t>(std::ftell(file_.get()));
  }

  // The length of the item at `offset`, its end included; 0: there is none, or it is still being written.
  std::uint64_t length_at(std::uint64_t offset, const bp_host_api *host)
  {
    if (!seek(offset))
      return 0;
    int byte = 0;
    for (std::uint64_t length = 1; (byte = std::getc(file_.get())) != EOF; length++) {
      if (byte == '\n')
        return length;
      if (length % 65536 == 0)
        bp_beat(host); // "I am alive", in any loop without a callback
    }
    return 0;
  }

  bool seek(std::uint64_t offset) { return std::fseek(file_.get(), static_cast<long>(offset), SEEK_SET) == 0; }

  std::uint64_t read(void *buf, std::uint64_t cap) { return std::fread(buf, 1, cap, file_.get()); }

private:
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> file_;
};

} // namespace

// One configured instance, from create to destroy.
struct bp_agent {
  const bp_host_api *host = nullptr;
  std::string source;
};

// One Job, from begin to end.
struct bp_job {
  const bp_host_api *host = nullptr;
  std::unique_ptr<Source> source; // none in a restore
  std::uint32_t kind = 0;
  std::uint64_t number = 0, offset = 0;    // CHANGE: how far the listing is: lines, and bytes
  std::uint64_t base = 0, base_offset = 0; // how far the base came; 0: there is none, and everything is listed
  std::uint64_t stream_at = 0, left = 0;   // of the open stream: bytes given so far, and to come
  bool failed = false;                     // an item could not be read

  bp_status continue_from(const bp_begin &why);
  bp_status list_all(bp_page &page);
  // Up to here all is saved. What failed, and all after it, comes again.
  std::string state() const
  {
    return std::to_string(failed ? base : number) + ' ' + std::to_string(failed ? base_offset : offset);
  }
};

// Where the base ended: "<lines> <bytes>". What does not fit the source any more cannot be continued from.
bp_status bp_job::continue_from(const bp_begin &why)
{
  const std::string text(static_cast<const char *>(why.state), static_cast<std::size_t>(why.state_len));
  unsigned long long lines = 0, bytes = 0;
  char rest = 0;
  if (why.state_format != format || std::sscanf(text.c_str(), "%llu %llu%c", &lines, &bytes, &rest) != 2)
    return bp_fail(host, BP_E_BASE, BP_OS_NONE, 0, "the state is not of this agent");
  if (source->size() < bytes)
    return bp_fail(host, BP_E_BASE, BP_OS_NONE, 0, "the source is shorter than it was");
  base = number = lines;
  base_offset = offset = bytes;
  return BP_OK;
}

bp_status bp_job::list_all(bp_page &page)
{
  while (const std::uint64_t length = source->length_at(offset, host)) {
    if (bp_cancelled(host))
      return BP_E_CANCELLED;
    const std::string digits = std::to_string(number + 1);
    const std::string name = std::string(top) + std::string(10 - std::min<std::size_t>(10, digits.size()), '0') + digits;
    bp_entry entry{};
    entry.cookie = offset; // ours: comes back in open_stream
    entry.type = BP_TYPE_REGULAR;
    entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
    entry.valid = BP_HAS_MODE | BP_HAS_SIZE;
    entry.mode = 0644;
    entry.size = length;
    entry.flags = BP_ENTRY_SELECTED; // we choose by our own numbers: the host shall not compare times
    const auto added = bp_page_add(&page, &entry, name.data(), static_cast<std::uint32_t>(name.size()), nullptr, 0);
    if (added == BP_PAGE_FULL)
      return BP_OK; // no status of a call: the next page has it
    if (added != BP_OK)
      return added;
    number++;
    offset += length;
  }
  return BP_END;
}

namespace {

// ---- the instance ---------------------------------------------------------------------------------------------------

bp_status create(const bp_host_api *host, bp_agent **out) noexcept
{
  return bp_guard([&] {
    *out = new bp_agent{host, {}};
    return BP_OK;
  });
}

// Called for each option of the conf, checked against `options` below.
bp_status option(bp_agent *agent, const char *key, const char *value) noexcept
{
  return bp_guard([&] {
    if (std::string_view(key) != "source")
      return bp_failf(agent->host, BP_E_INVAL, BP_OS_NONE, 0, "%s is not known", key);
    agent->source = value;
    return BP_OK;
  });
}

void destroy(bp_agent *agent) noexcept
{
  delete agent;
}

// ---- a Job ----------------------------------------------------------------------------------------------------------

bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out) noexcept
{
  return bp_guard([&] {
    auto job = std::make_unique<bp_job>();
    job->host = host;
    job->kind = why->kind;
    if (why->kind != BP_KIND_RESTORE) {
      job->source = std::make_unique<Source>(agent->source);
      if (!job->source->is_open())
        return bp_fail_errno(host, BP_E_FAIL, errno, "open %s", agent->source.c_str());
      if (why->state_why == BP_STATE_FOUND)
        if (const bp_status status = job->continue_from(*why); status != BP_OK)
          return status; // after an error there is no `end`
    }
    *out = job.release();
    return BP_OK;
  });
}

bp_status next_entries(bp_job *job, bp_batch *batch) noexcept
{
  return bp_guard([&] {
    bp_page page;
    bp_status status = bp_page_init(&page, batch);
    if (status == BP_OK)
      status = job->list_all(page);
    if (status != BP_END)
      return status;
    if (bp_page_count(&page) > 0)
      return BP_OK; // asked again when these are read: only then it is known what was saved
    if (job->kind == BP_KIND_BACKUP) { // not in an estimate, nor in a verify
      const std::string state = job->state();
      status = bp_put_state(job->host, state.data(), state.size(), format); // found when this Job is a base
      if (status != BP_OK)
        return status;
    }
    // Complete, so that what only the base has is deleted: never after a list of news, which would delete all the rest.
    return bp_page_end(&page, job->base == 0);
  });
}

bp_status open_stream(bp_job *job, std::uint64_t cookie, std::uint32_t stream, std::uint64_t offset,
                      std::uint64_t *size) noexcept
{
  return bp_guard([&] {
    if (stream != BP_STREAM_DATA || offset)
      return BP_E_INVAL;
    *size = job->left = job->source->length_at(cookie, job->host);
    if (!job->left || !job->source->seek(cookie)) {
      job->failed = true;
      return bp_fail(job->host, BP_E_NOTFOUND, BP_OS_NONE, 0, "it is not in the source any more");
    }
    job->stream_at = 0;
    return BP_OK;
  });
}

// The next bytes of the item. They go straight into the host's buffer.
bp_status read_chunk(bp_job *job, void *buf, std::uint64_t cap, bp_chunk *chunk) noexcept
{
  return bp_guard([&] {
    const std::uint64_t n = std::min(cap, job->left), at = job->stream_at;
    if (job->source->read(buf, n) != n) // this entry alone: counted, the Job goes on; BP_E_FAIL ends it
      return bp_fail(job->host, BP_E_IO, BP_OS_NONE, 0, "the source was cut while it was read");
    job->stream_at += n;
    job->left -= n;
    return bp_chunk_set(chunk, at, n, job->left == 0);
  });
}

bp_status close_stream(bp_job *job, bp_status how) noexcept
{
  if (how != BP_OK)
    job->failed = true;
  return BP_OK;
}

// Each entry is an ordinary file: the file system agent brings it back to `dest`. CHANGE to BP_ACTION_WANT to get the
// bytes yourself, by restore_stream, write and restore_done.
bp_status restore_entry(bp_job *, const bp_entry *, const void *, const char *, std::uint32_t,
                        std::uint32_t *action) noexcept
{
  *action = BP_ACTION_HOST;
  return BP_OK;
}

bp_status restore_stream(bp_job *, std::uint32_t, std::uint64_t) noexcept
{
  return BP_E_UNSUPPORTED;
}

bp_status write_chunk(bp_job *, const void *, const bp_chunk *) noexcept
{
  return BP_E_UNSUPPORTED;
}

bp_status restore_done(bp_job *, bp_status) noexcept
{
  return BP_OK;
}

bp_status end(bp_job *job, std::uint32_t) noexcept
{
  delete job;
  return BP_OK;
}

// ---- what it is -----------------------------------------------------------------------------------------------------

constexpr bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .reserved = 0,
  .create = create, .option = option, .ready = nullptr, .extension = nullptr,
  .begin = begin, .next_entries = next_entries, .fetch = nullptr, .open_stream = open_stream, .read = read_chunk,
  .close_stream = close_stream, .restore_entry = restore_entry, .restore_stream = restore_stream,
  .write = write_chunk, .restore_done = restore_done, .commit = nullptr, .cancel = nullptr, .end = end,
  .confirmed = nullptr, .destroy = destroy,
};

constexpr bp_option options[] = {
  { "source", "the text file whose lines are saved", nullptr, nullptr, BP_OPTION_PATH, BP_OPTION_REQUIRED },
};

constexpr const char *claims[] = { top.data(), nullptr }; // the File lines it takes

const bp_descriptor descriptor = {
  .magic = BP_MAGIC, .struct_size = sizeof(bp_descriptor), .header = BP_HEADER_VERSION,
  .min_version = BP_VERSION(1, 0), .max_version = BP_TARGET_VERSION, .features = 0, .needs = 0, .threads = 0,
  .option_size = sizeof(bp_option), .format = 1, .reserved = 0, .id = "@name@", .version = "0.1", .vendor = "CHANGE",
  .license = "CHANGE", .aliases = nullptr, .claims = claims, .options = options, .n_options = std::size(options),
  .api = &api,
};

} // namespace

BPLUGIN_DEFINE(descriptor);
