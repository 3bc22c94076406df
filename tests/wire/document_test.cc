// docs/WIRE.md against the code: every struct's size and every field's offset and size, without a
// byte left out; the constants; the numbers of messages.
#include <cstddef>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "wire/described_structs.h"

namespace ovenbird::wire {
namespace {

/// The first cells of a table's rows.
using Rows = std::vector<std::vector<std::string>>;

struct Document {
  std::map<std::string, size_t> bytes;  // of each struct, as its heading says
  std::map<std::string, Rows> tables;   // by the heading above them, without its size
};

std::string trimmed(std::string text) {
  const auto is_blank = [](char letter) { return letter == ' ' || letter == '`'; };
  while (!text.empty() && is_blank(text.front())) text.erase(text.begin());
  while (!text.empty() && is_blank(text.back())) text.pop_back();
  return text;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream parts(line.substr(1));
  for (std::string cell; std::getline(parts, cell, '|');) cells.push_back(trimmed(cell));
  return cells;
}

Document read_document() {
  Document document;
  std::ifstream file(OVENBIRD_TEST_DATA "/../../docs/WIRE.md");
  REQUIRE(file);
  std::string section;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) {
      section = trimmed(line.substr(line.find(' ')));
      const size_t name_end = section.find("`, ");
      if (name_end == std::string::npos || !section.ends_with(" bytes")) continue;
      const size_t bytes = std::stoul(section.substr(name_end + 3));
      section.resize(name_end);
      document.bytes[section] = bytes;
    } else if (line.starts_with("| ")) {
      document.tables[section].push_back(cells_of(line));
    }
  }
  for (auto& [name, rows] : document.tables) rows.erase(rows.begin());  // what columns are called
  return document;
}

TEST_CASE("every struct stands there with its size, and no other") {
  const Document document = read_document();
  for (const auto& [name, described] : described_structs()) {
    CAPTURE(name);
    REQUIRE(document.bytes.count(name) == 1);
    CHECK(document.bytes.at(name) == described.bytes);
  }
  CHECK(document.bytes.size() == described_structs().size());
}

TEST_CASE("every field stands there with its place, and no byte of a struct is left out") {
  const Document document = read_document();
  for (const auto& [name, described] : described_structs()) {
    CAPTURE(name);
    size_t end = 0;
    size_t fields = 0;
    for (const std::vector<std::string>& row : document.tables.at(name)) {
      REQUIRE(row.size() >= 3);
      CAPTURE(row[2]);
      CHECK(std::stoul(row[0]) == end);
      end = std::stoul(row[0]) + std::stoul(row[1]);
      if (row[2] == "-") continue;
      REQUIRE(described.fields.count(row[2]) == 1);
      CHECK(std::stoul(row[0]) == described.fields.at(row[2]).offset);
      CHECK(std::stoul(row[1]) == described.fields.at(row[2]).bytes);
      ++fields;
    }
    CHECK(end == described.bytes);
    CHECK(fields == described.fields.size());
  }
}

TEST_CASE("constants and numbers of messages are those of the code") {
  const Document document = read_document();
  const auto check = [&](const std::string& section, const std::map<std::string, uint64_t>& known) {
    std::map<std::string, uint64_t> written;
    for (const auto& row : document.tables.at(section)) written[row[0]] = std::stoull(row[1]);
    CHECK(written == known);
  };
  check("Wire", described_constants());
  check("Between client and supervisor", client_messages());
  check("Between supervisor and worker", worker_messages());
}

}  // namespace
}  // namespace ovenbird::wire
