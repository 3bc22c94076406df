// Listings, facts and files, over redirects that are followed one by one.
#include "hub/hub_client.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/message_text.h"
#include "hub/hub_problem.h"
#include "hub/hub_url.h"
#include "hub/retries.h"

namespace ovenbird {
namespace {

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::optional<uint64_t> number_in(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// W/"abc" and "abc" are abc.
std::string bare_etag(std::string text) {
  if (text.starts_with("W/")) text.erase(0, 2);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

std::string first_of(const std::string& one, const std::string& other) {
  return one.empty() ? other : one;
}

/// What the hub's own answer says about a file. The linked values are those of a large file, which
/// lies elsewhere.
void take_facts(HubReply& reply) {
  const HttpReply& last = reply.last;
  reply.commit = first_of(last.header("x-repo-commit"), reply.commit);
  const std::string etag = first_of(last.header("x-linked-etag"), last.header("etag"));
  reply.etag = first_of(bare_etag(etag), reply.etag);
  const std::string length = is_redirect(last.status) ? "" : last.header("content-length");
  const std::string size = first_of(last.header("x-linked-size"), length);
  if (!reply.size) reply.size = number_in(size);
}

Failure no_hub(const HubSettings& settings, const std::string& why) {
  return fail(Code::kCorrupt, settings.endpoint + " does not answer as a hub does: " + why +
                                  "; check HF_ENDPOINT, and proxies on the way");
}

}  // namespace

std::string HubClient::file_url(const std::string& commit, const std::string& file) const {
  return settings_.endpoint + "/" + model_.id + "/resolve/" + commit + "/" +
         percent_encoded(file, "/");
}

HubReply HubClient::follow(HttpRequest request, const Sink& sink) {
  HubReply reply;
  const std::string home = origin_of(settings_.endpoint);
  reply.url = request.url;
  for (size_t hops = 0;; ++hops) {
    const bool is_home = origin_of(reply.url) == home;
    request.url = reply.url;
    request.token = is_home ? settings_.token : "";
    reply.last = {};
    const auto with_facts = [&](const HttpReply& so_far, std::span<const std::byte> bytes) {
      if (reply.last.status != so_far.status) {  // the first bytes: what came before them is new
        reply.last = so_far;
        if (is_home) take_facts(reply);
      }
      return sink(reply, bytes);
    };
    reply.last = connection_.send(request, with_facts);
    if (is_home) take_facts(reply);
    if (!reply.last.failure.empty() || !is_redirect(reply.last.status)) return reply;
    const auto next = redirected(reply.url, reply.last.header("location"));
    if (!next || !may_be_asked(*next, settings_.endpoint)) {
      reply.last.failure =
          "it redirects to " + in_quotes(reply.last.header("location")) + ", which is not followed";
      return reply;
    }
    // The facts have come with this answer; the other host has only the bytes.
    if (request.head_only && origin_of(*next) != home) return reply;
    if (hops == limits::kHubRedirectsMax) {
      reply.last.failure = "it redirects without end";
      return reply;
    }
    reply.url = *next;
  }
}

Result<HubListing> HubClient::list() {
  const std::string revision = model_.revision.empty() ? kMainRevision : model_.revision;
  const HttpRequest request{.url = settings_.endpoint + "/api/models/" + model_.id + "/revision/" +
                                   percent_encoded(revision)};
  Retries retries(settings_.retry, settings_.retry.listing_tries, stop_);
  for (;;) {
    std::string text;
    bool is_too_long = false;
    const HubReply reply = follow(request, [&](const HubReply&, std::span<const std::byte> bytes) {
      is_too_long = text.size() + bytes.size() > limits::kHubListingBytesMax;
      if (!is_too_long) text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return !is_too_long;
    });
    if (is_too_long) {
      return no_hub(settings_, "its listing has more than " +
                                   std::to_string(limits::kHubListingBytesMax) + " bytes");
    }
    const auto problem = problem_of(reply, settings_, model_);
    if (!problem) {
      auto listing = parse_listing(text);
      const bool is_none = !listing && listing.error().code == Code::kCorrupt;
      return is_none ? no_hub(settings_, listing.error().message) : listing;
    }
    if (problem->may_pass && retries.wait(problem->wait)) continue;
    if (stop_) return fail(Code::kInterrupted, "interrupted");
    return Failure{problem->error};
  }
}

Result<FileFacts> HubClient::facts(const std::string& commit, const std::string& file) {
  const HttpRequest request{.head_only = true, .url = file_url(commit, file)};
  Retries retries(settings_.retry, settings_.retry.tries, stop_);
  for (;;) {
    HubReply reply =
        follow(request, [](const HubReply&, std::span<const std::byte>) { return true; });
    const bool leads_elsewhere = is_redirect(reply.last.status) && reply.last.failure.empty();
    const auto problem = leads_elsewhere ? std::nullopt : problem_of(reply, settings_, model_);
    if (problem) {
      if (problem->may_pass && retries.wait(problem->wait)) continue;
      if (stop_) return fail(Code::kInterrupted, "interrupted");
      return fail_in(printable(file), problem->error);
    }
    if (reply.commit.empty()) return no_hub(settings_, "no X-Repo-Commit for " + printable(file));
    if (reply.commit != commit) {
      return fail(Code::kIo, printable(file) +
                                 ": the repository changed at this moment; run this "
                                 "again");
    }
    if (!is_etag(reply.etag)) return no_hub(settings_, "no ETag for " + printable(file));
    if (!reply.size || *reply.size > limits::kHubFileBytesMax) {
      return no_hub(settings_, "no size for " + printable(file));
    }
    return FileFacts{std::move(reply.etag), *reply.size};
  }
}

HubReply HubClient::get(const std::string& commit, const std::string& file, uint64_t from,
                        const Sink& sink) {
  return follow({.url = file_url(commit, file), .from = from}, sink);
}

}  // namespace ovenbird
