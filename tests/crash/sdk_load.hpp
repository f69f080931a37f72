#pragma once

#include "proto/result.hpp"
#include "tests/crash/oracle.hpp"
#include "weir/client.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace weir::crash {

/// A producer and a consumer of one queue, and a reader of one topic's partition, on the client
/// library, which has to find the broker again by itself after each kill. Its threads are its own;
/// the functions are for one thread.
class SdkLoad {
 public:
  /// `queue` and `topic` exist; `topic` is read by nobody else.
  SdkLoad(Oracle& queue, Oracle& topic, std::uint32_t partition);
  SdkLoad(const SdkLoad&) = delete;
  SdkLoad& operator=(const SdkLoad&) = delete;
  /// close().
  ~SdkLoad();

  proto::Result<> open(std::uint16_t port);

  /// Stops sending and waits until each send is answered.
  proto::Result<> finish_sending();
  /// Offset of the next record that the reader expects.
  [[nodiscard]] std::int64_t read_to() const { return next_record_.load(); }
  void close();

  /// Sends and deliveries that are not answered.
  [[nodiscard]] std::uint64_t unanswered_sends() const { return sends_.load(); }
  /// What must not happen: a refusal, a gap in the topic. Empty: nothing did.
  [[nodiscard]] std::string trouble() const;

 private:
  void send_all();
  void on_delivery(Delivery delivery);
  void on_record(const Record& record);
  void report(const std::string& what);

  Oracle& queue_;
  Oracle& topic_;
  const std::uint32_t partition_;
  std::optional<Client> client_;
  std::optional<Producer> producer_;
  std::optional<QueueConsumer> consumer_;
  std::optional<TopicReader> reader_;
  std::thread sender_;
  std::atomic<bool> stopping_ = false;  // nothing more is sent
  std::atomic<bool> closing_ = false;   // what is open then may fail
  std::atomic<std::uint64_t> sends_ = 0;
  std::atomic<std::int64_t> next_record_ = 0;
  std::uint64_t handled_ = 0;  // on the client's thread
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  std::string trouble_;  // guarded by mutex_
};

/// Reads a partition from its start to `end` over a new connection and shows each record to
/// `oracle`. INTERNAL: a gap, a record out of order, or an end that does not come.
proto::Result<> read_back(std::uint16_t port, const std::string& topic, std::uint32_t partition,
                          std::int64_t end, Oracle& oracle);

}  // namespace weir::crash
