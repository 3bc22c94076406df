// Counts what this test program takes from the heap, to prove that a loop takes nothing.
#pragma once

#include <cstddef>

/// How often operator new was called since the program started, on all threads.
size_t allocations_so_far();
