// Counting holders.
#include "session/shared_graphs.h"

#include "base/check.h"

namespace ovenbird {

void SharedGraphs::hold(size_t graph) { ++holders_[graph]; }

void SharedGraphs::release(size_t graph) {
  let_go(graph);
  if (holders_[graph] == 0) engine_.release(graph);
}

void SharedGraphs::let_go(size_t graph) {
  OVENBIRD_CHECK(holders_[graph] > 0);
  --holders_[graph];
}

}  // namespace ovenbird
