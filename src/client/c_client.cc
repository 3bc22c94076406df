// The C interface: clients, text and tokens.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "client/c_handles.h"
#include "client/c_structs.h"
#include "wire/fixed_text.h"

namespace ovenbird::client {
namespace {

using std::chrono::milliseconds;

// As long as the longest line, and its zero.
thread_local std::array<char, 1024> last_error;

constexpr milliseconds kReadyLook{20};

/// Where ovenbird-engine is: see ovenbird_start_options.
std::string find_engine(const char* named) {
  namespace fs = std::filesystem;
  if (named && *named) return named;
  if (const char* variable = std::getenv("OVENBIRD_ENGINE"); variable && *variable) return variable;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = program.parent_path() / "ovenbird-engine";
  if (fs::exists(beside, error)) return beside.string();
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&ovenbird_start), &info) != 0 && info.dli_fname) {
    const fs::path library = fs::absolute(info.dli_fname, error).parent_path();
    return (library.parent_path() / "bin" / "ovenbird-engine").string();
  }
  return beside.string();
}

SupervisorOptions options_of(const char* bundle, const ovenbird_start_options& given) {
  SupervisorOptions options{.bundle = bundle, .engine = find_engine(given.engine)};
  if (given.device) options.device = given.device;
  options.fallback = given.no_fallback == 0;
  if (given.plan) options.plan = given.plan;
  if (given.recipe) options.recipe = given.recipe;
  options.threads = given.threads;
  options.exact = given.exact != 0;
  if (given.slots) options.slots = given.slots;
  if (given.queue) options.queue = given.queue;
  if (given.sessions) options.sessions = given.sessions;
  if (given.session_tokens) options.session_tokens = given.session_tokens;
  options.standby = given.standby != 0;
  if (given.on_note) {
    options.on_note = [tell = given.on_note, context = given.context](const std::string& line) {
      tell(context, line.c_str());
    };
  }
  return options;
}

Status hand_out(Result<std::shared_ptr<ModelClient>> model, ovenbird_client** client) {
  if (!model) return Failure{model.error()};
  const wire::Welcome& welcome = (*model)->connection().welcome();
  *client = new ovenbird_client{.model = std::move(*model), .plan = wire::text_in(welcome.plan)};
  return ok();
}

template <typename Item>
Status hand_out(const Item* items, size_t count, Item** place, size_t* place_count) {
  auto* copy = static_cast<Item*>(std::malloc((count + 1) * sizeof(Item)));
  if (!copy) return fail(Code::kOutOfMemory, "this process has no memory left");
  std::copy_n(items, count, copy);
  copy[count] = Item{};
  *place = copy;
  if (place_count) *place_count = count;
  return ok();
}

Status wait_ready(ModelClient& model, int32_t timeout_ms) {
  const Clock::time_point until =
      timeout_ms < 0 ? Clock::time_point::max() : Clock::now() + milliseconds(timeout_ms);
  while (true) {
    const Result<wire::Statistics> statistics = model.statistics();
    if (!statistics) return Failure{statistics.error()};
    if (statistics->is_ready) return ok();
    if (Clock::now() >= until) {
      const std::string why = statistics->last_failure.data();
      return fail(Code::kInterrupted,
                  "wait: no worker is ready yet" + (why.empty() ? "" : "; the last: " + why));
    }
    std::this_thread::sleep_for(kReadyLook);
  }
}

Status get_facts(ovenbird_client& client, ovenbird_facts* facts) {
  const wire::Welcome& welcome = client.model->connection().welcome();
  const Result<ModelText>& text = client.model->text();
  ovenbird_facts known{};
  known.vocabulary = welcome.vocabulary;
  known.context = welcome.context;
  known.slots = welcome.slots;
  known.tokens_max = welcome.tokens_max;
  known.logit_rows_max = std::min(welcome.logit_rows, wire::kClientRowsMax);
  known.has_text = text && text->tokenizer() ? 1 : 0;
  known.has_chat = text && text->has_chat() ? 1 : 0;
  known.supervisor = welcome.process;
  known.plan = client.plan.c_str();
  known.bundle = client.model->connection().bundle().c_str();
  return write_struct(known, facts);
}

Status get_statistics(ModelClient& model, ovenbird_statistics* statistics) {
  const Result<wire::Statistics> given = model.statistics();
  if (!given) return Failure{given.error()};
  ovenbird_statistics known{};
  known.is_ready = given->is_ready;
  known.uptime_ns = given->uptime_ns;
  known.said_tokens = given->said_tokens;
  known.steps = given->steps;
  known.step_ns = given->step_ns;
  known.turns = given->turns;
  known.restarts = given->restarts;
  known.failovers = given->failovers;
  known.refused_turns = given->refused_turns;
  known.worker = given->worker;
  known.standby = given->standby;
  known.clients = given->clients;
  known.sessions = given->sessions;
  known.slots = given->slots;
  known.slots_used = given->slots_used;
  known.waiting = given->waiting;
  std::copy_n(given->device.begin(), sizeof known.device - 1, known.device);
  std::copy_n(given->recipe.begin(), sizeof known.recipe - 1, known.recipe);
  std::copy_n(given->last_failure.begin(), sizeof known.last_failure - 1, known.last_failure);
  return write_struct(known, statistics);
}

