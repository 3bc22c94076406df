// Ovenbird's client library in C: the only border that programs are linked across.
//
// 1. Every function that can fail returns an ovenbird_status: 0, or why not. It is 1 more than the
//    Code of result.hpp. What is said of "Errors" stands beside what any function may return:
//    OVENBIRD_INVALID_ARGUMENT for a null where none may be, OVENBIRD_OUT_OF_MEMORY,
//    OVENBIRD_INTERNAL. After an error, results are as they were before the call.
// 2. ovenbird_last_error() has the same in words: one line, of this thread's last call that failed.
// 3. Structs begin with `bytes`, which is their sizeof as the program was compiled: set it, and all
//    else to zero, for the defaults (OVENBIRD_INIT does). So programs and libraries of different
//    releases know what the other one means; a field that a library does not know must be zero.
// 4. Handles are the caller's, who closes each of them once; null may be closed. What a function
//    gives through a pointer to a pointer to what is not const is the caller's too, for
//    ovenbird_free(). What is const belongs to the library, see 7.
// 5. A client may be used by any number of threads at once. A session belongs to one thread at a
//    time, but for ovenbird_cancel(), which any may call while the session is open. Its client may
//    be closed before it.
// 6. A function waits only where its comment says "Blocks". All others return at once, though
//    those which make tokens or text take time by the length of it.
// 7. Text and tokens that a session gives stay until the next call on that session other than
//    ovenbird_cancel(); logits until the next turn begins or the session is closed; text of a
//    client until it is closed. Text is UTF-8 with a zero behind it, also where its length is told.
// 8. Nothing here throws, prints, exits or handles signals. A device or a worker that dies does not
//    end a session: its turn goes on elsewhere. A process that was made by fork() may call nothing.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OVENBIRD_API __attribute__((visibility("default")))
#else
#define OVENBIRD_API
#endif

#ifndef __cplusplus
/// The first member of every struct: `ovenbird_generate_options options = OVENBIRD_INIT(options);`
#define OVENBIRD_INIT(variable) \
  { .bytes = sizeof(variable) }
#endif

typedef int32_t ovenbird_status;
enum {
  OVENBIRD_OK = 0,
  OVENBIRD_INVALID_ARGUMENT = 1,  // the caller's request is wrong; retrying will not help
  OVENBIRD_NOT_FOUND = 2,         // a file, a daemon or a tokenizer is not there
  OVENBIRD_CORRUPT = 3,           // bytes of a file or of the other side break the format
  OVENBIRD_UNSUPPORTED = 4,       // well-formed, but nothing here can do it
  OVENBIRD_IO = 5,                // the operating system refused
  OVENBIRD_NO_DEVICE = 6,         // no device can be used as asked
  OVENBIRD_COMPILE_FAILED = 7,    // a device does not take a graph
  OVENBIRD_OUT_OF_MEMORY = 8,     // a device, its compiler or this process lacks memory
  OVENBIRD_DEVICE_LOST = 9,       // devices failed, again and again
  OVENBIRD_BAD_OUTPUT = 10,       // what a device computed is no result
  OVENBIRD_INTERRUPTED = 11,      // a wait came to the end of its time
  OVENBIRD_INTERNAL = 12,         // a bug of ours, noticed; please report the message
  OVENBIRD_BUSY = 13              // all slots and the queue before them are taken; try again
};

/// Of this thread's last call that failed; "" if none has. Stays until its next call that fails.
OVENBIRD_API const char* ovenbird_last_error(void);

/// Gives back what a function made for the caller. Null is allowed.
OVENBIRD_API void ovenbird_free(void* memory);

/// "0.1.0"
OVENBIRD_API const char* ovenbird_version(void);

// ---- A client: one model, computed by workers that a supervisor watches ------------------------

typedef struct ovenbird_client ovenbird_client;

