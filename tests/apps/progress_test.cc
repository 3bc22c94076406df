// Progress: redraws a bar often but not always; elsewhere writes few lines, or none.
#include "progress.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "quantities.h"

namespace ovenbird {
namespace {

using Seconds = Progress::Seconds;

constexpr uint64_t kMiB = 1 << 20;
const Progress::Words kBake{.what = "bake", .at_end = ", writing the graphs"};

TEST_CASE("the bar shows bytes, and time left once the rate is known") {
  Progress progress(100 * kMiB, Progress::Style::kBar, kBake);

  CHECK(progress.update(0, Seconds(0)) ==
        "\r\x1b[K[........................] 0 %, 0 bytes of 100.0 MiB");
  CHECK(progress.update(25 * kMiB, Seconds(2)) ==
        "\r\x1b[K[######..................] 25 %, 25.0 MiB of 100.0 MiB, 6 s left");
  CHECK(progress.finish() == "\r\x1b[K");
}

TEST_CASE("the bar is drawn ten times a second at most, and always when the bytes are done") {
  Progress progress(100, Progress::Style::kBar, kBake);
  CHECK(progress.update(1, Seconds(1)) != "");
  CHECK(progress.update(2, Seconds(1.05)) == "");
  CHECK(progress.update(3, Seconds(1.11)) != "");
  CHECK(progress.update(100, Seconds(1.12)).ends_with("writing the graphs"));
}

TEST_CASE("a quick bake writes no line to a log") {
  Progress progress(100, Progress::Style::kLines, kBake);
  std::string written;
  for (int done = 0; done <= 100; ++done) written += progress.update(done, Seconds(done * 0.02));
  CHECK(written + progress.finish() == "");
}

TEST_CASE("a long bake writes a line every tenth, and none twice") {
  Progress progress(1000, Progress::Style::kLines, kBake);
  std::string written;
  for (int done = 0; done <= 1000; ++done) written += progress.update(done, Seconds(done * 0.1));
  CHECK(std::count(written.begin(), written.end(), '\n') == 10);
  CHECK(written.starts_with("bake: 10 %, 100 bytes of 1000 bytes, 1 min 30 s left\n"));
}

TEST_CASE("no bytes at all are done from the beginning") {
  Progress progress(0, Progress::Style::kBar, kBake);
  CHECK(progress.update(0, Seconds(0)).find("100 %") != std::string::npos);
}

TEST_CASE("more bytes than promised are not shown") {
  Progress progress(10, Progress::Style::kBar, kBake);
  CHECK(progress.update(11, Seconds(0)).find("100 %, 10 bytes of 10 bytes") != std::string::npos);
}

TEST_CASE("sizes, times and counts read well") {
  CHECK(size_text(1023) == "1023 bytes");
  CHECK(size_text(1536) == "1.5 KiB");
  CHECK(size_text(uint64_t{5} << 30) == "5.0 GiB");
  CHECK(count_text(999) == "999");
  CHECK(count_text(134515008) == "134.5 M");
  CHECK(time_text(Seconds(0.2)) == "1 s");
  CHECK(time_text(Seconds(60)) == "1 min 0 s");
  CHECK(time_text(Seconds(3720)) == "1 h 2 min");
}

}  // namespace
}  // namespace ovenbird
