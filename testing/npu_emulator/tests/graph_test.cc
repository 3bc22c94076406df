// Graphs by the C interface: what is said about their arguments, what they may be bound to, how
// they are run, changed, queried, and refused.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "driver.h"
#include "own_process.h"
#include "small_ir.h"

namespace npu_emulator {
namespace {

const GraphTable& table() { return driver().graph; }

Handle compiled(const SmallIr& ir) {
  Compiled made = compile(serialized(ir));
  CAPTURE(made.log);
  REQUIRE(made.result == ZeResult::kSuccess);
  CHECK(made.log.empty());
  return std::move(made.graph);
}

/// For any of the structures that say something about an argument.
template <typename Properties, typename Function>
Properties ask(Function function, ZeHandle graph, uint32_t index) {
  auto properties = std::make_unique<Properties>();
  std::memset(properties.get(), 0xee, sizeof(Properties));
  reinterpret_cast<ZeHeader*>(properties.get())->next = nullptr;
  REQUIRE(function(graph, index, properties.get()) == ZeResult::kSuccess);
  return *properties;
}

TEST_CASE("a graph has its inputs and outputs as arguments in that order") {
  const Handle graph = compiled({.shape = {1, 2, 3}});
  GraphProperties3 properties{};
  REQUIRE(table().properties3(graph.get(), &properties) == ZeResult::kSuccess);
  CHECK(properties.arguments == 3);
  CHECK(properties.stage_required == kStageGraphInitialize);
  CHECK(properties.flags == (kGraphCompiled | kGraphOwnsMemory));
  GraphProperties2 second{};
  REQUIRE(table().properties2(graph.get(), &second) == ZeResult::kSuccess);
  CHECK(second.arguments == 3);
  const char* names[] = {"left", "right", "sum"};
  for (uint32_t index = 0; index < 3; ++index) {
    const auto first = ask<ArgumentProperties>(table().argument_properties, graph.get(), index);
    CHECK(std::string(first.name) == names[index]);
    CHECK(first.kind == (index < 2 ? kArgumentInput : kArgumentOutput));
    const uint32_t dimensions[5] = {1, 2, 3, 1, 1};
    CHECK(std::memcmp(first.dimensions, dimensions, sizeof dimensions) == 0);
    CHECK(first.network_precision == 1);  // f32
    CHECK(first.device_precision == 1);
    const auto third = ask<ArgumentProperties3>(table().argument_properties3, graph.get(), index);
    CHECK(third.rank == 3);
    CHECK(std::string(third.friendly_name) == names[index]);
    CHECK(std::string(third.first.name) == names[index]);
    const auto metadata = ask<ArgumentMetadata>(table().argument_metadata, graph.get(), index);
    CHECK(metadata.rank == 3);
    CHECK(metadata.shape[1] == 2);
    CHECK(metadata.type == 5);  // f32
    CHECK(std::string(metadata.friendly_name) == names[index]);
  }
  ArgumentProperties beyond{};
  CHECK(table().argument_properties(graph.get(), 3, &beyond) == ZeResult::kInvalidArgument);
}

TEST_CASE("names of tensors come through as far as there is room") {
  const Handle graph = compiled({.names = {"x", "the left one"}});
  const auto two = ask<ArgumentProperties3>(table().argument_properties3, graph.get(), 0);
  REQUIRE(two.tensor_names_count == 2);
  CHECK(std::string(two.tensor_names[0]) == "x");
  CHECK(std::string(two.tensor_names[1]) == "the left one");
  CHECK(ask<ArgumentProperties3>(table().argument_properties3, graph.get(), 1).tensor_names_count ==
        0);

  SmallIr many;
  for (int number = 0; number < 40; ++number) many.names.push_back("n" + std::to_string(number));
  many.names[3] = std::string(300, 'n');
  const Handle crowded = compiled(many);
  const auto all = ask<ArgumentMetadata>(table().argument_metadata, crowded.get(), 0);
  CHECK(all.tensor_names_count == kTensorNames);
  CHECK(std::strlen(all.tensor_names[3]) == kArgumentNameBytes - 1);
}

TEST_CASE("strides are reported as fixed") {
  const Handle graph = compiled({});
  ArgumentStrides strides{.header = {kArgumentStrides, nullptr}, .dynamic = true};
  auto properties = std::make_unique<ArgumentProperties3>();
  properties->first.header.next = &strides.header;
  REQUIRE(table().argument_properties3(graph.get(), 0, properties.get()) == ZeResult::kSuccess);
  CHECK_FALSE(strides.dynamic);
}

TEST_CASE("every element type has its size and its number") {
  struct Row {
    const char* precision;
    const char* type;
    uint32_t number;
    size_t bytes;  // of 16 elements
  };
  for (const Row& row : {Row{"FP64", "f64", 0x0f, 128},
                         {"FP16", "f16", 0x02, 32},
                         {"BF16", "bf16", 0x09, 32},
                         {"I64", "i64", 0x11, 128},
                         {"U8", "u8", 0x04, 16},
                         {"I4", "i4", 0x0c, 8},
                         {"BOOL", "boolean", 0x0e, 16}}) {
    CAPTURE(row.type);
    const Handle graph = compiled({.precision = row.precision, .element_type = row.type});
    const auto argument = ask<ArgumentProperties>(table().argument_properties, graph.get(), 0);
    CHECK(argument.network_precision == row.number);
    const Handle memory = make_memory(4096);
    auto* bytes = static_cast<char*>(memory.get());
    CHECK(table().set_argument(graph.get(), 0, bytes + 4096 - row.bytes) == ZeResult::kSuccess);
    CHECK(table().set_argument(graph.get(), 0, bytes + 4096 - row.bytes + 1) ==
          ZeResult::kInvalidSize);
  }
}

TEST_CASE("an argument lies whole in the device's memory or is refused") {
  const Handle graph = compiled({.shape = {1, 1024}});  // a page
  const Handle memory = make_memory(2 * 4096);
  auto* bytes = static_cast<char*>(memory.get());
  char elsewhere[64] = {};
  CHECK(table().set_argument(graph.get(), 0, bytes) == ZeResult::kSuccess);
  CHECK(table().set_argument(graph.get(), 0, bytes + 4096) == ZeResult::kSuccess);
  CHECK(table().set_argument(graph.get(), 0, bytes + 4097) == ZeResult::kInvalidSize);
  CHECK(table().set_argument(graph.get(), 0, elsewhere) == ZeResult::kInvalidArgument);
  CHECK(table().set_argument(graph.get(), 0, nullptr) == ZeResult::kInvalidArgument);
  CHECK(table().set_argument(graph.get(), 3, bytes) == ZeResult::kInvalidArgument);
  const ArgumentTensor tensor{.header = {kArgumentTensor, nullptr}, .bytes = bytes};
  CHECK(table().set_argument2(graph.get(), 2, &tensor) == ZeResult::kSuccess);
}

TEST_CASE("an execution is recorded only with all arguments") {
  const Handle graph = compiled({}), list = make_list(), memory = make_memory(4096);
  const auto append = [&] {
    return table().append_execute(list.get(), graph.get(), nullptr, nullptr, 0, nullptr);
  };
  for (uint32_t index = 0; index < 3; ++index) {
    CHECK(append() == ZeResult::kInvalidArgument);
    REQUIRE(table().set_argument(graph.get(), index, memory.get()) == ZeResult::kSuccess);
  }
  CHECK(append() == ZeResult::kSuccess);
}

TEST_CASE("a run repeats the first input and the trace says on which memory") {
  if (!in_own_process({{"TRACE_WRITES", "yes"}})) return;
  const Recorded recorded = record(serialized(SmallIr{}));
  const Lane lane;
  for (const float value : {1.5f, -2.0f}) {
    recorded.numbers(0)[15] = value;
    REQUIRE(lane.run(recorded.list.get()) == ZeResult::kSuccess);
    CHECK(recorded.numbers(2)[15] == value);
  }
  REQUIRE(lane.run(recorded.list.get()) == ZeResult::kSuccess);  // nothing has changed
  CHECK(traced("compile").size() == 1);
  CHECK(traced("argument").size() == 3);
  CHECK(traced("submit").back()["submission"] == 3);
  const auto executions = traced("execute");
  REQUIRE(executions.size() == 3);
  CHECK(executions[0]["host_wrote_bytes"] == 2);  // 1.5 has two bytes that are not 0
  CHECK(executions[1]["host_wrote_bytes"] == 2);
  CHECK(executions[2]["host_wrote_bytes"] == 0);
  CHECK(executions[2]["execution"] == 3);
  const auto& argument = executions[0]["arguments"][2];
  CHECK(argument["name"] == "sum");
  CHECK(argument["input"] == false);
  CHECK(argument["bytes"] == 64);
  CHECK(argument["memory"] == "allocated");
}

TEST_CASE("what a fault writes into outputs is no write of the host's") {
  if (!in_own_process({{"TRACE_WRITES", "yes"}, {"FAULT", "garbage@1"}})) return;
  const Recorded first = record(serialized(SmallIr{})), second = record(serialized(SmallIr{}));
  const Lane lane;
  REQUIRE(lane.run(first.list.get()) == ZeResult::kSuccess);
  ZeMutableGraphArgument change{.header = {kZeMutableGraphArgument, nullptr},
                                .command_id = second.command_id,
                                .index = 0,
                                .value = first.numbers(2)};
  const ZeMutableCommands changes{.header = {0, &change.header}, .flags = 0};
  REQUIRE(driver().update_commands(second.list.get(), &changes) == ZeResult::kSuccess);
  REQUIRE(driver().close_list(second.list.get()) == ZeResult::kSuccess);
  REQUIRE(lane.run(second.list.get()) == ZeResult::kSuccess);
  const auto executions = traced("execute");
  REQUIRE(executions.size() == 1);  // the other one is a fault
  CHECK(executions[0]["host_wrote_bytes"] == 0);
}

TEST_CASE("a recorded execution keeps its addresses until it is changed and closed again") {
  const Recorded recorded = record(serialized(SmallIr{}));
  const Lane lane;
  const Handle other = make_memory(4096);
  recorded.numbers(0)[0] = 1;
  static_cast<float*>(other.get())[0] = 2;
  // Setting the graph's argument does not reach what has been recorded.
  REQUIRE(table().set_argument(recorded.graph.get(), 0, other.get()) == ZeResult::kSuccess);
  REQUIRE(lane.run(recorded.list.get()) == ZeResult::kSuccess);
  CHECK(recorded.numbers(2)[0] == 1);

  ZeMutableGraphArgument change{.header = {kZeMutableGraphArgument, nullptr},
                                .command_id = recorded.command_id,
                                .index = 0,
                                .value = other.get()};
  const ZeMutableCommands changes{.header = {0, &change.header}, .flags = 0};
  REQUIRE(driver().update_commands(recorded.list.get(), &changes) == ZeResult::kSuccess);
  CHECK(lane.submit(recorded.list.get()) == ZeResult::kInvalidArgument);  // not closed
  REQUIRE(driver().close_list(recorded.list.get()) == ZeResult::kSuccess);
  REQUIRE(lane.run(recorded.list.get()) == ZeResult::kSuccess);
  CHECK(recorded.numbers(2)[0] == 2);
}

TEST_CASE("a change of a command is checked as an argument is") {
  const Recorded recorded = record(serialized(SmallIr{}));
  const auto change = [&](uint64_t command, uint32_t index, const void* value) {
    ZeMutableGraphArgument argument{.header = {kZeMutableGraphArgument, nullptr},
                                    .command_id = command,
                                    .index = index,
                                    .value = value};
    const ZeMutableCommands changes{.header = {0, &argument.header}, .flags = 0};
    return driver().update_commands(recorded.list.get(), &changes);
  };
  const uint64_t id = recorded.command_id;
  char* bytes = reinterpret_cast<char*>(recorded.numbers(0));
  const ArgumentTensor tensor{.header = {kArgumentTensor, nullptr}, .bytes = bytes};
  const ArgumentTensor foreign{.header = {kArgumentTensor, nullptr}, .bytes = &tensor};
  const char no_tensor[sizeof(ArgumentTensor)] = {};
  CHECK(change(id, 1, bytes) == ZeResult::kSuccess);
  CHECK(change(id, 1, &tensor) == ZeResult::kSuccess);
  CHECK(change(id, 1, bytes + 4096 - 63) == ZeResult::kInvalidSize);
  CHECK(change(id, 1, &foreign) == ZeResult::kInvalidArgument);
  CHECK(change(id, 1, no_tensor) == ZeResult::kInvalidArgument);
  CHECK(change(id, 1, nullptr) == ZeResult::kInvalidNullPointer);
  CHECK(change(id, 3, bytes) == ZeResult::kInvalidArgument);
  CHECK(change(id + 1, 1, bytes) == ZeResult::kInvalidArgument);
  CHECK(change(0, 1, bytes) == ZeResult::kInvalidArgument);
}

TEST_CASE("a query names all layers or says why there are none") {
  const auto ask_for = [](const std::vector<uint8_t>& ir, std::string& layers) {
    GraphDesc2 desc{};
    desc.first.format = kGraphFormatIr;
    desc.first.bytes = ir.size();
    desc.first.input = ir.data();
    ZeHandle query = nullptr;
    const ZeResult result = table().query_create2(nullptr, nullptr, &desc, &query);
    if (result != ZeResult::kSuccess) return result;
    size_t bytes = 0;
    REQUIRE(table().query_layers(query, &bytes, nullptr) == ZeResult::kSuccess);
    layers.resize(bytes);
    REQUIRE(table().query_layers(query, &bytes, layers.data()) == ZeResult::kSuccess);
    table().query_destroy(query);
    return result;
  };
  std::string layers;
  REQUIRE(ask_for(serialized(SmallIr{}), layers) == ZeResult::kSuccess);
  CHECK(layers.c_str() == std::string("<left><right><adder><sum>"));
  CHECK(ask_for(serialized(SmallIr{.operation = "Moon"}), layers) == ZeResult::kInvalidArgument);
  char log[400] = {};
  uint32_t bytes = sizeof log;
  REQUIRE(table().build_log(nullptr, &bytes, log) == ZeResult::kSuccess);
  CHECK(std::string(log).find("Moon") != std::string::npos);
  REQUIRE(ask_for(serialized(SmallIr{}), layers) == ZeResult::kSuccess);
  REQUIRE(table().build_log(nullptr, &bytes, log) == ZeResult::kSuccess);
  CHECK(bytes == 1);  // the last one has nothing to say
}

TEST_CASE("the compiler says what it is and which options it knows") {
  DeviceGraphProperties2 properties{};
  REQUIRE(table().device_properties2(nullptr, &properties) == ZeResult::kSuccess);
  CHECK(properties.first.formats == (kGraphFormatBlob | kGraphFormatIr));
  CHECK(properties.first.extension_version == version(1, 16));
  size_t bytes = 0;
  REQUIRE(table().supported_options(nullptr, kOptionsOfCompiler, &bytes, nullptr) ==
          ZeResult::kSuccess);
  std::string options(bytes, '\0');
  REQUIRE(table().supported_options(nullptr, kOptionsOfCompiler, &bytes, options.data()) ==
          ZeResult::kSuccess);
  CHECK(options.find("NPU_COMPILATION_MODE_PARAMS") != std::string::npos);
  const auto knows = [](uint32_t kind, const char* name) {
    return table().is_option_supported(nullptr, kind, name, nullptr) == ZeResult::kSuccess;
  };
  CHECK(knows(kOptionsOfCompiler, "PERF_COUNT"));
  CHECK_FALSE(knows(kOptionsOfCompiler, "PERF_COUN"));
  CHECK_FALSE(knows(kOptionsOfCompiler, "PERF_COUNT LOG_LEVEL X"));
  CHECK_FALSE(knows(0, "PERF_COUNT"));
}

TEST_CASE("profiling is asked for by an option of the compiler") {
  for (const auto& [flags, profiling] :
       {std::pair{"--config PERF_COUNT=\"YES\"", true}, {"--config PERF_COUNT=\"NO\"", false}}) {
    const Compiled made = compile(serialized(SmallIr{}), flags);
    REQUIRE(made.result == ZeResult::kSuccess);
    GraphProperties3 properties{};
    REQUIRE(table().properties3(made.graph.get(), &properties) == ZeResult::kSuccess);
    CHECK(((properties.flags & kGraphProfiling) != 0) == profiling);
  }
}

TEST_CASE("the limit of memory holds for graphs and what a graph held is given back") {
  if (!in_own_process({{"MEMORY_MIB", "1"}})) return;
  const std::vector<uint8_t> bin(400'000);
  const std::vector<uint8_t> ir = serialized(xml_of({}), bin);
  for (int round = 0; round < 3; ++round) {
    Compiled first = compile(ir), second = compile(ir), third = compile(ir);
    CHECK(first.result == ZeResult::kSuccess);
    CHECK(second.result == ZeResult::kSuccess);
    CHECK(third.result == ZeResult::kOutOfDeviceMemory);
    CHECK(third.log.find("limit") != std::string::npos);
  }
  CHECK(compile(serialized(SmallIr{.operation = "Moon"})).result == ZeResult::kInvalidArgument);
  MemoryQuery query{};
  REQUIRE(table().context_memory(nullptr, 0, &query) == ZeResult::kSuccess);
  CHECK(query.allocated == 0);
  CHECK(traced("graph_destroy").size() == 6);
}

}  // namespace
}  // namespace npu_emulator
