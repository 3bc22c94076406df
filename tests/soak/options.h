// What the soaks are told on their command line: --name value, in any order.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

namespace ovenbird {

class SoakOptions {
 public:
  SoakOptions(int count, char** arguments) {
    for (int i = 1; i + 1 < count; i += 2) values_[arguments[i]] = arguments[i + 1];
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second;
  }
  uint64_t number(const std::string& name, uint64_t otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 10);
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace ovenbird
