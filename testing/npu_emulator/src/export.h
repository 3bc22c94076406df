// How a function of the driver's interface is made visible: by its C name.
#pragma once

#include "abi/level_zero.h"

#define NPU_EMULATOR_EXPORT extern "C" __attribute__((visibility("default")))
