// How a layer of a decoder knows positions: a word that checkpoint, bundle and session share.
#pragma once

namespace ovenbird {

enum class LayerRope {
  kGlobal,  // rotated as most layers are
  kLocal,   // by frequencies of its own: layers that see a window
  kNone     // not rotated
};

}  // namespace ovenbird