typedef struct ovenbird_start_options {
  uint32_t bytes;
  uint32_t no_fallback;     // 1: this device or none; a worker that dies is replaced on it
  const char* engine;       // path of ovenbird-engine; null: $OVENBIRD_ENGINE, or beside the
                            // program, or in ../bin as seen from this library
  const char* device;       // where to begin: "NPU", "GPU", "CPU"; null: all, in this order
  const char* plan;         // null: "cached", or what the bundle has
  const char* recipe;       // null: the plan's own
  uint32_t threads;         // of the CPU; 0: as OpenVINO chooses
  uint32_t exact;           // 1, CPU: a matmul's inputs are not rounded to 8 bit
  uint32_t slots;           // sessions whose cache is held at once; 0: 1
  uint32_t queue;           // turns that may wait for a slot; 0: 64
  uint32_t sessions;        // that may be open at once; 0: 256
  uint32_t session_tokens;  // of a conversation where a session does not say; 0: 65536
  uint32_t standby;         // 1: a second worker is kept warm on the next device
  uint32_t unused;
  /// Told what operators want to know, a line each, by a thread of the library. May be null. It
  /// must return soon and may call nothing of this library on the same client.
  void (*on_note)(void* context, const char* line);
  void* context;
} ovenbird_start_options;

/// Starts a supervisor in this process (a thread, and a worker process) for a bundle's directory.
/// Does not wait until the worker can compute; turns do. `options` may be null. Errors:
/// OVENBIRD_NOT_FOUND, OVENBIRD_CORRUPT, OVENBIRD_UNSUPPORTED (the bundle), OVENBIRD_IO.
OVENBIRD_API ovenbird_status ovenbird_start(const char* bundle,
                                            const ovenbird_start_options* options,
                                            ovenbird_client** client);

/// Connects to a daemon (`ovenbird serve`) by its socket; null: $OVENBIRD_SOCKET, or
/// $XDG_RUNTIME_DIR/ovenbird.sock. Should the daemon be started anew, sessions go on: for 30
/// seconds the library tries to find them again. Blocks for the daemon's answer, 10 seconds at
/// most. Errors: OVENBIRD_NOT_FOUND (nobody listens there), OVENBIRD_UNSUPPORTED (another
/// release), OVENBIRD_IO, OVENBIRD_BUSY.
OVENBIRD_API ovenbird_status ovenbird_connect(const char* socket, ovenbird_client** client);

/// Blocks until a worker can compute, at most so long; -1: without end. Errors:
/// OVENBIRD_INTERRUPTED (not yet; the message says why the last worker failed).
OVENBIRD_API ovenbird_status ovenbird_wait_ready(ovenbird_client* client, int32_t timeout_ms);

/// Sessions that are still open keep what they need. The last of them that is closed, or this,
/// blocks until a supervisor in this process has ended its workers.
OVENBIRD_API void ovenbird_close(ovenbird_client* client);

typedef struct ovenbird_facts {
  uint32_t bytes;
  uint32_t vocabulary;  // token ids are below it
  uint32_t context;     // tokens that are seen at once
  uint32_t slots;
  uint32_t tokens_max;      // the most that a session may be opened with
  uint32_t logit_rows_max;  // the most that ovenbird_compute() gives
  uint32_t has_text;        // 1: the bundle has a tokenizer
  uint32_t has_chat;        // 1: and a chat template
  uint32_t supervisor;      // process id
  uint32_t unused;
  const char* plan;    // "cached"
  const char* bundle;  // its path
} ovenbird_facts;

OVENBIRD_API ovenbird_status ovenbird_get_facts(ovenbird_client* client, ovenbird_facts* facts);

typedef struct ovenbird_statistics {
  uint32_t bytes;
  uint32_t is_ready;     // 1: a worker can compute
  uint64_t uptime_ns;    // of the supervisor
  uint64_t said_tokens;  // since it began
  uint64_t steps;
  uint64_t step_ns;  // of all steps together
  uint64_t turns;
  uint64_t restarts;       // workers that were replaced
  uint64_t failovers;      // of these: by one on another device
  uint64_t refused_turns;  // OVENBIRD_BUSY
  uint32_t worker;         // process id; 0: none
  uint32_t standby;        // process id; 0: none
  uint32_t clients;
  uint32_t sessions;
  uint32_t slots;
  uint32_t slots_used;
  uint32_t waiting;  // turns in the queue
  uint32_t unused;
  char device[16];  // "CPU"
  char recipe[16];
  char last_failure[512];  // why the last worker was replaced; ""
} ovenbird_statistics;

