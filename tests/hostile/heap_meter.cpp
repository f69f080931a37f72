#include "tests/hostile/heap_meter.hpp"

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace weir::hostile {
namespace {

std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

void* count(void* made) {
  if (made == nullptr) {
    throw std::bad_alloc();
  }
  const std::size_t size = malloc_usable_size(made);
  const std::size_t live = live_bytes.fetch_add(size, std::memory_order_relaxed) + size;
  std::size_t peak = peak_bytes.load(std::memory_order_relaxed);
  while (live > peak && !peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
  return made;
}

void uncount(void* gone) {
  if (gone != nullptr) {
    live_bytes.fetch_sub(malloc_usable_size(gone), std::memory_order_relaxed);
    std::free(gone);
  }
}

void* allocate(std::size_t bytes) {
  return count(std::malloc(bytes == 0 ? 1 : bytes));
}

void* allocate(std::size_t bytes, std::align_val_t alignment) {
  const auto align = static_cast<std::size_t>(alignment);
  return count(std::aligned_alloc(align, (bytes + align - 1) / align * align));
}

}  // namespace

std::size_t live_heap_bytes() {
  return live_bytes.load(std::memory_order_relaxed);
}

std::size_t peak_heap_bytes() {
  return peak_bytes.load(std::memory_order_relaxed);
}

void reset_peak_heap_bytes() {
  peak_bytes.store(live_heap_bytes(), std::memory_order_relaxed);
}

}  // namespace weir::hostile

using weir::hostile::allocate;
using weir::hostile::uncount;

void* operator new(std::size_t bytes) {
  return allocate(bytes);
}
void* operator new[](std::size_t bytes) {
  return allocate(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, alignment);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, alignment);
}
void operator delete(void* gone) noexcept {
  uncount(gone);
}
void operator delete[](void* gone) noexcept {
  uncount(gone);
}
void operator delete(void* gone, std::size_t /*bytes*/) noexcept {
  uncount(gone);
}
void operator delete[](void* gone, std::size_t /*bytes*/) noexcept {
  uncount(gone);
}
void operator delete(void* gone, std::align_val_t /*alignment*/) noexcept {
  uncount(gone);
}
void operator delete[](void* gone, std::align_val_t /*alignment*/) noexcept {
  uncount(gone);
}
void operator delete(void* gone, std::size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  uncount(gone);
}
void operator delete[](void* gone, std::size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  uncount(gone);
}
