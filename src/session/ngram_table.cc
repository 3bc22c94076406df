// Open addressing with linear probing; the hashes come well mixed, so their low bits are the place.
#include "session/ngram_table.h"

#include <bit>
#include <utility>

#include "base/check.h"

namespace ovenbird {
namespace {

constexpr size_t kPlacesMin = 64;

}  // namespace

NgramTable::NgramTable() : entries_(kPlacesMin) {}

void NgramTable::reserve(size_t ngrams) {
  const size_t places = std::bit_ceil(2 * ngrams + 2);
  if (places > entries_.size()) resize(places);
}

uint32_t NgramTable::exchange(uint64_t hash, uint32_t position) {
  size_t place = find(hash);
  const uint32_t before = entries_[place].position;
  if (before == kNowhere) {
    if (2 * (used_ + 1) > entries_.size()) {
      resize(2 * entries_.size());
      place = find(hash);
    }
    ++used_;
  }
  entries_[place] = {hash, position};
  return before;
}

void NgramTable::restore(uint64_t hash, uint32_t before) {
  const size_t place = find(hash);
  OVENBIRD_CHECK(entries_[place].position != kNowhere);
  if (before == kNowhere) {
    remove(place);
  } else {
    entries_[place].position = before;
  }
}

size_t NgramTable::find(uint64_t hash) const {
  const size_t mask = entries_.size() - 1;
  size_t place = hash & mask;
  while (entries_[place].position != kNowhere && entries_[place].hash != hash) {
    place = (place + 1) & mask;
  }
  return place;
}

void NgramTable::remove(size_t place) {
  // Whoever stands further on because this place was taken moves up, so that no search, which ends
  // at the first free place, stops short of it.
  const size_t mask = entries_.size() - 1;
  size_t gap = place;
  for (size_t next = (gap + 1) & mask; entries_[next].position != kNowhere;
       next = (next + 1) & mask) {
    const size_t from_home = (next - entries_[next].hash) & mask;
    const size_t from_gap = (next - gap) & mask;
    if (from_home < from_gap) continue;
    entries_[gap] = entries_[next];
    gap = next;
  }
  entries_[gap] = {};
  --used_;
}

void NgramTable::resize(size_t places) {
  const std::vector<Entry> before = std::exchange(entries_, std::vector<Entry>(places));
  for (const Entry& entry : before) {
    if (entry.position != kNowhere) entries_[find(entry.hash)] = entry;
  }
}

}  // namespace ovenbird