/// Blocks for the supervisor's answer.
OVENBIRD_API ovenbird_status ovenbird_get_statistics(ovenbird_client* client,
                                                     ovenbird_statistics* statistics);

// ---- Text and tokens; all return OVENBIRD_NOT_FOUND if the bundle has no tokenizer -------------

#define OVENBIRD_TO_ZERO ((size_t)-1) /* as a length of text: up to its zero */

enum {
  OVENBIRD_TEXT_BEGINS = 1,  // the tokens that stand before a text that stands alone are put there
  OVENBIRD_TEXT_TRUSTED = 2  // names of special tokens in the text are these tokens: not for what
                             // users wrote
};

/// `flags`: OVENBIRD_TEXT_*. Errors: OVENBIRD_INVALID_ARGUMENT (more than 64 MiB),
/// OVENBIRD_UNSUPPORTED.
OVENBIRD_API ovenbird_status ovenbird_tokenize(ovenbird_client* client, const char* text,
                                               size_t text_bytes, uint32_t flags, int32_t** tokens,
                                               size_t* count);

/// Special tokens show nothing. `text_bytes` may be null.
OVENBIRD_API ovenbird_status ovenbird_detokenize(ovenbird_client* client, const int32_t* tokens,
                                                 size_t count, char** text, size_t* text_bytes);

typedef struct ovenbird_message {
  const char* role;  // "system", "user", "assistant", "tool"
  const char* content;
} ovenbird_message;

typedef struct ovenbird_chat_options {
  uint32_t bytes;
  uint32_t no_generation_prompt;  // 1: does not end with the beginning of an answer
  const char* messages_json;      // a JSON list of messages that go before the others; null: none
  const char* tools_json;         // a JSON list of tools; null: none
  const char* variables_json;     // a JSON object of more variables of the template; null: none
} ovenbird_chat_options;

/// The tokens of a whole chat by the model's template, for ovenbird_set_conversation(). `options`
/// may be null. Errors: OVENBIRD_NOT_FOUND (no template), OVENBIRD_INVALID_ARGUMENT (the template
/// refuses it, or JSON is none), OVENBIRD_CORRUPT, OVENBIRD_UNSUPPORTED (the template).
OVENBIRD_API ovenbird_status ovenbird_chat(ovenbird_client* client,
                                           const ovenbird_message* messages, size_t count,
                                           const ovenbird_chat_options* options, int32_t** tokens,
                                           size_t* token_count);

// ---- A session: one conversation ---------------------------------------------------------------

typedef struct ovenbird_session ovenbird_session;

typedef struct ovenbird_session_options {
  uint32_t bytes;
  uint32_t logits;      // 1: with room for logits, see ovenbird_compute()
  uint32_t pollable;    // 1: with a descriptor, see ovenbird_descriptor()
  uint32_t tokens_max;  // of the whole conversation; 0: the supervisor's default
  uint32_t spin_us;     // ovenbird_next() looks again and again for so long before it sleeps, at
                        // most 10000: tokens come a little sooner, a processor is busy
  uint32_t unused;
} ovenbird_session_options;

/// Blocks for the supervisor's answer. `options` may be null. Errors: OVENBIRD_BUSY (as many
/// sessions are open as may be), OVENBIRD_INVALID_ARGUMENT (tokens_max), OVENBIRD_IO.
OVENBIRD_API ovenbird_status ovenbird_open(ovenbird_client* client,
                                           const ovenbird_session_options* options,
                                           ovenbird_session** session);

/// Cancels what is under way. See ovenbird_close() for when it blocks.
OVENBIRD_API void ovenbird_session_close(ovenbird_session* session);

// The conversation is changed here and handed over with the next turn, so these cost nothing and
// do not wait. Errors of all: OVENBIRD_INVALID_ARGUMENT (a turn is under way, that is, neither
// ovenbird_next() nor ovenbird_poll() has said yet that it is over; a token that is not in the
// vocabulary; more tokens than the session was opened for).

/// `flags`: OVENBIRD_TEXT_*. Errors: those of ovenbird_tokenize().
OVENBIRD_API ovenbird_status ovenbird_feed_text(ovenbird_session* session, const char* text,
                                                size_t text_bytes, uint32_t flags);

