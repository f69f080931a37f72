#pragma once

#include <cstddef>

// Counts what the program holds on its heap, by taking the place of operator new and delete: link
// heap_meter.cpp. Any thread.
namespace weir::hostile {

/// Bytes that are allocated at this moment, as the allocator rounds them.
[[nodiscard]] std::size_t live_heap_bytes();
/// The most that was allocated at any moment since reset_peak_heap_bytes().
[[nodiscard]] std::size_t peak_heap_bytes();
void reset_peak_heap_bytes();

}  // namespace weir::hostile
