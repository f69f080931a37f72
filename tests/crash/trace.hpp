#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::crash {

/// One system call out of `strace -f -ttt -yy -o …`, put together from its two halves where another
/// thread's call stood between them. Lines are counted from 0: a call began in the line where its
/// arguments stand and ended in the line where its result stands.
struct Call {
  std::string name;
  std::string file;  // what the first argument's descriptor stands for, as -yy shows it
  std::string text;  // everything that was printed of it
  std::int64_t result = -1;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The calls of a trace in the order in which they began. Lines that are no calls (signals, exits)
/// and calls without an end are left out.
std::vector<Call> parse_trace(std::string_view text);

/// One request and its answer on a connection, by their bytes: the request's last byte is number
/// `request_end` - 1 of what the broker read, its answer's first byte number `answer_begin` of what
/// it wrote.
struct Exchange {
  std::string connection;  // as -yy shows the broker's socket
  std::uint64_t request_end = 0;
  std::uint64_t answer_begin = 0;
  /// Must stand in what is written; empty: anything.
  std::string payload;
};

/// Shows that, after the request had been read, something was written to a log file of the
/// database (with the payload in it), then that file was synced with success, and only then the
/// first byte of the answer was written. Gives "" or what is wrong.
std::string find_unsynced_answer(const std::vector<Call>& calls, const Exchange& exchange);

}  // namespace weir::crash
