// Tries, resumes and checks.
#include "hub/file_download.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "base/message_text.h"
#include "hub/file_lock.h"
#include "hub/hub_problem.h"
#include "hub/partial_blob.h"
#include "hub/retries.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

// A try that brought so much, or all, counts as progress: a line that breaks often still gets
// there.
constexpr uint64_t kProgressBytes = 1 << 20;
constexpr uint32_t kWrongContentsMax = 2;  // a cache on the way may be wrong once

/// How a try ended, if not well.
using TryEnd = std::optional<HubProblem>;

HubProblem final_problem(Error error) { return {std::move(error)}; }

/// "bytes 100-199/200" begins at 100.
std::optional<uint64_t> range_begin(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  uint64_t begin = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), begin);
  if (error != std::errc() || end == text.data() + text.size() || *end != '-') return std::nullopt;
  return begin;
}

/// One file on its way.
class FileDownload {
 public:
  FileDownload(HubClient& client, const DownloadPlace& place, const FileToGet& file,
               PartialBlob blob)
      : client_(client), place_(place), file_(file), blob_(std::move(blob)) {}

  /// Until the blob is whole or nothing helps.
  Status run();

 private:
  TryEnd try_once();
  TryEnd take(const HubReply& reply, std::span<const std::byte> bytes, bool is_first);
  TryEnd check_head(const HubReply& reply);
  TryEnd begin_again();
  TryEnd wrong_content(Error error);

  HubClient& client_;
  const DownloadPlace& place_;
  const FileToGet& file_;
  PartialBlob blob_;
  uint32_t wrong_contents_ = 0;
};

TryEnd FileDownload::begin_again() {
  place_.bytes_come -= static_cast<int64_t>(blob_.bytes());
  if (Status begun = blob_.restart(); !begun) return final_problem(begun.error());
  return std::nullopt;
}

TryEnd FileDownload::wrong_content(Error error) {
  place_.bytes_come -= static_cast<int64_t>(blob_.bytes());
  return HubProblem{std::move(error), ++wrong_contents_ < kWrongContentsMax};
}

/// Before the first bytes: they must be of the same file, and go where the last ones ended.
TryEnd FileDownload::check_head(const HubReply& reply) {
  if (reply.etag != file_.facts.etag || reply.commit != place_.commit) {
    return final_problem({Code::kIo, "the file changed on the hub at this moment; run this again"});
  }
  if (reply.last.status == 200) return blob_.bytes() > 0 ? begin_again() : std::nullopt;
  if (range_begin(reply.last.header("content-range")) == blob_.bytes()) return std::nullopt;
  TryEnd end = begin_again();
  return end ? end
             : HubProblem{
                   {Code::kIo, "another part of the file came than was asked for; run this again"},
                   true};
}

TryEnd FileDownload::take(const HubReply& reply, std::span<const std::byte> bytes, bool is_first) {
  if (is_first) {
    if (TryEnd end = check_head(reply)) return end;
  }
  const Status appended = blob_.append(bytes);
  if (appended) {
    place_.bytes_come += static_cast<int64_t>(bytes.size());
    return std::nullopt;
  }
  if (appended.error().code != Code::kCorrupt) return final_problem(appended.error());
  TryEnd end = wrong_content(appended.error());
  if (Status begun = blob_.restart(); !begun) return final_problem(begun.error());
  return end;
}

TryEnd FileDownload::try_once() {
  bool is_first = true;
  TryEnd end;
  const uint64_t before = blob_.bytes();
  const HubReply reply = client_.get(place_.commit, file_.name, before,
                                     [&](const HubReply& head, std::span<const std::byte> bytes) {
                                       end = take(head, bytes, std::exchange(is_first, false));
                                       return !end;
                                     });
  if (end) return end;
  if (reply.last.status == 416 && before > 0) {  // no such part: what is there is not of this file
    end = begin_again();
    return end ? end
               : HubProblem{{Code::kIo, "the hub does not go on where it ended; run this again"},
                            true};
  }
  if (auto problem = problem_of(reply, place_.settings, place_.model)) return problem;
  if (blob_.is_whole()) return std::nullopt;
  return HubProblem{{Code::kIo, "the answer ended early; run this again"}, true};
}

Status FileDownload::run() {
  Retries retries(place_.settings.retry, place_.settings.retry.tries, place_.stop);
  for (;;) {
    const uint64_t before = blob_.bytes();
    TryEnd end = blob_.is_whole() ? std::nullopt : try_once();
    if (!end) {
      const Status done = blob_.become(place_.cache.blob(file_.facts.etag));
      if (done || done.error().code != Code::kCorrupt) return done;
      end = wrong_content(done.error());
      auto fresh = PartialBlob::open(place_.cache.incomplete(file_.facts.etag), file_.facts);
      if (!fresh) return Failure{fresh.error()};
      blob_ = *std::move(fresh);
    }
    if (place_.stop) return fail(Code::kInterrupted, "interrupted");
    if (blob_.bytes() >= before + kProgressBytes) retries.made_progress();
    if (end->may_pass && retries.wait(end->wait)) continue;
    if (place_.stop) return fail(Code::kInterrupted, "interrupted");
    if (blob_.bytes() == 0) {
      std::error_code ignored;  // nothing is worth keeping
      fs::remove(place_.cache.incomplete(file_.facts.etag), ignored);
      return Failure{end->error};
    }
    return fail(end->error.code, end->error.message + " (" + std::to_string(blob_.bytes()) +
                                     " of " + std::to_string(file_.facts.size) +
                                     " bytes are kept)");
  }
}

bool has_blob(const HubCache& cache, const FileFacts& facts) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(cache.blob(facts.etag), error);
  return !error && bytes == facts.size;
}

Status get_blob(HubClient& client, const DownloadPlace& place, const FileToGet& file) {
  const std::string& etag = file.facts.etag;
  if (has_blob(place.cache, file.facts)) return ok();
  const auto lock = FileLock::take(place.cache.lock(etag), place.stop);
  if (!lock) return Failure{lock.error()};
  if (has_blob(place.cache, file.facts)) return ok();  // another program was faster
  auto blob = PartialBlob::open(place.cache.incomplete(etag), file.facts);
  if (!blob) return Failure{blob.error()};
  return FileDownload(client, place, file, *std::move(blob)).run();
}

}  // namespace

uint64_t missing_bytes(const HubCache& cache, const FileToGet& file) {
  if (has_blob(cache, file.facts)) return 0;
  std::error_code error;
  const uint64_t there = fs::file_size(cache.incomplete(file.facts.etag), error);
  return error || there > file.facts.size ? file.facts.size : file.facts.size - there;
}

Status download_file(HubClient& client, const DownloadPlace& place, const FileToGet& file) {
  const Status got = get_blob(client, place, file);
  if (!got) return fail_in(printable(file.name), got.error());
  return place.cache.link(place.commit, file.name, file.facts.etag);
}

}  // namespace ovenbird