OVENBIRD_API ovenbird_status ovenbird_feed(ovenbird_session* session, const int32_t* tokens,
                                           size_t count);

/// Keeps the first `count` tokens of the conversation; nothing computed for these is lost.
OVENBIRD_API ovenbird_status ovenbird_rewind(ovenbird_session* session, size_t count);

/// Makes the conversation these tokens. What it begins with already is not computed again.
OVENBIRD_API ovenbird_status ovenbird_set_conversation(ovenbird_session* session,
                                                       const int32_t* tokens, size_t count);

/// The conversation: what was fed, and what ovenbird_next() has given.
OVENBIRD_API ovenbird_status ovenbird_get_tokens(ovenbird_session* session, const int32_t** tokens,
                                                 size_t* count);

typedef struct ovenbird_logit_bias {
  int32_t token;
  float value;  // -100 to 100, added to its logit
} ovenbird_logit_bias;

typedef struct ovenbird_generate_options {
  uint32_t bytes;
  uint32_t tokens_max;       // of the answer; 0: what the session has room for
  float temperature;         // 0: the best token, always; or 0.000001 to 100
  int32_t top_k;             // the k best; 0: all
  float top_p;               // the best that together reach p; 0 or 1: all
  float min_p;               // what has min_p of the best one's probability; 0: all
  float repetition_penalty;  // 0.01 to 100, for what stands in the conversation; 0 or 1: none
  float presence_penalty;    // -2 to 2, once for what stands in the answer
  float frequency_penalty;   // -2 to 2, each time it stands in the answer
  uint32_t ignore_end;       // 1: the model's end tokens do not end the answer
  uint64_t seed;             // with a token's position it determines the number drawn for it
  const ovenbird_logit_bias* biases;
  size_t bias_count;         // at most 1024, no token twice
  const char* const* stops;  // texts that end the answer, and are not in it
  size_t stop_count;         // at most 16, of 256 bytes each
  uint32_t drafts;           // 1: guesses tokens from what was said; often faster
  uint32_t share_prefix;     // 1: what other sessions computed of the same beginning is copied
} ovenbird_generate_options;

/// Begins an answer to the conversation, which must not be empty. `options` may be null. Does not
/// wait, but for room in a socket that the supervisor reads. That there is no room in the queue
/// (OVENBIRD_BUSY) is said by ovenbird_next(). Errors: OVENBIRD_INVALID_ARGUMENT (naming the option
/// and its range), OVENBIRD_NOT_FOUND (stops without a tokenizer, or the session is gone).
OVENBIRD_API ovenbird_status ovenbird_generate(ovenbird_session* session,
                                               const ovenbird_generate_options* options);

enum {
  OVENBIRD_FINISH_NONE = 0,  // the turn is not over
  OVENBIRD_FINISH_END = 1,   // the model ended it; its end token is the last one
  OVENBIRD_FINISH_LENGTH = 2,
  OVENBIRD_FINISH_CANCELLED = 3,
  OVENBIRD_FINISH_FULL = 4,    // the session has no room for more tokens
  OVENBIRD_FINISH_FAILED = 5,  // the status says why
  OVENBIRD_FINISH_STOP = 6     // a stop string
};

/// What is new of an answer. Text is whole characters and never taken back; a token comes once all
/// of its text has come.
typedef struct ovenbird_piece {
  uint32_t bytes;
  uint32_t is_over;  // 1: nothing follows, and the session is free for its next turn
  uint32_t finish;   // OVENBIRD_FINISH_*
  uint32_t stop;     // which stop string it was
  const char* text;  // "" if there is none
  size_t text_bytes;
  const int32_t* tokens;
  size_t token_count;
} ovenbird_piece;

/// Blocks until something is new, at most so long; -1: without end. Once the time is over it gives
/// an empty piece that is not over. When a turn fails, what was said is given first; then the
/// error is returned, with is_over set. Once over, the same is given again. Errors: why the turn
/// failed; OVENBIRD_NOT_FOUND (the supervisor is gone); OVENBIRD_INVALID_ARGUMENT (no turn yet).
OVENBIRD_API ovenbird_status ovenbird_next(ovenbird_session* session, int32_t timeout_ms,
                                           ovenbird_piece* piece);

