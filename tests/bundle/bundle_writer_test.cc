// A bundle is there whole or not at all, and nothing else lies about.
#include "bundle/bundle_writer.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "bundle/bundle.h"
#include "bundle/example_manifest.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

Manifest no_graphs() {
  Manifest manifest = example_manifest();
  manifest.graphs.clear();
  return manifest;
}

BundleWriter writer_for(const fs::path& target, bool replace = false) {
  Result<BundleWriter> writer = BundleWriter::create(target, replace);
  if (!writer) FAIL(writer.error().message);
  return std::move(*writer);
}

/// Writes a bundle whose weights are `content`.
Status write_bundle(const fs::path& target, const std::string& content, bool replace = false) {
  Result<BundleWriter> writer = BundleWriter::create(target, replace);
  if (!writer) return Failure{writer.error()};
  if (Status added = writer->add_whole(kWeightsName, content); !added) return added;
  return writer->commit(no_graphs());
}

std::set<std::string> names_in(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// As what a killed writer of `target` leaves.
fs::path make_stale(const fs::path& parent, const std::string& name) {
  fs::create_directory(parent / name);
  std::ofstream(parent / name / kWeightsName) << "half";
  return parent / name;
}

TEST_CASE("a bundle appears with commit, and is one that opens and verifies") {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  {
    BundleWriter writer = writer_for(target);
    Result<BundleFile> file = writer.add(kWeightsName);
    REQUIRE(file);
    CHECK(file->append("abc"));
    CHECK(file->align(64));
    CHECK(file->bytes() == 64);
    CHECK(file->align(64));
    CHECK(file->bytes() == 64);
    CHECK(file->append(std::string(3 << 20, 'x')));
    CHECK(file->flush());
    CHECK(fs::file_size(file->path()) == 64 + (3 << 20));
    CHECK(writer.close(std::move(*file)));
    CHECK(writer.add_whole("config.json", "{}"));
    CHECK(!fs::exists(target));
    REQUIRE(writer.commit(no_graphs()));
  }
  CHECK(names_in(temp.path()) == std::set<std::string>{"bundle"});
  CHECK(names_in(target) == std::set<std::string>{kWeightsName, "config.json", kManifestName});
  const Result<Bundle> bundle = Bundle::open(target);
  REQUIRE(bundle);
  CHECK(bundle->verify());
  CHECK(bundle->manifest().files.size() == 2);
  CHECK(content_of(target / kWeightsName).substr(0, 5) == std::string("abc\0\0", 5));
  CHECK((fs::status(target).permissions() & fs::perms::others_read) != fs::perms::none);
}

TEST_CASE("a writer that does not commit leaves nothing") {
  const TemporaryDirectory temp;
  {
    BundleWriter writer = writer_for(temp.path() / "bundle");
    CHECK(writer.add_whole(kWeightsName, "abc"));
    const BundleWriter moved = std::move(writer);
    CHECK(names_in(temp.path()).size() == 1);
  }
  CHECK(names_in(temp.path()).empty());
}

TEST_CASE("what a dead writer left is removed, what a living one writes is not") {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  make_stale(temp.path(), ".bundle.baking-Abc123");
  BundleWriter living = writer_for(target);
  CHECK(names_in(temp.path()).size() == 1);
  CHECK(living.add_whole("a", "a"));
  {
    const BundleWriter second = writer_for(target);
    CHECK(names_in(temp.path()).size() == 2);
  }
  CHECK(names_in(temp.path()).size() == 1);
  CHECK(living.add_whole(kWeightsName, "b"));
  CHECK(living.commit(no_graphs()));
  CHECK(names_in(temp.path()) == std::set<std::string>{"bundle"});
}

TEST_CASE("only names that a writer makes are taken for its own") {
  const TemporaryDirectory temp;
  const std::set<std::string> others = {".bundle.baking-notes-of-mine", ".bundle.baking-",
                                        ".other.baking-Abc123", "bundle.baking-Abc123"};
  for (const std::string& name : others) make_stale(temp.path(), name);
  { const BundleWriter writer = writer_for(temp.path() / "bundle"); }
  CHECK(names_in(temp.path()) == others);
}

TEST_CASE("a link that looks like staging is not followed") {
  const TemporaryDirectory temp;
  const fs::path kept = make_stale(temp.path(), "kept");
  fs::create_directory_symlink(kept, temp.path() / ".bundle.baking-Abc123");
  { const BundleWriter writer = writer_for(temp.path() / "bundle"); }
  CHECK(fs::exists(kept / kWeightsName));
}

TEST_CASE("what is at the target stays unless a bundle is to be replaced") {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  REQUIRE(write_bundle(target, "old"));

  const Status refused = write_bundle(target, "new");
  REQUIRE(!refused);
  CHECK(refused.error().code == Code::kInvalidArgument);
  CHECK(refused.error().message.find("--force") != std::string::npos);
  CHECK(content_of(target / kWeightsName) == "old");

  REQUIRE(write_bundle(target, "newer", true));
  CHECK(content_of(target / kWeightsName) == "newer");
  CHECK(names_in(temp.path()) == std::set<std::string>{"bundle"});
}

TEST_CASE("replacing what is not there is writing it") {
  const TemporaryDirectory temp;
  CHECK(write_bundle(temp.path() / "bundle", "new", true));
}

TEST_CASE("what is no bundle is never replaced") {
  const TemporaryDirectory temp;
  fs::create_directory(temp.path() / "photos");
  temp.write("file", "content");
  fs::create_symlink("nowhere", temp.path() / "dangling");
  for (const char* name : {"photos", "file", "dangling"}) {
    CAPTURE(name);
    const Status refused = write_bundle(temp.path() / name, "new", true);
    REQUIRE(!refused);
    CHECK(refused.error().code == Code::kInvalidArgument);
    CHECK(refused.error().message.find("not a bundle") != std::string::npos);
  }
  CHECK(names_in(temp.path()) == std::set<std::string>{"photos", "file", "dangling"});
}

TEST_CASE("a directory that came to be there during the writing stays") {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  BundleWriter writer = writer_for(target);
  CHECK(writer.add_whole(kWeightsName, "mine"));
  REQUIRE(write_bundle(target, "theirs"));
  const Status committed = writer.commit(no_graphs());
  REQUIRE(!committed);
  CHECK(committed.error().code == Code::kIo);
  CHECK(content_of(target / kWeightsName) == "theirs");
}

TEST_CASE("a target may end in a slash, have no parent, or lie in directories to be made") {
  const TemporaryDirectory temp;
  REQUIRE(write_bundle(temp.path() / "slash" / "", "a"));
  CHECK(fs::exists(temp.path() / "slash" / kManifestName));
  REQUIRE(write_bundle(temp.path() / "a" / "b" / "c", "a"));
  CHECK(fs::exists(temp.path() / "a" / "b" / "c" / kManifestName));

  const fs::path before = fs::current_path();
  fs::current_path(temp.path());
  const Status relative = write_bundle("relative", "a");
  fs::current_path(before);
  REQUIRE(relative);
  CHECK(fs::exists(temp.path() / "relative" / kManifestName));
}

TEST_CASE("a target without a name is refused") {
  for (const char* target : {"", ".", "..", "/", "a/.", "a/..", "./"}) {
    CAPTURE(target);
    const Result<BundleWriter> writer = BundleWriter::create(target, false);
    REQUIRE(!writer);
    CHECK(writer.error().code == Code::kInvalidArgument);
  }
}

TEST_CASE("a parent that is a file is an error of the system") {
  const TemporaryDirectory temp;
  temp.write("file", "content");
  const Result<BundleWriter> writer = BundleWriter::create(temp.path() / "file" / "bundle", false);
  REQUIRE(!writer);
  CHECK(writer.error().code == Code::kIo);
}

TEST_CASE("a file's name is used once") {
  const TemporaryDirectory temp;
  BundleWriter writer = writer_for(temp.path() / "bundle");
  CHECK(writer.add_whole("a", "1"));
  const Status again = writer.add_whole("a", "2");
  REQUIRE(!again);
  CHECK(again.error().code == Code::kIo);
}

/// Runs `work` in a child process; true if it returned true. (As nobody, if `unprivileged`.)
template <typename Work>
bool in_child(bool unprivileged, const Work& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (unprivileged && ::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    ::_exit(work() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_CASE("a directory that may not be written to is an error of the system") {
  const TemporaryDirectory temp;
  fs::permissions(temp.path(), fs::perms::owner_read | fs::perms::owner_exec |
                                   fs::perms::others_read | fs::perms::others_exec);
  CHECK(in_child(true, [&] {
    const Result<BundleWriter> writer = BundleWriter::create(temp.path() / "bundle", false);
    return !writer && writer.error().code == Code::kIo;
  }));
  fs::permissions(temp.path(), fs::perms::owner_all);
}

TEST_CASE("a disk that takes no more is an error that names the file") {
  const TemporaryDirectory temp;
  CHECK(in_child(false, [&] {
    const rlimit small{.rlim_cur = 4096, .rlim_max = 4096};
    ::signal(SIGXFSZ, SIG_IGN);  // then writing beyond the limit fails as on a full disk
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return false;
    const Status written = write_bundle(temp.path() / "bundle", std::string(100'000, 'x'));
    return !written && written.error().code == Code::kIo &&
           written.error().message.find(kWeightsName) != std::string::npos;
  }));
  CHECK(names_in(temp.path()).empty());
}

TEST_CASE("a writer that is killed leaves what the next one removes") {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  CHECK(in_child(false, [&]() -> bool {
    BundleWriter writer = writer_for(target);
    const bool added = bool(writer.add_whole(kWeightsName, "abc"));
    ::_exit(added ? 0 : 1);  // no destructor runs
  }));
  CHECK(names_in(temp.path()).size() == 1);
  CHECK(!fs::exists(target));
  REQUIRE(write_bundle(target, "abc"));
  CHECK(names_in(temp.path()) == std::set<std::string>{"bundle"});
}

TEST_CASE("writers of one target at once: every bundle seen is whole, and nothing is left over") {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  REQUIRE(write_bundle(target, "first"));
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int round = 0; round < 25; ++round) {
        // One may find the staging gone that it swapped out; it never finds its own gone.
        (void)write_bundle(target, std::string(1000 + writer, 'x'), true);
      }
    });
  }
  for (int look = 0; look < 50; ++look) {
    const std::string manifest = content_of(target / kManifestName);
    CHECK(parse_manifest(manifest));
  }
  writers.clear();
  const Result<Bundle> bundle = Bundle::open(target);
  REQUIRE(bundle);
  CHECK(bundle->verify());
  CHECK(names_in(temp.path()) == std::set<std::string>{"bundle"});
}

}  // namespace
}  // namespace ovenbird
