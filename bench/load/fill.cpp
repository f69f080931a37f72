#include "bench/load/fill.hpp"

#include "bench/load/payload.hpp"

#include <atomic>
#include <chrono>

namespace weir::bench {

proto::Result<> fill_queue(Client& client, const std::string& queue, std::uint64_t messages,
                           std::size_t payload_bytes, const Traits& traits) {
  if (const auto created = client.create_queue(queue, QueueSettings()); !created) {
    return to_error(created.error());
  }
  Result<Producer> producer = client.queue_producer(queue, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  std::atomic<std::uint64_t> refused = 0;
  Payload payload(payload_bytes);
  Names names(traits);
  for (std::uint64_t number = 0; number < messages; ++number) {
    MessageView message(payload.make(number, now_ns()));
    names.put_on(message, number);
    const Result<> taken = producer->send(
        message, [&refused](const Result<SendReceipt>& sent) { refused += sent ? 0 : 1; });
    if (!taken) {
      return to_error(taken.error());
    }
  }
  constexpr std::chrono::minutes kFillPatience{5};
  const Result<> flushed = producer->flush(kFillPatience);
  if (!flushed) {
    return to_error(flushed.error());
  }
  if (refused > 0) {
    return proto::fail(proto::Errc::kInternal, std::to_string(refused) + " sends were not stored");
  }
  return {};
}

}  // namespace weir::bench
