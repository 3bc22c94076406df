// The command line: every flag arrives where it belongs, and what is wrong is said in one line.
#include "command_line.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace ovenbird {
namespace {

Result<Command> parse(const std::vector<const char*>& arguments) {
  return parse_command_line(arguments);
}

template <typename Wanted>
Wanted parsed(const std::vector<const char*>& arguments) {
  const Result<Command> command = parse(arguments);
  if (!command) FAIL(command.error().message);
  REQUIRE(std::holds_alternative<Wanted>(*command));
  return std::get<Wanted>(*command);
}

/// The message of a refusal.
std::string refusal(const std::vector<const char*>& arguments) {
  const Result<Command> command = parse(arguments);
  REQUIRE(!command);
  CHECK(command.error().code == Code::kInvalidArgument);
  CHECK(command.error().message.find('\n') == std::string::npos);
  CHECK(command.error().message.find("--help`") != std::string::npos);
  return command.error().message;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("bake alone has the defaults of the help") {
  const auto bake = parsed<BakeCommand>({"bake", "model.gguf"});

  CHECK(bake.source == "model.gguf");
  CHECK(!bake.output);
  CHECK(!bake.replace);
  CHECK(bake.options.target == Target::kNpu);
  CHECK(bake.options.weights == WeightChoice::kInt4);
  CHECK(!bake.options.group_size);
  CHECK(!bake.options.embedding);
  CHECK(!bake.options.asymmetric);
  CHECK(bake.options.cache == CacheType::kF16);
  CHECK(bake.options.context == 2048);
}

TEST_CASE("bake takes every flag") {
  const auto bake = parsed<BakeCommand>(
      {"bake", "m", "-o", "out", "--for", "cpu", "--weights", "gguf", "--group-size", "32",
       "--asymmetric", "--embedding", "f16", "--cache", "f32", "--context", "77", "--force"});

  CHECK(bake.output == "out");
  CHECK(bake.options.target == Target::kCpu);
  CHECK(bake.options.weights == WeightChoice::kGguf);
  CHECK(bake.options.group_size == 32);
  CHECK(bake.options.asymmetric);
  CHECK(bake.options.embedding == WeightChoice::kF16);
  CHECK(bake.options.cache == CacheType::kF32);
  CHECK(bake.options.context == 77);
  CHECK(bake.replace);
}

TEST_CASE("a value may begin with a dash") {
  CHECK(parsed<BakeCommand>({"bake", "m", "--group-size", "-1"}).options.group_size == -1);
  CHECK(parsed<RunCommand>({"run", "b", "-p", "-5 + 3"}).prompt == "-5 + 3");
  CHECK(parsed<RunCommand>({"run", "b", "--prompt", "--help"}).prompt == "--help");
}

TEST_CASE("doctor takes a bundle or none") {
  CHECK(parsed<DoctorCommand>({"doctor"}).bundle == "");
  CHECK(!parsed<DoctorCommand>({"doctor"}).json);
  const auto doctor = parsed<DoctorCommand>({"doctor", "--json", "smollm2"});
  CHECK(doctor.bundle == "smollm2");
  CHECK(doctor.json);
  CHECK(contains(refusal({"doctor", "one", "two"}), "two"));
}

TEST_CASE("the spellings of other programs mean the same") {
  CHECK(parsed<BakeCommand>({"bake", "--model_id", "Qwen/Qwen3-0.6B"}).source == "Qwen/Qwen3-0.6B");
  const auto run = parsed<RunCommand>(
      {"run", "--model_xml", "d/openvino_model.xml", "--tokenizer_id", "t", "--prompt", "Hi"});
  CHECK(run.where.bundle == "d/openvino_model.xml");
  CHECK(run.tokenizer == "t");
  CHECK(run.prompt == "Hi");
}

TEST_CASE("run takes every flag that says what, where and how long") {
  const auto run = parsed<RunCommand>(
      {"run",      "b",      "-p",        "Hi",       "--system",     "S",
       "--json",   "--plan", "window",    "--device", "NPU",          "--no-fallback",
       "--recipe", "lean",   "--threads", "3",        "--max-tokens", "9",
       "--draft",  "off",    "--stop",    "[END]",    "--stop",       "a,b"});

  CHECK(run.system == "S");
  CHECK(run.json);
  CHECK(run.where.plan == "window");
  CHECK(run.where.device == "NPU");
  CHECK(!run.where.fallback);
  CHECK(run.where.recipe == "lean");
  CHECK(run.where.threads == 3);
  CHECK(run.answer.max_tokens == 9);
  CHECK(run.answer.drafts == false);
  CHECK(run.answer.stop == std::vector<std::string>{"[END]", "a,b"});
}

TEST_CASE("run takes every flag of sampling") {
  const auto run = parsed<RunCommand>({"run",
                                       "b",
                                       "--temperature",
                                       "0.5",
                                       "--top-k",
                                       "40",
                                       "--top-p",
                                       "0.9",
                                       "--min-p",
                                       "0.1",
                                       "--repetition-penalty",
                                       "1.1",
                                       "--presence-penalty",
                                       "0.2",
                                       "--frequency-penalty",
                                       "0.3",
                                       "--seed",
                                       "18446744073709551615",
                                       "--logit-bias",
                                       "5=-2.5",
                                       "--logit-bias",
                                       "7=1"});

  const SamplingOptions& sampling = run.answer.sampling;
  CHECK(sampling.temperature == 0.5f);
  CHECK(sampling.top_k == 40);
  CHECK(sampling.top_p == 0.9f);
  CHECK(sampling.min_p == 0.1f);
  CHECK(sampling.repetition_penalty == 1.1f);
  CHECK(sampling.presence_penalty == 0.2f);
  CHECK(sampling.frequency_penalty == 0.3f);
  CHECK(sampling.seed == 18446744073709551615ull);
  CHECK(sampling.logit_bias == std::map<int32_t, float>{{5, -2.5f}, {7, 1.0f}});
}

TEST_CASE("run alone is greedy, with drafts, on the first device that works") {
  const auto run = parsed<RunCommand>({"run", "b"});

  CHECK(!run.prompt);
  CHECK(!run.ids);
  CHECK(!run.raw);
  CHECK(run.answer.sampling.temperature == 0);
  CHECK(!run.answer.drafts);
  CHECK(run.answer.max_tokens == 512);
  CHECK(run.where.device == "auto");
  CHECK(run.where.fallback);
  CHECK(!run.where.plan);
}

TEST_CASE("an empty prompt is a prompt") {
  CHECK(parsed<RunCommand>({"run", "b", "-p", ""}).prompt == "");
}

TEST_CASE("a bundle may have the name of a command") {
  CHECK(parsed<RunCommand>({"run", "bench", "-p", "chat"}).where.bundle == "bench");
}

TEST_CASE("ids are whole numbers from 0 on") {
  CHECK(parsed<RunCommand>({"run", "b", "--ids", "1, 2,2147483647"}).ids ==
        std::vector<int32_t>{1, 2, 2147483647});
  for (const char* wrong : {"", "1,", ",1", "1,,2", "-1", "1.5", "2147483648", "0x1", "1 2"}) {
    CAPTURE(wrong);
    CHECK(contains(refusal({"run", "b", "--ids", wrong}), "is no token id"));
  }
}

TEST_CASE("score, chat, bench and inspect take their flags") {
  const auto score = parsed<ScoreCommand>(
      {"score", "b", "--text", "f", "--max-tokens", "5", "--plan", "dynamic", "--json"});
  CHECK(score.text == "f");
  CHECK(score.max_tokens == 5u);
  CHECK(score.where.plan == "dynamic");
  CHECK(score.json);
  CHECK(parsed<ChatCommand>({"chat", "b", "--system", "S", "--seed", "4"}).answer.sampling.seed ==
        4);
  CHECK(parsed<BenchCommand>({"bench", "b", "--threads", "2"}).where.threads == 2);
  const auto inspect = parsed<InspectCommand>({"inspect", "b", "--verify", "--json"});
  CHECK(inspect.verify);
  CHECK(inspect.json);
}

TEST_CASE("every command explains itself, with an example") {
  for (const char* command : {"bake", "run", "chat", "score", "inspect", "bench", "doctor"}) {
    const auto help = parsed<ShowText>({command, "--help"});
    CHECK(contains(help.text, "Examples:\n  ovenbird " + std::string(command)));
  }
  CHECK(contains(parsed<ShowText>({"--help"}).text, "Exit codes: 0 done, 2 wrong usage"));
  CHECK(contains(parsed<ShowText>({"--version"}).text, "ovenbird 0."));
}

TEST_CASE("help fits a terminal of 100 columns") {
  for (const char* command : {"bake", "run", "chat", "score", "inspect", "bench", "doctor"}) {
    const std::string help = parsed<ShowText>({command, "--help"}).text;
    size_t begin = 0;
    for (size_t end = help.find('\n'); end != help.npos; end = help.find('\n', begin)) {
      CAPTURE(help.substr(begin, end - begin));
      CHECK(end - begin <= 100);
      begin = end + 1;
    }
  }
}

TEST_CASE("what contradicts itself or is missing is refused in words") {
  CHECK(contains(refusal({}), "name a command: bake, run"));
  CHECK(contains(refusal({"dance"}), "\"dance\" is no command"));
  CHECK(contains(refusal({"--bogus"}), "command line"));
  CHECK(contains(refusal({"bake"}), "name a SOURCE"));
  CHECK(contains(refusal({"bake", "a", "--model_id", "b"}), "given twice"));
  CHECK(contains(refusal({"run", "-p", "x"}), "name a BUNDLE"));
  CHECK(contains(refusal({"run", "a", "--model_xml", "b"}), "given twice"));
  CHECK(contains(refusal({"run", "a", "b"}), "not expected: b"));
  CHECK(contains(refusal({"run", "a", "--ids", "1", "-p", "x"}), "not both"));
  CHECK(contains(refusal({"run", "a", "--raw", "--system", "x"}), "--system"));
  CHECK(contains(refusal({"run", "a", "--ids", "1", "--system", "x"}), "--system"));
  CHECK(contains(refusal({"run", "a", "-p", "x", "-p", "y"}), "--prompt"));
  CHECK(contains(refusal({"score", "a"}), "--text FILE or --ids"));
  CHECK(contains(refusal({"score", "a", "--text", "f", "--ids", "1"}), "--text FILE or --ids"));
  CHECK(contains(refusal({"inspect"}), "name a BUNDLE"));
  CHECK(contains(refusal({"chat"}), "name a BUNDLE"));
  CHECK(contains(refusal({"bench", ""}), "name a BUNDLE"));
}

TEST_CASE("a value outside its range or its words is refused") {
  CHECK(contains(refusal({"bake", "a", "--for", "gpu"}), "it may be npu|cpu"));
  CHECK(contains(refusal({"bake", "a", "--weights", "int3"}), "int4|nf4|int8|f16|f32|gguf"));
  CHECK(contains(refusal({"bake", "a", "--context", "-3"}), "--context"));
  CHECK(contains(refusal({"run", "a", "--device", "TPU"}), "auto|NPU|GPU|CPU"));
  CHECK(contains(refusal({"run", "a", "--max-tokens", "0"}), "--max-tokens"));
  CHECK(contains(refusal({"run", "a", "--threads", "0"}), "--threads"));
  CHECK(contains(refusal({"run", "a", "--threads", "1025"}), "--threads"));
  CHECK(contains(refusal({"run", "a", "--temperature", "warm"}), "--temperature"));
  CHECK(contains(refusal({"run", "a", "--seed", "-1"}), "--seed"));
  for (const char* bias : {"", "=", "1", "1=", "=2", "x=2", "1=y", "-1=2"}) {
    CAPTURE(bias);
    CHECK(contains(refusal({"run", "a", "--logit-bias", bias}), "ID=VALUE"));
  }
}

TEST_CASE("bytes that are no text do not break the message") {
  const std::string message = refusal({"run", "a", "\x1b[31m\nred\xff"});
  CHECK(contains(message, "\\x1b"));
  CHECK(contains(message, "\\xff"));
}

}  // namespace
}  // namespace ovenbird
