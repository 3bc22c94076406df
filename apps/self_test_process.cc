// The process that tries the NPU: started, watched, heard, ended.
#include "self_test_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/json.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;
using Ending = SelfTest::Ending;

/// How often a process is asked whether it still lives.
constexpr std::chrono::milliseconds kLook{10};
/// A process that hangs inside the kernel cannot be killed. It is left behind then.
constexpr std::chrono::seconds kPatienceAfterKill{2};
/// What is kept of its errors when they grow too long: their last line is what counts.
constexpr size_t kErrorBytesKept = limits::kSelfTestBytesMax / 2;
/// Of that line, what a finding shows.
constexpr size_t kLastWordsBytes = 200;
/// What a program ends with when a library that it is linked with is missing.
constexpr int kNoLibrary = 127;

struct Pipe {
  FileDescriptor reading{-1};
  FileDescriptor writing{-1};
};

std::optional<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // this end only: the process may wait for us
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

/// Takes what is there without waiting for more, and all of it, so that the process is not stopped
/// by a full pipe.
template <typename Keep>
void drain(const Pipe& pipe, Keep keep) {
  std::array<char, 1 << 12> part;
  ssize_t bytes = 0;
  while ((bytes = ::read(pipe.reading.get(), part.data(), part.size())) > 0) {
    keep(std::string_view(part.data(), static_cast<size_t>(bytes)));
  }
}

/// One byte beyond the limit is kept: it tells that there was too much.
void keep_beginning(std::string& text, std::string_view part) {
  const size_t most = limits::kSelfTestBytesMax + 1;
  text.append(part.substr(0, most - std::min(text.size(), most)));
}

void keep_end(std::string& text, std::string_view part) {
  text.append(part);
  if (text.size() > limits::kSelfTestBytesMax) text.erase(0, text.size() - kErrorBytesKept);
}

class SelfTestProcess {
 public:
  /// False: it does not start; `fault` says why.
  bool start(const std::filesystem::path& engine, std::string& fault) {
    std::optional<Pipe> out = make_pipe();
    std::optional<Pipe> err = make_pipe();
    if (!out || !err) {
      fault = std::string("make a pipe: ") + std::strerror(errno);
      return false;
    }
    std::string program = engine.string();
    std::string word(kSelfTestWord);
    const std::array<char*, 3> arguments{program.data(), word.data(), nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out->writing.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err->writing.get(), STDERR_FILENO);
    const int error =
        ::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) fault = program + ": " + std::strerror(error);
    out_ = std::move(*out);
    err_ = std::move(*err);
    return error == 0;
  }

  /// Whether it ended by itself. It is gone afterwards either way, but see kPatienceAfterKill.
  bool wait(std::chrono::milliseconds time_max) {
    if (wait_until(Clock::now() + time_max)) return true;
    ::kill(process_, SIGKILL);
    wait_until(Clock::now() + kPatienceAfterKill);
    return false;
  }

  int status() const { return status_; }
  const std::string& output() const { return output_; }

  /// The last line with words that it wrote to standard error.
  std::string last_words() const {
    const size_t last = errors_.find_last_not_of(" \t\r\n");
    if (last == std::string::npos) return "";
    const size_t begin = errors_.rfind('\n', last) + 1;  // npos + 1 is 0
    return errors_.substr(begin, std::min(last + 1 - begin, kLastWordsBytes));
  }

 private:
  bool wait_until(Clock::time_point end) {
    for (;;) {
      std::array<pollfd, 2> files{pollfd{out_.reading.get(), POLLIN, 0},
                                  pollfd{err_.reading.get(), POLLIN, 0}};
      ::poll(files.data(), files.size(), static_cast<int>(kLook.count()));
      const pid_t gone = ::waitpid(process_, &status_, WNOHANG);
      // After it was asked: nothing that it said is missed.
      drain(out_, [&](std::string_view part) { keep_beginning(output_, part); });
      drain(err_, [&](std::string_view part) { keep_end(errors_, part); });
      if (gone == process_ || (gone < 0 && errno != EINTR)) return true;
      if (Clock::now() >= end) return false;
    }
  }

  pid_t process_ = -1;
  int status_ = 0;
  Pipe out_;
  Pipe err_;
  std::string output_;
  std::string errors_;
};

std::string with_last_words(std::string what, const SelfTestProcess& process) {
  const std::string words = process.last_words();
  return words.empty() ? what : what + "; its last words: " + one_line(words);
}

/// The last whole line of `text`.
std::string last_line(const std::string& text) {
  const size_t end = text.rfind('\n');
  if (end == std::string::npos) return "";
  const size_t begin = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
  return text.substr(begin + 1, end - begin - 1);  // npos + 1 is 0
}

/// None: it is no answer.
std::optional<NpuAnswer> parse_answer(const std::string& text) {
  if (text.size() > limits::kSelfTestBytesMax) return std::nullopt;
  const Result<nlohmann::json> json = parse_json(last_line(text));
  if (!json || !json->is_object()) return std::nullopt;
  bool is_whole = true;
  const auto text_of = [&](const char* key) {
    const auto found = json->find(key);
    is_whole = is_whole && found != json->end() && found->is_string();
    return is_whole ? found->get<std::string>() : std::string();
  };
  const auto bool_of = [&](const char* key) {
    const auto found = json->find(key);
    is_whole = is_whole && found != json->end() && found->is_boolean();
    return is_whole && found->get<bool>();
  };
  NpuAnswer answer{.is_listed = bool_of("listed"),
                   .name = text_of("name"),
                   .architecture = text_of("architecture"),
                   .driver = text_of("driver"),
                   .failed_step = text_of("failed_step"),
                   .error = text_of("error"),
                   .imports_pages = bool_of("imports_pages"),
                   .import_error = text_of("import_error")};
  if (!is_whole) return std::nullopt;
  return answer;
}

}  // namespace

SelfTest run_self_test(const std::filesystem::path& engine, std::chrono::milliseconds time_max) {
  SelfTestProcess process;
  std::string fault;
  if (!process.start(engine, fault)) return {.ending = Ending::kNotStarted, .detail = fault};
  const bool has_ended = process.wait(time_max);
  const int status = process.status();
  const std::optional<NpuAnswer> answer = parse_answer(process.output());
  SelfTest test{.ending = Ending::kAnswered, .answer = answer.value_or(NpuAnswer{})};
  if (!has_ended) {
    test.ending = Ending::kTimedOut;
    test.detail = "no answer in " + std::to_string(time_max.count()) + " ms";
  } else if (WIFSIGNALED(status)) {
    test.ending = Ending::kDied;
    test.detail =
        "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  } else if (WEXITSTATUS(status) == kNoLibrary) {
    test.ending = Ending::kNotStarted;
    test.detail = "exit code 127";
  } else if (WEXITSTATUS(status) != 0) {
    test.ending = Ending::kDied;
    test.detail = "exit code " + std::to_string(WEXITSTATUS(status));
  } else if (!answer) {
    const std::string& said = process.output();
    test.ending = Ending::kNonsense;
    test.detail = "it said " + (said.empty() ? "nothing" : in_quotes(said));
  }
  if (test.ending != Ending::kAnswered) test.detail = with_last_words(test.detail, process);
  return test;
}

std::string to_json(const NpuAnswer& answer) {
  const nlohmann::ordered_json json{{"listed", answer.is_listed},
                                    {"name", answer.name},
                                    {"architecture", answer.architecture},
                                    {"driver", answer.driver},
                                    {"failed_step", answer.failed_step},
                                    {"error", answer.error},
                                    {"imports_pages", answer.imports_pages},
                                    {"import_error", answer.import_error}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ovenbird