Status chat(ModelClient& model, const ovenbird_message* messages, size_t count,
            const ovenbird_chat_options* options, int32_t** tokens, size_t* token_count) {
  const Result<ovenbird_chat_options> known = read_struct(options);
  if (!known) return Failure{known.error()};
  const Result<ModelText>& text = model.text();
  if (!text) return Failure{text.error()};
  std::vector<ChatMessage> plain;
  for (size_t index = 0; index < count; ++index) {
    if (!messages[index].role || !messages[index].content) return null_argument();
    plain.push_back({messages[index].role, messages[index].content});
  }
  ChatTexts texts{.messages = plain};
  texts.add_generation_prompt = known->no_generation_prompt == 0;
  if (known->messages_json) texts.messages_json = known->messages_json;
  if (known->tools_json) texts.tools_json = known->tools_json;
  if (known->variables_json) texts.variables_json = known->variables_json;
  const Result<std::vector<int32_t>> ids = text->chat(texts);
  if (!ids) return Failure{ids.error()};
  return hand_out(ids->data(), ids->size(), tokens, token_count);
}

}  // namespace

Result<std::vector<int32_t>> tokens_of(ModelClient& model, const char* text, size_t text_bytes,
                                       uint32_t flags) {
  constexpr uint32_t kKnownFlags = OVENBIRD_TEXT_BEGINS | OVENBIRD_TEXT_TRUSTED;
  if ((flags & ~kKnownFlags) != 0) {
    return fail(Code::kInvalidArgument, "tokenize: a flag is set that this release does not know");
  }
  if (!text && text_bytes != 0) return null_argument();
  const Result<ModelText>& reader = model.text();
  if (!reader) return Failure{reader.error()};
  const size_t bytes = text_bytes == OVENBIRD_TO_ZERO ? std::strlen(text) : text_bytes;
  return reader->tokenize({text, bytes}, {.begins = (flags & OVENBIRD_TEXT_BEGINS) != 0,
                                          .is_trusted = (flags & OVENBIRD_TEXT_TRUSTED) != 0});
}

ovenbird_status failed(Code code, std::string_view line) noexcept {
  const size_t bytes = std::min(line.size(), last_error.size() - 1);
  std::copy_n(line.data(), bytes, last_error.data());
  last_error[bytes] = 0;
  return static_cast<ovenbird_status>(code) + 1;
}

}  // namespace ovenbird::client

using namespace ovenbird::client;  // all that follows is the border itself
using ovenbird::Failure;
using ovenbird::Result;
using ovenbird::Status;

const char* ovenbird_last_error(void) { return last_error.data(); }

void ovenbird_free(void* memory) { std::free(memory); }

const char* ovenbird_version(void) { return OVENBIRD_VERSION; }

ovenbird_status ovenbird_start(const char* bundle, const ovenbird_start_options* options,
                               ovenbird_client** client) {
  return guarded([&]() -> Status {
    if (!bundle || !client) return null_argument();
    const Result<ovenbird_start_options> known = read_struct(options);
    if (!known) return Failure{known.error()};
    return hand_out(ModelClient::start(options_of(bundle, *known)), client);
  });
}

ovenbird_status ovenbird_connect(const char* socket, ovenbird_client** client) {
  return guarded([&]() -> Status {
    if (!client) return null_argument();
    return hand_out(ModelClient::connect(socket ? socket : ""), client);
  });
}

ovenbird_status ovenbird_wait_ready(ovenbird_client* client, int32_t timeout_ms) {
  return guarded([&]() -> Status {
    if (!client) return null_argument();
    return wait_ready(*client->model, timeout_ms);
  });
}

void ovenbird_close(ovenbird_client* client) { delete client; }

ovenbird_status ovenbird_get_facts(ovenbird_client* client, ovenbird_facts* facts) {
  return guarded([&]() -> Status { return client ? get_facts(*client, facts) : null_argument(); });
}

ovenbird_status ovenbird_get_statistics(ovenbird_client* client, ovenbird_statistics* statistics) {
  return guarded([&]() -> Status {
    return client ? get_statistics(*client->model, statistics) : null_argument();
  });
}

ovenbird_status ovenbird_tokenize(ovenbird_client* client, const char* text, size_t text_bytes,
                                  uint32_t flags, int32_t** tokens, size_t* count) {
  return guarded([&]() -> Status {
    if (!client || !tokens || !count) return null_argument();
    const Result<std::vector<int32_t>> ids = tokens_of(*client->model, text, text_bytes, flags);
    if (!ids) return Failure{ids.error()};
    return hand_out(ids->data(), ids->size(), tokens, count);
  });
}

ovenbird_status ovenbird_detokenize(ovenbird_client* client, const int32_t* tokens, size_t count,
                                    char** text, size_t* text_bytes) {
  return guarded([&]() -> Status {
    if (!client || (!tokens && count > 0) || !text) return null_argument();
    const Result<ModelText>& model = client->model->text();
    if (!model) return Failure{model.error()};
    const Result<std::string> made = model->detokenize({tokens, count});
    if (!made) return Failure{made.error()};
    return hand_out(made->data(), made->size(), text, text_bytes);
  });
}

ovenbird_status ovenbird_chat(ovenbird_client* client, const ovenbird_message* messages,
                              size_t count, const ovenbird_chat_options* options, int32_t** tokens,
                              size_t* token_count) {
  return guarded([&]() -> Status {
    if (!client || (!messages && count > 0) || !tokens || !token_count) return null_argument();
    return chat(*client->model, messages, count, options, tokens, token_count);
  });
}
