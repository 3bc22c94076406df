// Names, addresses and hashes: what is taken, what is refused. Method: tables, tried one by one.
#include <doctest/doctest.h>

#include <span>
#include <string>

#include "hub/content_hash.h"
#include "hub/hub_url.h"
#include "hub/model_name.h"

namespace ovenbird {
namespace {

TEST_CASE("a model's name is an id, perhaps a revision, perhaps a file") {
  const auto plain = parse_model_name("Qwen/Qwen3-0.6B");
  REQUIRE(plain);
  CHECK(plain->id == "Qwen/Qwen3-0.6B");
  CHECK(plain->revision == "");
  CHECK(plain->file == "");

  const auto whole = parse_model_name("Org/Tiny@refs/pr/1:sub/tiny q4.gguf");
  REQUIRE(whole);
  CHECK(whole->id == "Org/Tiny");
  CHECK(whole->revision == "refs/pr/1");
  CHECK(whole->file == "sub/tiny q4.gguf");
  CHECK(whole->text() == "Org/Tiny@refs/pr/1:sub/tiny q4.gguf");
}

TEST_CASE("paths are no names of models") {
  for (const char* path : {"./x", "/x/y", "a/b/c", "../x", "no such", "tiny.gguf", "a/b.gguf", "",
                           "~/x", "-o", "a/.b", "a//b", "a/", "a--b/c"}) {
    CAPTURE(path);
    CHECK(!is_model_name(path));
  }
  for (const char* name : {"a", "a/b", "A_1.2/b-c", "a/b@main", "a/b:x.gguf"}) {
    CAPTURE(name);
    CHECK(is_model_name(name));
  }
}

TEST_CASE("revisions and files that lead elsewhere are refused") {
  for (const char* name :
       {"a/b@", "a/b@..", "a/b@x/../y", "a/b@/x", "a/b@-x", "a/b@x//y", "a/b:", "a/b:x",
        "a/b:../x.gguf", "a/b:/x.gguf", "a/b:x\\y.gguf", "a/b:x/./y.gguf"}) {
    CAPTURE(name);
    const auto model = parse_model_name(name);
    REQUIRE(!model);
    CHECK(model.error().code == Code::kInvalidArgument);
  }
}

TEST_CASE("a commit has 40 or 64 digits, an ETag is fit for a file's name") {
  CHECK(is_commit(std::string(40, 'a')));
  CHECK(is_commit(std::string(64, '0')));
  CHECK(!is_commit(std::string(39, 'a')));
  CHECK(!is_commit(std::string(40, 'G')));
  CHECK(is_etag("0123-abc_x.y"));
  CHECK(is_etag(std::string(200, 'a')));
  CHECK(!is_etag(std::string(201, 'a')));
  CHECK(!is_etag("a.incomplete"));
}

TEST_CASE("one server is one scheme, host and port") {
  CHECK(origin_of("https://Hub.co/x?y") == origin_of("https://hub.co:443/z"));
  CHECK(origin_of("https://hub.co/") != origin_of("http://hub.co/"));
  CHECK(origin_of("https://hub.co/") != origin_of("https://hub.co:8443/"));
  CHECK(origin_of("https://hub.co/") != origin_of("https://hub.co.evil.org/"));
  CHECK(origin_of("no address at all") == "");
  CHECK(server_of("https://hub.co/x") == "hub.co");
  CHECK(server_of("http://127.0.0.1:8080/x") == "127.0.0.1:8080");
}

TEST_CASE("http is for a user who says so, and for loopback then") {
  CHECK(may_be_asked("https://anywhere.org/x", "https://hub.co"));
  CHECK(!may_be_asked("http://hub.co/x", "https://hub.co"));
  CHECK(!may_be_asked("http://127.0.0.1/x", "https://hub.co"));
  CHECK(may_be_asked("http://mirror.lan/x", "http://mirror.lan"));
  CHECK(!may_be_asked("http://other.lan/x", "http://mirror.lan"));
  CHECK(may_be_asked("http://localhost:9/x", "http://127.0.0.1:8"));
  CHECK(!may_be_asked("file:///etc/passwd", "http://mirror.lan"));
  CHECK(is_endpoint("https://hub.co"));
  CHECK(is_endpoint("http://mirror.lan:8080/hf"));
  for (const char* url : {"hub.co/x y", "ftp://hub.co", "https://me:word@hub.co", "https://",
                          "https://hub.co?x=1", "", "file:///x"}) {
    CAPTURE(url);
    CHECK(!is_endpoint(url));
  }
}

TEST_CASE("parts of paths are written so that nothing in them ends the part") {
  CHECK(percent_encoded("refs/pr/1") == "refs%2Fpr%2F1");
  CHECK(percent_encoded("a b/c?#%+.gguf", "/") == "a%20b/c%3F%23%25%2B.gguf");
  CHECK(percent_encoded("\xc3\xa4") == "%C3%A4");
}

/// Whether the hash takes `content` for `etag`, given in pieces.
bool takes(const std::string& etag, const std::string& content) {
  ContentHash hash(etag, content.size());
  const auto bytes = std::as_bytes(std::span(content));
  hash.add(bytes.first(bytes.size() / 2));
  hash.add(bytes.subspan(bytes.size() / 2));
  return hash.is_right();
}

TEST_CASE("an ETag is SHA-256, git's hash, or says nothing") {
  // printf 'hello\n' | git hash-object --stdin; printf 'hello\n' | sha256sum
  const std::string git = "ce013625030ba8dba906f756967f9e9ca394464a";
  const std::string sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
  CHECK(takes(git, "hello\n"));
  CHECK(!takes(git, "hello\r"));
  CHECK(takes(sha256, "hello\n"));
  CHECK(!takes(sha256, "hello"));
  CHECK(takes("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", ""));  // git's empty blob
  CHECK(takes("of-some-mirror", "anything"));
  ContentHash cut("of-some-mirror", 3);
  CHECK(!cut.is_right());
}

}  // namespace
}  // namespace ovenbird
