// What ovenbird::Client and ovenbird::Session are given and give, and its way to ovenbird.h's
// structs. client.hpp includes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/ovenbird.h"
#include "ovenbird/result.hpp"

namespace ovenbird {
inline namespace client_v1 {

/// Why an answer is over; the numbers are OVENBIRD_FINISH_*.
enum class FinishReason { kNone, kEnd, kLength, kCancelled, kFull, kFailed, kStop };

/// "end", "length", ...
inline const char* name_of(FinishReason reason) {
  constexpr const char* kNames[] = {"none", "end", "length", "cancelled", "full", "failed", "stop"};
  return kNames[static_cast<size_t>(reason)];
}

/// Texts and lists are used during the call only.
struct StartOptions {
  std::string engine;  // empty: found as ovenbird.h says; so for the other texts
  std::string device;
  std::string plan;
  std::string recipe;
  bool fallback = true;
  bool exact = false;
  bool standby = false;
  uint32_t threads = 0;
  uint32_t slots = 1;
  uint32_t queue = 64;
  uint32_t sessions = 256;
  uint32_t session_tokens = 65536;
  void (*on_note)(void* context, const char* line) = nullptr;  // see ovenbird.h
  void* context = nullptr;
};

struct SessionOptions {
  bool logits = false;
  bool pollable = false;
  uint32_t tokens_max = 0;  // 0: the supervisor's default
  std::chrono::microseconds spin{0};
};

/// The names and ranges are those of ovenbird_generate_options.
struct GenerateOptions {
  std::optional<uint32_t> tokens_max;
  float temperature = 0;
  int32_t top_k = 0;
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  uint64_t seed = 0;
  std::vector<ovenbird_logit_bias> logit_bias;
  std::vector<std::string> stops;
  bool ignore_end = false;
  bool drafts = false;
  bool share_prefix = false;
};

struct Message {
  std::string role;
  std::string content;
};

struct ChatOptions {
  bool add_generation_prompt = true;
  std::string messages_json;  // empty: none; so for the others
  std::string tools_json;
  std::string variables_json;
};

enum TextFlags : uint32_t {
  kTextPlain = 0,
  kTextBegins = OVENBIRD_TEXT_BEGINS,
  kTextTrusted = OVENBIRD_TEXT_TRUSTED,
};

/// What is new of an answer; valid until the next call on its session.
struct Piece {
  std::string_view text;
  std::span<const int32_t> tokens;
  bool is_over = false;
  FinishReason finish = FinishReason::kNone;
  size_t stop = 0;  // with kStop: which one
};

/// A whole answer.
struct Answer {
  std::string text;
  std::vector<int32_t> tokens;
  FinishReason finish = FinishReason::kNone;
  ovenbird_answer counts{};
};

namespace detail {

inline Status status_of(ovenbird_status status) {
  if (status == OVENBIRD_OK) return ok();
  return fail(static_cast<Code>(status - 1), ovenbird_last_error());
}

template <typename Struct>
Struct sized() {
  Struct made{};
  made.bytes = sizeof made;
  return made;
}

inline const char* or_null(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

struct Freed {
  void operator()(void* memory) const { ovenbird_free(memory); }
};
struct ClientClosed {
  void operator()(ovenbird_client* client) const { ovenbird_close(client); }
};
struct SessionClosed {
  void operator()(ovenbird_session* session) const { ovenbird_session_close(session); }
};

inline std::vector<int32_t> taken(int32_t* tokens, size_t count) {
  const std::unique_ptr<int32_t, Freed> owner(tokens);
  return std::vector<int32_t>(tokens, tokens + count);
}

inline ovenbird_session_options plain(const SessionOptions& options) {
  auto plain = sized<ovenbird_session_options>();
  plain.logits = options.logits;
  plain.pollable = options.pollable;
  plain.tokens_max = options.tokens_max;
  plain.spin_us = static_cast<uint32_t>(options.spin.count());
  return plain;
}

inline ovenbird_start_options plain(const StartOptions& options) {
  auto plain = sized<ovenbird_start_options>();
  plain.no_fallback = !options.fallback;
  plain.engine = or_null(options.engine);
  plain.device = or_null(options.device);
  plain.plan = or_null(options.plan);
  plain.recipe = or_null(options.recipe);
  plain.threads = options.threads;
  plain.exact = options.exact;
  plain.slots = options.slots;
  plain.queue = options.queue;
  plain.sessions = options.sessions;
  plain.session_tokens = options.session_tokens;
  plain.standby = options.standby;
  plain.on_note = options.on_note;
  plain.context = options.context;
  return plain;
}

/// `stops` are pointers to the options' own, and must outlive what is returned.
inline ovenbird_generate_options plain(const GenerateOptions& options,
                                       std::vector<const char*>& stops) {
  auto plain = sized<ovenbird_generate_options>();
  plain.tokens_max = options.tokens_max.value_or(0);
  plain.temperature = options.temperature;
  plain.top_k = options.top_k;
  plain.top_p = options.top_p;
  plain.min_p = options.min_p;
  plain.repetition_penalty = options.repetition_penalty;
  plain.presence_penalty = options.presence_penalty;
  plain.frequency_penalty = options.frequency_penalty;
  plain.ignore_end = options.ignore_end;
  plain.seed = options.seed;
  plain.biases = options.logit_bias.data();
  plain.bias_count = options.logit_bias.size();
  for (const std::string& stop : options.stops) stops.push_back(stop.c_str());
  plain.stops = stops.data();
  plain.stop_count = stops.size();
  plain.drafts = options.drafts;
  plain.share_prefix = options.share_prefix;
  return plain;
}

}  // namespace detail

}  // namespace client_v1
}  // namespace ovenbird
