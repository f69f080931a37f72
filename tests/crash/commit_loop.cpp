#include "storage/rocks/rocks_store.hpp"
#include "tests/crash/committed_rows.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <unistd.h>

// commit_loop DATABASE FIRST: commits row FIRST and those that follow, each on its own, and writes
// the number of each that is durable to its output (u64). It goes on until it is killed or nobody
// listens.
int main(int count, char** words) {
  if (count != 3) {
    return 2;
  }
  const auto store = weir::storage::open_rocks_store(
      {.path = words[1], .write_buffer_bytes = weir::crash::kCommitLoopBufferBytes});
  if (!store) {
    return 1;
  }
  for (std::uint64_t number = std::strtoull(words[2], nullptr, 10);; ++number) {
    weir::storage::WriteBatch rows;
    rows.put(weir::storage::Family::kLog, weir::crash::row_key(number),
             weir::crash::row_value(number));
    const std::array<const weir::storage::WriteBatch*, 1> batches = {&rows};
    if (!(*store)->commit(batches) ||
        ::write(STDOUT_FILENO, &number, sizeof number) != sizeof number) {
      return 1;
    }
  }
}