/// The same with what is there already.
OVENBIRD_API ovenbird_status ovenbird_poll(ovenbird_session* session, ovenbird_piece* piece);

/// Asks for the turn's end; it is over when ovenbird_next() says so. Without a turn it does
/// nothing. Any thread.
OVENBIRD_API ovenbird_status ovenbird_cancel(ovenbird_session* session);

/// Readable (for poll, epoll) when ovenbird_poll() may have something new. The session's: never to
/// be read, written or closed. Errors: OVENBIRD_UNSUPPORTED (not opened as pollable).
OVENBIRD_API ovenbird_status ovenbird_descriptor(ovenbird_session* session, int* descriptor);

/// Computes the conversation and says nothing. `logit_rows`: for how many of its newest tokens
/// logits are wanted, 0 to the client's logit_rows_max. Blocks until it is done; ovenbird_cancel()
/// of another thread ends it (OVENBIRD_INTERRUPTED). Errors: as ovenbird_generate() and
/// ovenbird_next(); OVENBIRD_UNSUPPORTED (rows wanted of a session opened without logits).
OVENBIRD_API ovenbird_status ovenbird_compute(ovenbird_session* session, uint32_t logit_rows);

typedef struct ovenbird_logits {
  uint32_t bytes;
  uint32_t rows;         // 0: there are none
  uint32_t vocabulary;   // [rows, vocabulary]; the last row is that of the newest token
  uint32_t step;         // for ovenbird_are_logits_valid()
  const float* numbers;  // memory that is shared with the worker: not copied, not to be written
} ovenbird_logits;

/// Those of the last ovenbird_compute(). Errors: OVENBIRD_UNSUPPORTED (opened without logits).
OVENBIRD_API ovenbird_status ovenbird_get_logits(ovenbird_session* session,
                                                 ovenbird_logits* logits);

/// Whether what has been read of them since was of them alone: ask after reading.
OVENBIRD_API ovenbird_status ovenbird_are_logits_valid(ovenbird_session* session,
                                                       const ovenbird_logits* logits,
                                                       uint32_t* are_valid);

/// The last answer's counts. Times are as this process saw them.
typedef struct ovenbird_answer {
  uint32_t bytes;
  uint32_t said_tokens;
  uint64_t prompt_tokens;
  uint64_t reused_tokens;  // of the prompt: were computed already
  uint64_t prefill_steps;
  uint64_t decode_steps;
  uint64_t drafted_tokens;
  uint64_t accepted_tokens;  // of the drafted
  uint64_t near_ties;     // greedy choices that another width of a step might have made otherwise
  double first_token_ms;  // since ovenbird_generate()
  double tokens_per_second;  // after the first one
} ovenbird_answer;

/// Errors: OVENBIRD_INVALID_ARGUMENT (a turn is under way, or there was none).
OVENBIRD_API ovenbird_status ovenbird_get_answer(ovenbird_session* session,
                                                 ovenbird_answer* answer);

/// A session of its own with the same conversation. What was computed of that is copied when the
/// fork's first turn begins, if both then have a slot, and else computed again. Blocks for the
/// supervisor's answer. Errors: as ovenbird_open(); OVENBIRD_INVALID_ARGUMENT (a turn is under
/// way).
OVENBIRD_API ovenbird_status ovenbird_fork(ovenbird_session* session,
                                           const ovenbird_session_options* options,
                                           ovenbird_session** fork);

/// Writes the conversation and what was computed of it to a file, whole or not at all. Blocks for
/// supervisor and disk. Errors: OVENBIRD_IO, OVENBIRD_INVALID_ARGUMENT (a turn is under way).
OVENBIRD_API ovenbird_status ovenbird_save(ovenbird_session* session, const char* path);

/// A session from such a file, for the same model. Blocks for disk and supervisor. Errors: as
/// ovenbird_open(); OVENBIRD_NOT_FOUND, OVENBIRD_IO, OVENBIRD_CORRUPT, OVENBIRD_UNSUPPORTED
/// (another release or model).
OVENBIRD_API ovenbird_status ovenbird_load(ovenbird_client* client, const char* path,
                                           const ovenbird_session_options* options,
                                           ovenbird_session** session);

#ifdef __cplusplus
}
#endif
