// offsetof, sizeof.
#include "wire/described_structs.h"

#include <utility>

#include "wire/arena.h"
#include "wire/client_protocol.h"
#include "wire/message_socket.h"
#include "wire/record.h"
#include "wire/saved_session.h"
#include "wire/worker_protocol.h"

#define OVENBIRD_FIELD(type, name) \
  std::pair(std::string(#name), DescribedField{offsetof(type, name), sizeof(type::name)})
#define OVENBIRD_CONSTANT(name) std::pair(std::string(#name), uint64_t(name))
#define OVENBIRD_MESSAGE(type, name) std::pair(std::string(#name), uint64_t(type::name))

namespace ovenbird::wire {
namespace {

std::map<std::string, DescribedStruct> record_structs() {
  return {
      {"RecordHeader",
       {sizeof(RecordHeader),
        {OVENBIRD_FIELD(RecordHeader, magic), OVENBIRD_FIELD(RecordHeader, version),
         OVENBIRD_FIELD(RecordHeader, vocabulary), OVENBIRD_FIELD(RecordHeader, session),
         OVENBIRD_FIELD(RecordHeader, total_bytes), OVENBIRD_FIELD(RecordHeader, tokens_offset),
         OVENBIRD_FIELD(RecordHeader, logits_offset), OVENBIRD_FIELD(RecordHeader, tokens_max),
         OVENBIRD_FIELD(RecordHeader, logit_rows), OVENBIRD_FIELD(RecordHeader, unused),
         OVENBIRD_FIELD(RecordHeader, orders), OVENBIRD_FIELD(RecordHeader, progress),
         OVENBIRD_FIELD(RecordHeader, result), OVENBIRD_FIELD(RecordHeader, turn)}}},
      {"Orders",
       {sizeof(Orders),
        {OVENBIRD_FIELD(Orders, turn_asked), OVENBIRD_FIELD(Orders, turn_cancel),
         OVENBIRD_FIELD(Orders, is_over)}}},
      {"Progress",
       {sizeof(Progress),
        {OVENBIRD_FIELD(Progress, point), OVENBIRD_FIELD(Progress, logits),
         OVENBIRD_FIELD(Progress, turn_done), OVENBIRD_FIELD(Progress, wake)}}},
      {"TurnResult",
       {sizeof(TurnResult),
        {OVENBIRD_FIELD(TurnResult, finish), OVENBIRD_FIELD(TurnResult, code),
         OVENBIRD_FIELD(TurnResult, reused_tokens), OVENBIRD_FIELD(TurnResult, prefill_steps),
         OVENBIRD_FIELD(TurnResult, decode_steps), OVENBIRD_FIELD(TurnResult, drafted_tokens),
         OVENBIRD_FIELD(TurnResult, accepted_tokens), OVENBIRD_FIELD(TurnResult, near_ties),
         OVENBIRD_FIELD(TurnResult, compile_ns), OVENBIRD_FIELD(TurnResult, message)}}},
      {"Turn",
       {sizeof(Turn),
        {OVENBIRD_FIELD(Turn, prompt_tokens), OVENBIRD_FIELD(Turn, answer_tokens_max),
         OVENBIRD_FIELD(Turn, logit_rows), OVENBIRD_FIELD(Turn, flags),
         OVENBIRD_FIELD(Turn, end_id_count), OVENBIRD_FIELD(Turn, bias_count),
         OVENBIRD_FIELD(Turn, sampling), OVENBIRD_FIELD(Turn, end_ids),
         OVENBIRD_FIELD(Turn, biases)}}},
      {"Sampling",
       {sizeof(Sampling),
        {OVENBIRD_FIELD(Sampling, seed), OVENBIRD_FIELD(Sampling, temperature),
         OVENBIRD_FIELD(Sampling, top_k), OVENBIRD_FIELD(Sampling, top_p),
         OVENBIRD_FIELD(Sampling, min_p), OVENBIRD_FIELD(Sampling, repetition_penalty),
         OVENBIRD_FIELD(Sampling, presence_penalty), OVENBIRD_FIELD(Sampling, frequency_penalty),
         OVENBIRD_FIELD(Sampling, padding)}}},
  };
}

std::map<std::string, DescribedStruct> arena_structs() {
  return {
      {"ArenaHeader",
       {sizeof(ArenaHeader),
        {OVENBIRD_FIELD(ArenaHeader, magic), OVENBIRD_FIELD(ArenaHeader, version),
         OVENBIRD_FIELD(ArenaHeader, slots), OVENBIRD_FIELD(ArenaHeader, sessions_max),
         OVENBIRD_FIELD(ArenaHeader, rows), OVENBIRD_FIELD(ArenaHeader, tensors),
         OVENBIRD_FIELD(ArenaHeader, unused), OVENBIRD_FIELD(ArenaHeader, tensor_bytes),
         OVENBIRD_FIELD(ArenaHeader, scratch_bytes), OVENBIRD_FIELD(ArenaHeader, total_bytes),
         OVENBIRD_FIELD(ArenaHeader, model), OVENBIRD_FIELD(ArenaHeader, lock_path)}}},
      {"WorkerStatus",
       {sizeof(WorkerStatus),
        {OVENBIRD_FIELD(WorkerStatus, phase_since_ns), OVENBIRD_FIELD(WorkerStatus, steps),
         OVENBIRD_FIELD(WorkerStatus, slowest_step_ns), OVENBIRD_FIELD(WorkerStatus, step_ns),
         OVENBIRD_FIELD(WorkerStatus, said_tokens), OVENBIRD_FIELD(WorkerStatus, phase),
         OVENBIRD_FIELD(WorkerStatus, slot), OVENBIRD_FIELD(WorkerStatus, slowest_of_all_ns)}}},
      {"SessionEntry",
       {sizeof(SessionEntry),
        {OVENBIRD_FIELD(SessionEntry, session), OVENBIRD_FIELD(SessionEntry, key),
         OVENBIRD_FIELD(SessionEntry, record_bytes), OVENBIRD_FIELD(SessionEntry, slot),
         OVENBIRD_FIELD(SessionEntry, wants_notice)}}},
      {"SlotHeader",
       {sizeof(SlotHeader),
        {OVENBIRD_FIELD(SlotHeader, layout), OVENBIRD_FIELD(SlotHeader, last_step),
         OVENBIRD_FIELD(SlotHeader, move_from), OVENBIRD_FIELD(SlotHeader, move_to),
         OVENBIRD_FIELD(SlotHeader, move_rows), OVENBIRD_FIELD(SlotHeader, move_first),
         OVENBIRD_FIELD(SlotHeader, move_step), OVENBIRD_FIELD(SlotHeader, tokens),
         OVENBIRD_FIELD(SlotHeader, unused)}}},
  };
}

std::map<std::string, DescribedStruct> client_structs() {
  return {
      {"MessageHeader",
       {sizeof(MessageHeader),
        {OVENBIRD_FIELD(MessageHeader, type), OVENBIRD_FIELD(MessageHeader, request),
         OVENBIRD_FIELD(MessageHeader, session)}}},
      {"Hello", {sizeof(Hello), {OVENBIRD_FIELD(Hello, version), OVENBIRD_FIELD(Hello, padding)}}},
      {"Welcome",
       {sizeof(Welcome),
        {OVENBIRD_FIELD(Welcome, version), OVENBIRD_FIELD(Welcome, vocabulary),
         OVENBIRD_FIELD(Welcome, context), OVENBIRD_FIELD(Welcome, slots),
         OVENBIRD_FIELD(Welcome, logit_rows), OVENBIRD_FIELD(Welcome, tokens_max),
         OVENBIRD_FIELD(Welcome, process), OVENBIRD_FIELD(Welcome, padding),
         OVENBIRD_FIELD(Welcome, plan), OVENBIRD_FIELD(Welcome, model)}}},
      {"Open", {sizeof(Open), {OVENBIRD_FIELD(Open, flags), OVENBIRD_FIELD(Open, tokens_max)}}},
      {"Claim", {sizeof(Claim), {OVENBIRD_FIELD(Claim, key)}}},
      {"Opened",
       {sizeof(Opened),
        {OVENBIRD_FIELD(Opened, session), OVENBIRD_FIELD(Opened, key),
         OVENBIRD_FIELD(Opened, record_bytes)}}},
      {"Feed", {sizeof(Feed), {OVENBIRD_FIELD(Feed, keep), OVENBIRD_FIELD(Feed, tokens)}}},
      {"AskTurn",
       {sizeof(AskTurn),
        {OVENBIRD_FIELD(AskTurn, number), OVENBIRD_FIELD(AskTurn, keep),
         OVENBIRD_FIELD(AskTurn, tokens), OVENBIRD_FIELD(AskTurn, answer_tokens_max),
         OVENBIRD_FIELD(AskTurn, logit_rows), OVENBIRD_FIELD(AskTurn, flags),
         OVENBIRD_FIELD(AskTurn, end_ids), OVENBIRD_FIELD(AskTurn, biases),
         OVENBIRD_FIELD(AskTurn, sampling)}}},
      {"Cancel", {sizeof(Cancel), {OVENBIRD_FIELD(Cancel, turn), OVENBIRD_FIELD(Cancel, padding)}}},
      {"Refused",
       {sizeof(Refused), {OVENBIRD_FIELD(Refused, code), OVENBIRD_FIELD(Refused, turn)}}},
      {"Saved", {sizeof(Saved), {OVENBIRD_FIELD(Saved, bytes)}}},
  };
}

std::map<std::string, DescribedStruct> supervisor_structs() {
  return {
      {"Statistics",
       {sizeof(Statistics),
        {OVENBIRD_FIELD(Statistics, uptime_ns), OVENBIRD_FIELD(Statistics, said_tokens),
         OVENBIRD_FIELD(Statistics, steps), OVENBIRD_FIELD(Statistics, step_ns),
         OVENBIRD_FIELD(Statistics, turns), OVENBIRD_FIELD(Statistics, restarts),
         OVENBIRD_FIELD(Statistics, failovers), OVENBIRD_FIELD(Statistics, refused_turns),
         OVENBIRD_FIELD(Statistics, worker), OVENBIRD_FIELD(Statistics, standby),
         OVENBIRD_FIELD(Statistics, clients), OVENBIRD_FIELD(Statistics, sessions),
         OVENBIRD_FIELD(Statistics, slots), OVENBIRD_FIELD(Statistics, slots_used),
         OVENBIRD_FIELD(Statistics, waiting), OVENBIRD_FIELD(Statistics, is_ready),
         OVENBIRD_FIELD(Statistics, device), OVENBIRD_FIELD(Statistics, recipe),
         OVENBIRD_FIELD(Statistics, last_failure)}}},
      {"SavedHeader",
       {sizeof(SavedHeader),
        {OVENBIRD_FIELD(SavedHeader, magic), OVENBIRD_FIELD(SavedHeader, version),
         OVENBIRD_FIELD(SavedHeader, vocabulary), OVENBIRD_FIELD(SavedHeader, model),
         OVENBIRD_FIELD(SavedHeader, content), OVENBIRD_FIELD(SavedHeader, tokens),
         OVENBIRD_FIELD(SavedHeader, computed), OVENBIRD_FIELD(SavedHeader, dropped),
         OVENBIRD_FIELD(SavedHeader, rows), OVENBIRD_FIELD(SavedHeader, tensors),
         OVENBIRD_FIELD(SavedHeader, kv_heads), OVENBIRD_FIELD(SavedHeader, row_bytes),
         OVENBIRD_FIELD(SavedHeader, unused), OVENBIRD_FIELD(SavedHeader, total_bytes),
         OVENBIRD_FIELD(SavedHeader, unused_too)}}},
      {"Attach",
       {sizeof(Attach),
        {OVENBIRD_FIELD(Attach, slot), OVENBIRD_FIELD(Attach, is_written),
         OVENBIRD_FIELD(Attach, record_bytes)}}},
      {"Slot", {sizeof(Slot), {OVENBIRD_FIELD(Slot, slot), OVENBIRD_FIELD(Slot, padding)}}},
      {"Ready", {sizeof(Ready), {OVENBIRD_FIELD(Ready, device), OVENBIRD_FIELD(Ready, recipe)}}},
      {"Failed", {sizeof(Failed), {OVENBIRD_FIELD(Failed, code), OVENBIRD_FIELD(Failed, slot)}}},
  };
}

}  // namespace

std::map<std::string, DescribedStruct> described_structs() {
  auto all = record_structs();
  all.merge(arena_structs());
  all.merge(client_structs());
  all.merge(supervisor_structs());
  return all;
}

std::map<std::string, uint64_t> described_constants() {
  return {OVENBIRD_CONSTANT(kWireVersion),     OVENBIRD_CONSTANT(kRecordHeaderBytes),
          OVENBIRD_CONSTANT(kSlotHeaderBytes), OVENBIRD_CONSTANT(kWorkersMax),
          OVENBIRD_CONSTANT(kNoSlot),          OVENBIRD_CONSTANT(kEndIdsMax),
          OVENBIRD_CONSTANT(kBiasesMax),       OVENBIRD_CONSTANT(kMessageTextBytes),
          OVENBIRD_CONSTANT(kClientRowsMax),   OVENBIRD_CONSTANT(kMessageBytesMax),
          OVENBIRD_CONSTANT(kDescriptorsMax),  OVENBIRD_CONSTANT(kWorkerSocket),
          OVENBIRD_CONSTANT(kWorkerArena)};
}

std::map<std::string, uint64_t> client_messages() {
  return {OVENBIRD_MESSAGE(ClientMessage, kHello),
          OVENBIRD_MESSAGE(ClientMessage, kOpen),
          OVENBIRD_MESSAGE(ClientMessage, kClaim),
          OVENBIRD_MESSAGE(ClientMessage, kFeed),
          OVENBIRD_MESSAGE(ClientMessage, kTurn),
          OVENBIRD_MESSAGE(ClientMessage, kCancel),
          OVENBIRD_MESSAGE(ClientMessage, kClose),
          OVENBIRD_MESSAGE(ClientMessage, kFork),
          OVENBIRD_MESSAGE(ClientMessage, kSave),
          OVENBIRD_MESSAGE(ClientMessage, kLoad),
          OVENBIRD_MESSAGE(ClientMessage, kStatistics),
          OVENBIRD_MESSAGE(ClientMessage, kWelcome),
          OVENBIRD_MESSAGE(ClientMessage, kOpened),
          OVENBIRD_MESSAGE(ClientMessage, kRefused),
          OVENBIRD_MESSAGE(ClientMessage, kSaved),
          OVENBIRD_MESSAGE(ClientMessage, kStatisticsAre)};
}

std::map<std::string, uint64_t> worker_messages() {
  return {OVENBIRD_MESSAGE(WorkerMessage, kActivate), OVENBIRD_MESSAGE(WorkerMessage, kAttach),
          OVENBIRD_MESSAGE(WorkerMessage, kTurn),     OVENBIRD_MESSAGE(WorkerMessage, kReady),
          OVENBIRD_MESSAGE(WorkerMessage, kNote),     OVENBIRD_MESSAGE(WorkerMessage, kTurnDone),
          OVENBIRD_MESSAGE(WorkerMessage, kFailed)};
}

}  // namespace ovenbird::wire
