#include "tests/crash/trace.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

namespace weir::crash {
namespace {

constexpr std::string_view kUnfinished = " <unfinished ...>";
constexpr std::string_view kResumed = " resumed>";
constexpr std::string_view kResumedHead = "<... ";
constexpr std::string_view kResultMark = ") = ";
constexpr std::string_view kLogFile = ".log";

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::ranges::find(names, name) != names.end();
}

bool reads(const Call& call) {
  constexpr std::array<std::string_view, 4> kNames = {"read", "recvmsg", "recvfrom", "readv"};
  return is_one_of(call.name, kNames);
}

bool writes(const Call& call) {
  constexpr std::array<std::string_view, 5> kNames = {"write", "writev", "sendmsg", "sendto",
                                                      "pwrite64"};
  return is_one_of(call.name, kNames);
}

bool syncs(const Call& call) {
  constexpr std::array<std::string_view, 2> kNames = {"fdatasync", "fsync"};
  return is_one_of(call.name, kNames);
}

/// Takes the word in front of the first space away from `line`.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return word;
}

/// What stands behind the last ") = ", without which a call has no end.
std::optional<std::int64_t> result_of(std::string_view text) {
  const std::size_t at = text.rfind(kResultMark);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view number = text.substr(at + kResultMark.size());
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), result);
  return error == std::errc() ? std::optional(result) : std::nullopt;
}

/// "fdatasync(9</data/000004.log>) = 0": the name and the file.
std::optional<Call> begin_of(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t mark = text.find('<', std::min(open, text.size()));
  if (open == std::string_view::npos || mark == std::string_view::npos) {
    return std::nullopt;
  }
  Call call;
  call.name = text.substr(0, open);
  const std::string_view rest = text.substr(mark + 1);
  const std::size_t close = std::min({rest.find(">,"), rest.find(">)"), rest.find("> ")});
  if (close == std::string_view::npos) {
    return std::nullopt;
  }
  call.file = rest.substr(0, close);
  return call;
}

/// The call that read the request's last byte and the one that wrote the answer's first.
struct Ends {
  const Call* arrival = nullptr;
  const Call* answer = nullptr;
};

Ends find_ends(const std::vector<Call>& calls, const Exchange& exchange) {
  Ends ends;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  for (const Call& call : calls) {
    if (call.file != exchange.connection || call.result <= 0) {
      continue;
    }
    const auto bytes = static_cast<std::uint64_t>(call.result);
    read += reads(call) ? bytes : 0;
    written += writes(call) ? bytes : 0;
    if (ends.arrival == nullptr && read >= exchange.request_end) {
      ends.arrival = &call;
    }
    if (ends.answer == nullptr && written > exchange.answer_begin) {
      ends.answer = &call;
    }
  }
  return ends;
}

/// True for a write of `payload` to a log file of the database.
bool stores(const Call& call, std::string_view payload) {
  return writes(call) && call.file.ends_with(kLogFile) && call.result > 0 &&
         call.text.find(payload) != std::string::npos;
}

}  // namespace

std::vector<Call> parse_trace(std::string_view text) {
  std::vector<Call> calls;
  std::map<std::string, Call, std::less<>> halves;  // by thread
  for (std::size_t number = 0; !text.empty(); ++number) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    const std::string thread(take_word(line));
    take_word(line);  // the time
    if (line.starts_with(kResumedHead)) {
      auto half = halves.extract(thread);
      const std::size_t behind = line.find(kResumed);
      const auto result = result_of(line);
      if (!half.empty() && behind != std::string_view::npos && result) {
        Call call = std::move(half.mapped());
        call.text += line.substr(behind + kResumed.size());
        call.result = *result;
        call.end = number;
        calls.push_back(std::move(call));
      }
      continue;
    }
    std::optional<Call> call = begin_of(line);
    if (!call) {
      continue;
    }
    call->begin = number;
    if (line.ends_with(kUnfinished)) {
      call->text = line.substr(0, line.size() - kUnfinished.size());
      halves.insert_or_assign(thread, std::move(*call));
    } else if (const auto result = result_of(line)) {
      call->text = line;
      call->result = *result;
      call->end = number;
      calls.push_back(std::move(*call));
    }
  }
  std::ranges::sort(calls, {}, &Call::begin);
  return calls;
}

std::string find_unsynced_answer(const std::vector<Call>& calls, const Exchange& exchange) {
  const auto [arrival, answer] = find_ends(calls, exchange);
  if (arrival == nullptr || answer == nullptr) {
    return arrival == nullptr ? "the request was never read" : "the answer was never written";
  }
  bool is_written = false;
  for (const Call& write : calls) {
    if (write.begin <= arrival->end || !stores(write, exchange.payload)) {
      continue;
    }
    is_written = true;
    const bool is_synced = std::ranges::any_of(calls, [&](const Call& sync) {
      return syncs(sync) && sync.file == write.file && sync.result == 0 && sync.begin > write.end &&
             sync.end < answer->begin;
    });
    if (is_synced) {
      return {};
    }
  }
  const std::string where = " between line " + std::to_string(arrival->end) + " and line " +
                            std::to_string(answer->begin);
  return (is_written ? "no sync behind the write returned" : "nothing was written to a log file") +
         where;
}

}  // namespace weir::crash
