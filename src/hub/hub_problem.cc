// The hub's ways to say no: HTTP's numbers, and its own X-Error-Code.
#include "hub/hub_problem.h"

#include "base/limits.h"
#include "base/message_text.h"
#include "hub/hub_url.h"

namespace ovenbird {
namespace {

/// With a token the licence is what is missing, without one perhaps only the token.
std::string gated(const HubSettings& settings, const ModelName& model) {
  const std::string page = settings.endpoint + "/" + model.id;
  if (settings.token.empty()) {
    return "the model is gated: accept its licence at " + page +
           ", then set HF_TOKEN to a token of yours (" + settings.endpoint + "/settings/tokens)";
  }
  return "the model is gated, and the token that was sent may not read it: accept its licence at " +
         page + " with the account that the token belongs to";
}

std::string unknown_model(const HubSettings& settings) {
  return "there is no such model at " + settings.endpoint + ", or it is private: check the name; " +
         (settings.token.empty() ? "for a private model set HF_TOKEN"
                                 : "the token that was sent does not open it");
}

std::string refusal(const HubReply& reply, const HubSettings& settings, const ModelName& model) {
  const std::string code = reply.last.header("x-error-code");
  const std::string words = reply.last.header("x-error-message");
  const long status = reply.last.status;
  if (code == "GatedRepo") return gated(settings, model);
  if (code == "RevisionNotFound") {
    return "it has no revision " +
           in_quotes(model.revision.empty() ? kMainRevision : model.revision);
  }
  if (code == "EntryNotFound") return "the hub lists the file and does not have it; run this again";
  if (status == 401 && words.find("Invalid credentials") != words.npos) {
    return "the hub does not know the token that was sent: set HF_TOKEN to one of " +
           settings.endpoint + "/settings/tokens, or unset it";
  }
  if (code == "RepoNotFound" || status == 401 || status == 404) return unknown_model(settings);
  return server_of(reply.url) + " answered HTTP " + std::to_string(status) +
         (words.empty() ? "" : ", " + printable(words));
}

bool is_overload(long status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504;
}

HubProblem busy(const HubReply& reply) {
  const uint64_t seconds = reply.last.retry_after_s;
  const std::string answer =
      server_of(reply.url) + " answered HTTP " + std::to_string(reply.last.status) +
      (reply.last.status == 429 ? " (too many requests)" : "") +
      (seconds > 0 ? " and asks to wait " + std::to_string(seconds) + " s" : "") +
      "; run this again later";
  const bool is_bearable = seconds <= static_cast<uint64_t>(limits::kHubWaitMax.count());
  return {{Code::kIo, answer}, is_bearable, std::chrono::seconds(is_bearable ? seconds : 0)};
}

}  // namespace

std::optional<HubProblem> problem_of(const HubReply& reply, const HubSettings& settings,
                                     const ModelName& model) {
  const HttpReply& last = reply.last;
  if (!last.failure.empty()) {
    const std::string advice = last.may_pass ? "; check the network, then run this again" : "";
    return HubProblem{{Code::kIo, server_of(reply.url) + ": " + last.failure + advice},
                      last.may_pass};
  }
  if (last.status == 200 || last.status == 206) return std::nullopt;
  if (is_overload(last.status)) return busy(reply);
  return HubProblem{{Code::kNotFound, refusal(reply, settings, model)}};
}

}  // namespace ovenbird
