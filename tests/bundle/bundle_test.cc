// Opening a bundle: what is missing, cut off or changed is found, and named.
#include "bundle/bundle.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "bundle/bundle_writer.h"
#include "bundle/example_manifest.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

/// A bundle on disk with every file that the example manifest lists.
class ExampleBundle {
 public:
  ExampleBundle() {
    Result<BundleWriter> writer = BundleWriter::create(path(), false);
    REQUIRE(writer);
    REQUIRE(writer->add_whole(kWeightsName, std::string(100'000, 'w')));
    for (const GraphInfo& graph : example_manifest().graphs) {
      REQUIRE(writer->add_whole(graph.file, "<net/>"));
    }
    REQUIRE(writer->commit(example_manifest()));
  }

  fs::path path() const { return temp_.path() / "bundle"; }

  Error open_error() const {
    const Result<Bundle> bundle = Bundle::open(path());
    if (bundle) FAIL("opened");
    return bundle.error();
  }

  template <typename Change>
  void change_manifest(const Change& change) const {
    std::ifstream in(path() / kManifestName);
    nlohmann::json json = nlohmann::json::parse(in);
    change(json);
    std::ofstream(path() / kManifestName) << json.dump();
  }

 private:
  TemporaryDirectory temp_;
};

TEST_CASE("a bundle opens by its directory and by a graph in it") {
  const ExampleBundle example;
  for (const fs::path& path : {example.path(), example.path() / "", example.path() / "dynamic.xml",
                               example.path() / "not_there.xml"}) {
    CAPTURE(path);
    const Result<Bundle> bundle = Bundle::open(path);
    REQUIRE(bundle);
    CHECK(bundle->verify());
    CHECK(fs::equivalent(bundle->directory(), example.path()));
    CHECK(fs::equivalent(bundle->file(kWeightsName), example.path() / kWeightsName));
  }
}

TEST_CASE("a bundle in the current directory opens by a bare name") {
  const ExampleBundle example;
  const fs::path before = fs::current_path();
  fs::current_path(example.path());
  const bool by_graph = bool(Bundle::open("openvino_model.xml"));
  const bool by_dot = bool(Bundle::open("."));
  fs::current_path(before);
  CHECK(by_graph);
  CHECK(by_dot);
}

TEST_CASE("a directory may be called like a graph") {
  const ExampleBundle example;
  const fs::path renamed = example.path().parent_path() / "model.xml";
  fs::rename(example.path(), renamed);
  CHECK(Bundle::open(renamed));
}

TEST_CASE("where there is no bundle, it is said how to make one") {
  const TemporaryDirectory temp;
  for (const fs::path& path : {temp.path(), temp.path() / "nothing", temp.path() / "a.xml"}) {
    const Result<Bundle> bundle = Bundle::open(path);
    REQUIRE(!bundle);
    CHECK(bundle.error().code == Code::kNotFound);
    CHECK(bundle.error().message.find("ovenbird bake") != std::string::npos);
  }
}

TEST_CASE("a missing file is named") {
  const ExampleBundle example;
  fs::remove(example.path() / "dynamic.xml");
  CHECK(example.open_error().code == Code::kCorrupt);
  CHECK(example.open_error().message.find("dynamic.xml") != std::string::npos);
}

TEST_CASE("a file that is too short or too long is named, with both sizes") {
  for (const uintmax_t size : {0, 99'999, 100'001}) {
    const ExampleBundle example;
    fs::resize_file(example.path() / kWeightsName, size);
    const Error error = example.open_error();
    CHECK(error.code == Code::kCorrupt);
    CHECK(error.message.find(std::string(kWeightsName) + " has " + std::to_string(size)) !=
          std::string::npos);
    CHECK(error.message.find("100000") != std::string::npos);
  }
}

TEST_CASE("a directory where a file should be is an error") {
  const ExampleBundle example;
  fs::remove(example.path() / "dynamic.xml");
  fs::create_directory(example.path() / "dynamic.xml");
  CHECK(example.open_error().code == Code::kCorrupt);
}

TEST_CASE("what the engine opens by name must be among the files") {
  for (const char* name : {kWeightsName, "dynamic.xml"}) {
    const ExampleBundle example;
    example.change_manifest([&](nlohmann::json& json) {
      auto& files = json["files"];
      for (size_t index = 0; index < files.size(); ++index) {
        if (files[index]["name"] == name) files.erase(index);
      }
    });
    const Error error = example.open_error();
    CHECK(error.code == Code::kCorrupt);
    CHECK(error.message.find(std::string(name) + " is not among") != std::string::npos);
  }
}

TEST_CASE("a wrong manifest is an error that names bundle and field") {
  const ExampleBundle example;
  example.change_manifest([](nlohmann::json& json) { json["model"]["layers"] = 0; });
  const Error error = example.open_error();
  CHECK(error.code == Code::kCorrupt);
  CHECK(error.message.find(example.path().string()) != std::string::npos);
  CHECK(error.message.find("model.layers") != std::string::npos);
}

TEST_CASE("a single flipped bit is found by verify") {
  const ExampleBundle example;
  const Result<Bundle> bundle = Bundle::open(example.path());
  REQUIRE(bundle);
  std::fstream file(example.path() / kWeightsName, std::ios::in | std::ios::out);
  file.seekp(77'777);
  file.put('v');
  file.close();
  CHECK(Bundle::open(example.path()));
  const Status verified = bundle->verify();
  REQUIRE(!verified);
  CHECK(verified.error().code == Code::kCorrupt);
  CHECK(verified.error().message.find(kWeightsName) != std::string::npos);
}

TEST_CASE("verify says which file is gone") {
  const ExampleBundle example;
  const Result<Bundle> bundle = Bundle::open(example.path());
  REQUIRE(bundle);
  fs::remove(example.path() / kWeightsName);
  const Status verified = bundle->verify();
  REQUIRE(!verified);
  CHECK(verified.error().message.find(kWeightsName) != std::string::npos);
}

}  // namespace
}  // namespace ovenbird
