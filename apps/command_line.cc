// The commands, their flags and their help. CLI11 and its exceptions stay in here.
#include "command_line.h"

#include <utility>

#include "base/limits.h"
#include "base/message_text.h"
#include "command_flags.h"
#include "wire/arena.h"

namespace ovenbird {
namespace {

/// Everything that a parse may fill; one command of them is then the answer.
struct Parsed {
  BakeCommand bake;
  InspectCommand inspect;
  RunCommand run;
  ChatCommand chat;
  ScoreCommand score;
  BenchCommand bench;
  DoctorCommand doctor;
  ServeCommand serve;
  WorkerCommand worker;
};

CLI::App& add_command(CLI::App& program, const std::string& name, const std::string& what,
                      const std::string& examples) {
  CLI::App* command = program.add_subcommand(name, what);
  command->footer("Examples:\n" + examples);
  command->get_formatter()->column_width(32);
  return *command;
}

void add_bake_source(CLI::App& app, BakeCommand& bake) {
  add_name(app, "SOURCE",
           "A .gguf file, a Hugging Face directory (config.json and\n"
           "*.safetensors), what optimum-intel exported (a directory with\n"
           "openvino_model.xml), or a model of the Hugging Face hub: OWNER/NAME,\n"
           "OWNER/NAME@REVISION, or OWNER/NAME:FILE.gguf",
           "--model_id", bake.source);
  app.add_option("--revision", bake.revision,
                 "Branch, tag or commit of a model of the hub (default: main)")
      ->option_text("REV");
  app.add_option("-o,--output", bake.output,
                 "The directory to make (default: SOURCE's name + \"-ovenbird\", here)")
      ->option_text("DIR");
  app.add_flag("--force", bake.replace, "Replace the bundle that stands there, in one step");
}

void add_bake_weights(CLI::App& app, BakeCommand& bake) {
  add_words<Target>(app, "--for", bake.options.target,
                    {{{"npu", Target::kNpu}, {"cpu", Target::kCpu}}},
                    "npu (default): only what an NPU takes; runs everywhere.\n"
                    "cpu: also what only CPU and GPU take");
  add_words<WeightChoice>(app, "--weights", bake.options.weights,
                          {{{"int4", WeightChoice::kInt4},
                            {"nf4", WeightChoice::kNf4},
                            {"int8", WeightChoice::kInt8},
                            {"f16", WeightChoice::kF16},
                            {"f32", WeightChoice::kF32},
                            {"gguf", WeightChoice::kGguf}}},
                          "How the layers' weights are stored (default int4);\n"
                          "nf4, int8 and gguf (a GGUF's own blocks) with --for cpu");
  app.add_option("--group-size", bake.options.group_size,
                 "int4, nf4: weights that share a scale: 128 (default), -1 = a whole\n"
                 "row; with --for cpu every multiple of 32")
      ->option_text("N");
  app.add_flag("--asymmetric", bake.options.asymmetric,
               "int4 with zero points: more exact; with --for cpu");
  app.add_option("--int8-layers", bake.int8_layers,
                 "int4: layers (0,26-29), matrices (down) or both (0-3.down; of\n"
                 "qkv, output, gate_up, down) to be stored in 8 bits; with --for cpu")
      ->option_text("LIST");
  app.add_option("--f16-layers", bake.f16_layers,
                 "The same, stored in 16 bits; an NPU takes that too")
      ->option_text("LIST");
  app.add_option("--int4-ratio", bake.options.int4_ratio,
                 "int4: the largest share of the layers' weights in 4 bits (default\n"
                 "1); what rounding hurts most gets 8 bits, for an NPU 16")
      ->option_text("R");
  app.add_option("--calibrate", bake.calibrate,
                 "int4: a UTF-8 text like what the model will read; layers are\n"
                 "rounded for it, more exactly, in minutes instead of seconds")
      ->option_text("FILE");
  add_words<WeightChoice>(app, "--embedding", bake.options.embedding,
                          {{{"int8", WeightChoice::kInt8},
                            {"f16", WeightChoice::kF16},
                            {"f32", WeightChoice::kF32},
                            {"gguf", WeightChoice::kGguf}}},
                          "The same for embedding and head\n"
                          "(default: int8 with int4 and int8, else as --weights)");
  add_words<CacheType>(app, "--cache", bake.options.cache,
                       {{{"f16", CacheType::kF16}, {"f32", CacheType::kF32}}},
                       "Numbers of the key/value cache (default f16)");
  app.add_option("--context", bake.options.context,
                 "Rows of the key/value cache, in tokens (default 2048)")
      ->option_text("P");
  app.final_callback([&app, &bake] {
    for (const char* flag : {"--weights", "--group-size", "--asymmetric", "--embedding",
                             "--calibrate", "--int8-layers", "--f16-layers", "--int4-ratio"}) {
      if (app.count(flag) > 0 && bake.weights_flag.empty()) bake.weights_flag = flag;
    }
  });
}

void add_bake(CLI::App& program, BakeCommand& bake) {
  CLI::App& app = add_command(
      program, "bake", "Turn a model into a bundle: step graphs of fixed shape, and weights",
      "  ovenbird bake SmolLM2-135M-Instruct.Q4_1.gguf -o smollm2\n"
      "  ovenbird bake ~/models/Qwen3-0.6B -o qwen3 --for cpu --weights int8\n"
      "  ovenbird bake model.gguf -o exact --for cpu --weights gguf   # blocks kept as they are\n"
      "  ovenbird bake ~/exports/qwen3-int4-ov -o qwen3   # optimum-intel's weights, as they "
      "are\n"
      "  ovenbird bake Intel/neural-chat-7b-v3-1           # downloads what is not in the cache\n"
      "  ovenbird bake Qwen/Qwen2.5-0.5B-Instruct-GGUF:qwen2.5-0.5b-instruct-q4_0.gguf\n"
      "\nHF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean to\n"
      "other programs of the hub; docs/HUB.md says more.\n");
  add_bake_source(app, bake);
  add_bake_weights(app, bake);
}

void add_inspect(CLI::App& program, InspectCommand& inspect) {
  CLI::App& app = add_command(program, "inspect",
                              "Show what is in a bundle, what it needs, what an NPU would refuse",
                              "  ovenbird inspect smollm2\n"
                              "  ovenbird inspect smollm2 --verify        # reads every byte\n"
                              "  ovenbird inspect smollm2 --json | jq .bytes_per_slot\n");
  app.add_option("BUNDLE", inspect.bundle, "A directory that `ovenbird bake` made")
      ->option_text(" ");
  app.add_flag("--verify", inspect.verify, "Compare every file with its SHA-256 in the manifest");
  add_json(app, inspect.json, "One JSON object instead of a table");
}

void add_run(CLI::App& program, RunCommand& run) {
  CLI::App& app = add_command(
      program, "run", "Answer one prompt; the answer streams to standard output",
      "  ovenbird run smollm2 -p \"What is the capital of France?\"\n"
      "  ovenbird run smollm2 --temperature 0.7 --seed 1 < letter.txt\n"
      "  ovenbird run smollm2 --raw -p \"Once upon a time\" --max-tokens 100\n"
      "  ovenbird run --model_xml smollm2/openvino_model.xml --tokenizer_id smollm2 --prompt Hi\n"
      "\nCtrl-C ends the answer and keeps what was said (exit code 5).\n");
  app.add_option("-p,--prompt", run.prompt,
                 "What to answer; without it, standard input is read to its end")
      ->option_text("TEXT");
  add_ids(app, run.ids, "The prompt as token ids, taken as they are");
  app.add_option("--system", run.system, "The system message before the prompt")
      ->option_text("TEXT");
  app.add_flag("--raw", run.raw, "Continue the prompt as it is: no chat template, no turns");
  app.add_option("--tokenizer_id", run.tokenizer,
                 "Another tokenizer: a directory with a tokenizer.json, or a bundle")
      ->option_text("DIR");
  add_json(app, run.json, "One JSON object at the end instead of streamed text");
  add_answer_choice(app, run.answer);
  add_run_choice(app, run.where);
}

void add_chat(CLI::App& program, ChatCommand& chat) {
  CLI::App& app = add_command(program, "chat", "Talk with a model in the terminal",
                              "  ovenbird chat smollm2\n"
                              "  ovenbird chat smollm2 --system \"Answer in one sentence.\"\n"
                              "\nCtrl-C ends an answer; Ctrl-D, or /exit, ends the talk.\n");
  app.add_option("--system", chat.system, "The system message")->option_text("TEXT");
  add_answer_choice(app, chat.answer);
  add_run_choice(app, chat.where);
}

void add_score(CLI::App& program, ScoreCommand& score) {
  CLI::App& app =
      add_command(program, "score", "Log-probability of every token of a text, and its perplexity",
                  "  ovenbird score smollm2 --text chapter.txt --max-tokens 2048\n"
                  "  ovenbird score smollm2 --ids 504,2365,282 --json\n");
  app.add_option("--text", score.text, "The file to score")->option_text("FILE");
  add_ids(app, score.ids, "Token ids to score, taken as they are");
  app.add_option("--max-tokens", score.max_tokens, "Score the first N tokens only")
      ->option_text("N")
      ->check(CLI::Range(1u, std::numeric_limits<uint32_t>::max() / 2).description(""));
  add_json(app, score.json, "One JSON object with `ids`, `logprobs` and `perplexity`");
  add_run_choice(app, score.where);
}

void add_bench(CLI::App& program, BenchCommand& bench) {
  CLI::App& app = add_command(
      program, "bench", "Measure start, time to first token, tokens a second and memory",
      "  ovenbird bench smollm2                       # every plan and recipe\n"
      "  ovenbird bench smollm2 --plan cached --recipe fast --threads 2 --json\n");
  add_json(app, bench.json, "One JSON object; the best plan's figures at the top");
  app.add_flag("--here", bench.here,
               "Measure one plan and recipe in this process; without it, every\n"
               "plan and recipe gets a process of its own");
  app.add_flag("--warm-up", bench.warm_up)->group("");
  add_run_choice(app, bench.where);
}

void add_doctor(CLI::App& program, DoctorCommand& doctor) {
  CLI::App& app = add_command(
      program, "doctor", "Find what stands between this machine and a working NPU",
      "  ovenbird doctor\n"
      "  ovenbird doctor smollm2                  # holds the memory limit against its cache\n"
      "  ovenbird doctor --json | jq .first_problem\n"
      "\nExit codes: 0 an NPU can be used, 4 it cannot. Findings come in the order in which they\n"
      "can be mended, each with the commands that mend it. docs/DOCTOR.md explains them all.\n");
  app.add_option("BUNDLE", doctor.bundle, "A directory that `ovenbird bake` made; may be left out")
      ->option_text(" ");
  add_json(app, doctor.json,
           "One JSON object: usable, first_problem, arena_bytes,\n"
           "findings [{id, state, title, seen, mend}]");
}

void add_number(CLI::App& app, const std::string& flag, uint32_t& number, uint32_t most,
                const std::string& help) {
  app.add_option(flag, number, help + " (default " + std::to_string(number) + ")")
      ->option_text("N")
      ->check(CLI::Range(1u, most).description(""));
}

void add_serve(CLI::App& program, ServeCommand& serve) {
  CLI::App& app = add_command(
      program, "serve", "Keep a model ready for programs, and go on when its device fails",
      "  ovenbird serve smollm2\n"
      "  ovenbird serve smollm2 --socket /run/ovenbird/smollm2 --slots 8 --standby\n"
      "\nPrograms connect with the client library (ovenbird.h). SIGTERM or Ctrl-C: answers\n"
      "under way are finished, then it ends; a second one ends it at once. SIGHUP does nothing.\n"
      "Killed and started again, it takes its conversations up again.\n");
  app.add_option("--socket", serve.socket,
                 "Where programs connect (default: $OVENBIRD_SOCKET, or\n"
                 "$XDG_RUNTIME_DIR/ovenbird.sock)")
      ->option_text("PATH");
  add_number(app, "--slots", serve.slots, limits::kSlotsMax,
             "Conversations whose cache is held at once");
  add_number(app, "--queue", serve.queue, limits::kSessionsMax,
             "Turns that may wait for a slot; one more is told \"busy\"");
  add_number(app, "--sessions", serve.sessions, limits::kSessionsMax,
             "Conversations that may be open");
  add_number(app, "--session-tokens", serve.session_tokens, limits::kSessionTokensMax,
             "Tokens of one conversation, all turns together");
  add_number(app, "--drain", serve.drain_s, 86400,
             "Seconds for answers under way when it is told to end");
  app.add_flag("--standby", serve.standby,
               "Keep a second worker warm on the next device: it takes over\n"
               "within one step");
  add_run_choice(app, serve.where);
}

void add_worker(CLI::App& program, WorkerCommand& worker) {
  CLI::App& app = *program.add_subcommand("worker", "One device's process");
  app.group("");  // not in the help: only a supervisor starts one
  app.add_option("--index", worker.index)->check(CLI::Range(0u, wire::kWorkersMax - 1));
  app.add_flag("--standby", worker.standby);
  add_run_choice(app, worker.where);
}

void define(CLI::App& program, Parsed& parsed) {
  program.description(
      "Bakes a language model once into step graphs of fixed shape, and runs them.");
  program.set_version_flag("--version", "ovenbird " OVENBIRD_VERSION);
  program.footer(
      "Begin with:\n"
      "  ovenbird bake SOURCE -o DIR\n"
      "  ovenbird run DIR -p \"Hello\"\n"
      "`ovenbird COMMAND --help` explains a command.\n\n"
      "Exit codes: 0 done, 2 wrong usage, 3 bad source or bundle, 4 no usable device,\n"
      "5 interrupted, 1 anything else.\n");
  program.get_formatter()->column_width(32);
  program.require_subcommand(1);
  add_bake(program, parsed.bake);
  add_run(program, parsed.run);
  add_chat(program, parsed.chat);
  add_score(program, parsed.score);
  add_inspect(program, parsed.inspect);
  add_bench(program, parsed.bench);
  add_serve(program, parsed.serve);
  add_doctor(program, parsed.doctor);
  add_worker(program, parsed.worker);
}

// What is wrong with flags that are right one by one; empty: nothing.

std::string contradiction(const BakeCommand& bake) {
  return bake.source.empty() ? "name a SOURCE: what is to be baked" : "";
}

std::string contradiction(const std::string& bundle) {
  return bundle.empty() ? "name a BUNDLE: a directory that `ovenbird bake` made" : "";
}

std::string contradiction(const InspectCommand& inspect) { return contradiction(inspect.bundle); }

std::string contradiction(const RunCommand& run) {
  if (run.ids && run.prompt) return "give a prompt (-p) or --ids, not both";
  if (run.system && run.ids) return "--system does not go with --ids: no chat template is used";
  if (run.system && run.raw) return "--system does not go with --raw: no chat template is used";
  return contradiction(run.where.bundle);
}

std::string contradiction(const ChatCommand& chat) { return contradiction(chat.where.bundle); }

std::string contradiction(const ScoreCommand& score) {
  if (score.text.has_value() == score.ids.has_value()) return "give --text FILE or --ids 1,2,3";
  return contradiction(score.where.bundle);
}

std::string contradiction(const BenchCommand& bench) { return contradiction(bench.where.bundle); }

std::string contradiction(const ServeCommand& serve) { return contradiction(serve.where.bundle); }

std::string contradiction(const WorkerCommand& worker) {
  return contradiction(worker.where.bundle);
}

std::string contradiction(const DoctorCommand&) { return ""; }

std::string contradiction(const ShowText&) { return ""; }

Command chosen(const std::string& name, Parsed parsed) {
  if (name == "bake") return std::move(parsed.bake);
  if (name == "run") return std::move(parsed.run);
  if (name == "chat") return std::move(parsed.chat);
  if (name == "score") return std::move(parsed.score);
  if (name == "inspect") return std::move(parsed.inspect);
  if (name == "doctor") return std::move(parsed.doctor);
  if (name == "serve") return std::move(parsed.serve);
  if (name == "worker") return std::move(parsed.worker);
  return std::move(parsed.bench);
}

Failure wrong_usage(const std::string& command, const std::string& what) {
  const std::string help = command.empty() ? "ovenbird" : "ovenbird " + command;
  const std::string where = command.empty() ? "command line" : command;
  return fail(Code::kInvalidArgument,
              one_line(where + ": " + what + "; see `" + help + " --help`"));
}

/// Whether the first word is a command. CLI11 would say less clearly that it is not.
std::string fault_of_first(const CLI::App& program, std::span<const char* const> arguments) {
  std::string commands;
  for (const CLI::App* command : program.get_subcommands({})) {
    if (!arguments.empty() && command->get_name() == arguments[0]) return "";
    if (command->get_group().empty()) continue;
    commands += (commands.empty() ? "" : ", ") + command->get_name();
  }
  if (!arguments.empty() && arguments[0][0] == '-') return "";
  return (arguments.empty() ? "name a command"
                            : in_quotes(arguments[0]) + " is no command; there are") +
         std::string(": ") + commands;
}

std::string used_command(const CLI::App& program) {
  const auto used = program.get_subcommands();
  return used.empty() ? "" : used.front()->get_name();
}

}  // namespace

Result<Command> parse_command_line(std::span<const char* const> arguments) {
  Parsed parsed;
  CLI::App program("", "ovenbird");
  define(program, parsed);
  const std::string fault = fault_of_first(program, arguments);
  if (!fault.empty()) return wrong_usage("", fault);
  // CLI11 takes the arguments from the back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    program.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return Command(ShowText{program.help()});
  } catch (const CLI::CallForVersion& version) {
    return Command(ShowText{std::string(version.what()) + "\n"});
  } catch (const CLI::ParseError& error) {
    return wrong_usage(used_command(program), error.what());
  }
  const std::string name = used_command(program);
  Command command = chosen(name, std::move(parsed));
  const std::string wrong =
      std::visit([](const auto& wanted) { return contradiction(wanted); }, command);
  if (!wrong.empty()) return wrong_usage(name, wrong);
  return command;
}

}  // namespace ovenbird
