// Starts processes that use the emulated NPU for a moment and end, each in another way, and counts
// those that do not end well:
//
//   npu_emulator_start_stop RUNS
//
// One line for each run that ended badly, one for each way of ending, and exit code 1 if any did.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <openvino/op/add.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/result.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/exception.hpp>
#include <string>
#include <vector>

namespace {

constexpr size_t kNumbers = 1024;  // 4096 bytes of f32: a tensor may be imported
constexpr int kWrongNumbers = 3;   // exit code

std::shared_ptr<ov::Model> square_and_add() {
  const ov::Shape shape{1, kNumbers};
  const auto x = std::make_shared<ov::op::v0::Parameter>(ov::element::f32, shape);
  const auto y = std::make_shared<ov::op::v0::Parameter>(ov::element::f32, shape);
  const auto square = std::make_shared<ov::op::v1::Multiply>(x, x);
  const auto sum = std::make_shared<ov::op::v1::Add>(square, y);
  return std::make_shared<ov::Model>(ov::OutputVector{sum}, ov::ParameterVector{x, y});
}

void fill(ov::InferRequest& request, float x) {
  for (size_t input = 0; input < 2; ++input) {
    ov::Tensor tensor = request.get_input_tensor(input);
    std::fill_n(tensor.data<float>(), kNumbers, x);
  }
}

void check(ov::InferRequest& request, float x) {
  const ov::Tensor tensor = request.get_output_tensor(0);
  for (size_t at = 0; at < kNumbers; ++at) {
    if (tensor.data<float>()[at] != x * x + x) std::_Exit(kWrongNumbers);
  }
}

void infer(ov::InferRequest& request, float x) {
  fill(request, x);
  request.infer();
  check(request, x);
}

// ---- ways to end

void end_after_infer(ov::CompiledModel& model) {
  ov::InferRequest request = model.create_infer_request();
  for (const float x : {1.0f, 2.0f, 3.0f}) infer(request, x);
}

/// The last one is still running ("slow") when its request is taken down.
void end_with_a_pending_request(ov::CompiledModel& model) {
  ov::InferRequest request = model.create_infer_request();
  infer(request, 2);
  request.start_async();
}

void end_with_many_requests(ov::CompiledModel& model) {
  std::vector<ov::InferRequest> requests;
  for (int number = 0; number < 6; ++number) {
    requests.push_back(model.create_infer_request());
    fill(requests.back(), static_cast<float>(number));
  }
  for (int round = 0; round < 3; ++round) {
    for (ov::InferRequest& request : requests) request.start_async();
    for (ov::InferRequest& request : requests) request.wait();
  }
  for (size_t number = 0; number < requests.size(); ++number) {
    check(requests[number], static_cast<float>(number));
  }
  for (ov::InferRequest& request : requests) request.start_async();
}

void end_with_a_lost_device(ov::CompiledModel& model) {
  ov::InferRequest request = model.create_infer_request();
  infer(request, 2);
  try {
    request.infer();
    std::_Exit(kWrongNumbers);
  } catch (const ov::Exception& lost) {
    if (!std::strstr(lost.what(), "DEVICE_LOST")) throw;
  }
}

/// exit() in the middle: nothing of OpenVINO is taken down before the libraries are.
void end_by_exit(ov::CompiledModel& model) {
  auto* request = new ov::InferRequest(model.create_infer_request());
  auto* kept = new ov::CompiledModel(model);
  infer(*request, 2);
  std::exit(kept == nullptr);
}

struct Way {
  const char* name;
  const char* fault;
  void (*end)(ov::CompiledModel& model);
};

constexpr std::array kWays = {
    Way{"after infer", "", end_after_infer},
    Way{"a pending request", "slow=5@2", end_with_a_pending_request},
    Way{"many requests", "", end_with_many_requests},
    Way{"a lost device", "device-lost@2", end_with_a_lost_device},
    Way{"exit()", "", end_by_exit},
};

int use_the_device(const Way& way) {
  ov::Core core;
  ov::CompiledModel model = core.compile_model(square_and_add(), "NPU");
  way.end(model);
  return 0;
}

/// How one process ended: 0 if well.
int run_once(size_t way) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("LD_LIBRARY_PATH", NPU_EMULATOR_DIRECTORY, 1);
    ::setenv("NPU_EMULATOR_FAULT", kWays[way].fault, 1);
    ::setenv("NPU_EMULATOR_THREADS", "1", 1);
    const std::string number = std::to_string(way);
    ::execl("/proc/self/exe", "npu_emulator_start_stop", "--way", number.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

int run_many(size_t runs) {
  std::array<size_t, kWays.size()> started{}, failed{};
  size_t failures = 0;
  for (size_t run = 0; run < runs; ++run) {
    const size_t way = run % kWays.size();
    ++started[way];
    const int status = run_once(way);
    if (status == 0) continue;
    ++failed[way];
    ++failures;
    std::printf("run %zu, %s: %s %d\n", run, kWays[way].name,
                WIFSIGNALED(status) ? "signal" : "exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  }
  for (size_t way = 0; way < kWays.size(); ++way) {
    std::printf("%-20s %zu of %zu ended badly\n", kWays[way].name, failed[way], started[way]);
  }
  std::printf("%zu runs, %zu ended badly\n", runs, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 3 && std::strcmp(arguments[1], "--way") == 0) {
    return use_the_device(kWays.at(std::strtoul(arguments[2], nullptr, 10)));
  }
  if (count == 2) return run_many(std::strtoul(arguments[1], nullptr, 10));
  std::fprintf(stderr, "usage: npu_emulator_start_stop RUNS\n");
  return 2;
}
