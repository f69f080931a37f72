#include "tests/power/journal.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace weir::power {
namespace {

struct Fixed {
  Step step;
  std::uint32_t file;
  std::uint64_t at;
  std::uint64_t bytes;
};

}  // namespace

std::string_view name_of(Step step) {
  constexpr std::array<std::string_view, 18> kNames = {
      "create",   "mkdir",       "rename",    "unlink",     "write",      "truncate",
      "allocate", "sync begins", "sync",      "sync fails", "sync again", "power loss",
      "power",    "commit",      "committed", "recovered",  "word",       "fault"};
  const auto at = static_cast<std::size_t>(step);
  return at < kNames.size() ? kNames[at] : "death";
}

Journal::Journal(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {
  memory_ = ::mmap(nullptr, sizeof(Header) + capacity_bytes_, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory_ == MAP_FAILED) {
    std::perror("weir-power: no memory for a journal");
    std::exit(2);
  }
  new (memory_) Header{};
}

Journal::~Journal() {
  ::munmap(memory_, sizeof(Header) + capacity_bytes_);
}

std::uint64_t Journal::append(Step step, std::uint32_t file, std::uint64_t at,
                              std::string_view bytes) {
  const std::uint64_t used = header()->used_bytes.load(std::memory_order_relaxed);
  const Fixed fixed = {.step = step, .file = file, .at = at, .bytes = bytes.size()};
  if (used + sizeof(fixed) + bytes.size() > capacity_bytes_) {
    std::fputs("weir-power: a journal is full\n", stderr);
    std::_Exit(2);
  }
  std::memcpy(data() + used, &fixed, sizeof(fixed));
  if (!bytes.empty()) {
    std::memcpy(data() + used + sizeof(fixed), bytes.data(), bytes.size());
  }
  header()->used_bytes.store(used + sizeof(fixed) + bytes.size(), std::memory_order_release);
  return header()->entries.fetch_add(1, std::memory_order_acq_rel);
}

std::uint64_t Journal::entries() const {
  return header()->entries.load(std::memory_order_acquire);
}

std::vector<Entry> Journal::read() const {
  std::vector<Entry> read;
  read.reserve(entries());
  const std::uint64_t used = header()->used_bytes.load(std::memory_order_acquire);
  for (std::uint64_t at = 0; at < used;) {
    Fixed fixed{};
    std::memcpy(&fixed, data() + at, sizeof(fixed));
    at += sizeof(fixed);
    read.push_back({.step = fixed.step,
                    .file = fixed.file,
                    .at = fixed.at,
                    .bytes = std::string_view(data() + at, fixed.bytes)});
    at += fixed.bytes;
  }
  return read;
}

void Journal::clear() {
  header()->used_bytes.store(0, std::memory_order_release);
  header()->entries.store(0, std::memory_order_release);
}

}  // namespace weir::power
