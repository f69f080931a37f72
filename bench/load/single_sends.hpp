#pragma once

#include "bench/load/histogram.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/workload.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir::bench {

/// One blocking send after the other for as long as `go_on` says, which hears how many there were.
template <class Condition>
[[nodiscard]] proto::Result<> send_while(Producer& producer, Histogram& histogram,
                                         std::size_t payload_bytes, Condition go_on) {
  Payload payload(payload_bytes);
  for (std::uint64_t number = 0; go_on(number); ++number) {
    const std::int64_t from = now_ns();
    const Result<SendReceipt> sent = producer.send(MessageView(payload.make(number, from)));
    if (!sent) {
      return to_error(sent.error());
    }
    histogram.record(std::chrono::nanoseconds(now_ns() - from));
  }
  return {};
}

}  // namespace weir::bench
