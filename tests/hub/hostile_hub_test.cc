// A hub that lies, or is none: nothing outside the cache is touched, no token goes astray.
// Method: a stub hub that is told what to say.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/limits.h"
#include "hub/stub_hub.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Scene {
  Scene() {
    hub.add_model("Org/Tiny", varied_bytes(10'000));
    cache.settings.token = "hf_secret";
  }

  Error fails(const std::string& words) {
    const auto fetched = cache.fetch("Org/Tiny");
    REQUIRE(!fetched);
    INFO("message: " << fetched.error().message);
    CHECK(fetched.error().message.find(words) != std::string::npos);
    CHECK(fetched.error().message.find("hf_secret") == std::string::npos);
    CHECK(fetched.error().message.find('\n') == std::string::npos);
    return fetched.error();
  }

  void list(const json& siblings) {
    hub.order({{{"do", "listing"}, {"listing", {{"siblings", siblings}}}}});
  }

  StubHub hub;
  TestCache cache{hub};
};

TEST_CASE("a listing with a name that leads out of the repository is refused") {
  Scene scene;
  for (const char* name :
       {"../evil", "/etc/passwd", "a/../../b", "a//b", "", ".", "a\\b", "line\nbreak"}) {
    CAPTURE(name);
    scene.list({{{"rfilename", "config.json"}}, {{"rfilename", name}}});
    CHECK(scene.fails("no path inside a repository").code == Code::kCorrupt);
  }
  CHECK(!fs::exists(scene.cache.settings.cache));
}

TEST_CASE("a listing that is none is not believed") {
  Scene scene;
  for (const json& listing :
       {json{{"sha", "main"}}, json{{"sha", 7}}, json{{"siblings", 7}}, json{{"sha", "../.."}}}) {
    scene.hub.order({{{"do", "listing"}, {"listing", listing}}});
    CHECK(scene.fails("does not answer as a hub does").code == Code::kCorrupt);
  }
  scene.list({7});
  CHECK(scene.fails("no path inside a repository").code == Code::kCorrupt);
  scene.hub.order({{{"do", "raw"}, {"data", "<html>Please log in</html>"}}});
  CHECK(scene.fails("check HF_ENDPOINT, and proxies on the way").code == Code::kCorrupt);
}

TEST_CASE("a listing without end is cut") {
  Scene scene;
  scene.hub.order({{{"do", "raw"}, {"data", "[\"0123456789\"],"}, {"repeat", 2'000'000}}});
  CHECK(scene.fails("more than 16777216 bytes").code == Code::kCorrupt);

  json siblings = json::array();
  for (size_t i = 0; i <= limits::kHubFilesMax; ++i) {
    siblings.push_back({{"rfilename", std::to_string(i)}});
  }
  scene.list(siblings);
  CHECK(scene.fails("accepted: 65536").code == Code::kUnsupported);
}

TEST_CASE("an index that names files elsewhere is refused") {
  Scene scene;
  for (const char* name : {"../x.safetensors", "/x.safetensors", "x.bin", "a/x.safetensors"}) {
    CAPTURE(name);
    const json index = {{"weight_map", {{"t", name}}}};
    scene.hub.add("Org/Tiny", "model.safetensors.index.json", index.dump());
    scene.list({{{"rfilename", "config.json"}}, {{"rfilename", "model.safetensors.index.json"}}});
    CHECK(scene.fails("which is no safetensors file beside it").code == Code::kCorrupt);
  }
}

TEST_CASE("an ETag that is no file's name is refused") {
  Scene scene;
  for (const char* etag : {"../../../evil", "", "a/b", ".hidden"}) {
    CAPTURE(etag);
    scene.hub.order({{{"path", "config.json"}, {"do", "etag"}, {"etag", etag}}});
    CHECK(scene.fails("no ETag for ").code == Code::kCorrupt);
  }
}

TEST_CASE("a redirect on the same server is followed, with the token") {
  Scene scene;
  scene.hub.order({{{"path", "/api/models/Org/Old/"},
                    {"do", "redirect"},
                    {"to", "/api/models/Org/Tiny/revision/main"}},
                   {{"path", "/Org/Old/resolve/"},
                    {"do", "redirect"},
                    {"to", "{hub}/Org/Tiny/resolve/main/config.json"}}});

  static_cast<void>(scene.cache.fetch("Org/Old"));

  const auto seen = scene.hub.seen();
  REQUIRE(seen.size() >= 4);
  for (const SeenRequest& request : seen) CHECK(request.token == "Bearer hf_secret");
}

TEST_CASE("a redirect to another server takes no token along, whatever it is for") {
  Scene scene;
  scene.hub.order(
      {{{"path", "/api/"}, {"host", "hub"}, {"do", "redirect"}, {"to", "{store}{path}"}}});

  CHECK(!scene.cache.fetch("Org/Tiny"));

  for (const SeenRequest& request : scene.hub.seen()) {
    CHECK(request.token == (request.host == "hub" ? "Bearer hf_secret" : ""));
  }
  CHECK(scene.hub.seen().back().host == "store");
}

TEST_CASE("a redirect to where nothing may be fetched is not followed") {
  Scene scene;
  for (const char* to : {"http://203.0.113.1/x", "file:///etc/passwd", "ftp://203.0.113.1/x",
                         "https://user:word@203.0.113.1/", "", "gopher://x"}) {
    CAPTURE(to);
    scene.hub.order({{{"do", "redirect"}, {"to", to}}});
    CHECK(scene.fails("which is not followed").code == Code::kIo);
  }
  scene.hub.order({{{"do", "redirect"}, {"to", "{hub}{path}"}}});
  CHECK(scene.fails("redirects without end").code == Code::kIo);
}

TEST_CASE("an address at which nobody listens is one line") {
  Scene scene;
  scene.cache.settings.endpoint = "http://127.0.0.1:1";
  CHECK(scene.fails("127.0.0.1:1: Failed to connect").code == Code::kIo);
  scene.cache.settings.endpoint = "http://no-such-host.invalid";
  CHECK(scene.fails("Could not resolve host").code == Code::kIo);
}

TEST_CASE(
    "a hub whose certificate nobody vouches for is refused; one that the user trusts is not") {
  const TemporaryDirectory directory;
  const std::string file = directory.path() / "both.pem";
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stub "
      "-addext subjectAltName=IP:127.0.0.1 -keyout " +
      file + " -out " + file + ".crt 2>/dev/null && cat " + file + ".crt >> " + file;
  REQUIRE(std::system(make.c_str()) == 0);
  const StubHub hub(file);
  hub.add_model("Org/Tiny", varied_bytes(10'000));
  TestCache cache(hub);

  const auto refused = cache.fetch("Org/Tiny");
  REQUIRE(!refused);
  CHECK(refused.error().message.find("SSL certificate problem") != std::string::npos);
  CHECK(hub.seen().empty());

  cache.settings.certificates = file + ".crt";
  const auto fetched = cache.fetch("Org/Tiny");
  REQUIRE_MESSAGE(fetched, fetched.error().message);
  CHECK(cache.file("model.safetensors") == varied_bytes(10'000));
}

}  // namespace
}  // namespace ovenbird
