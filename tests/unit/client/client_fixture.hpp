#pragma once

#include "tests/unit/client/fake_broker.hpp"
#include "weir/client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace weir::sdk::test {

/// Opens once; waits for that at most as long as a test may hang.
class Latch {
 public:
  void open() {
    // Under the lock: who waits may destroy this as soon as it is open.
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  [[nodiscard]] bool wait() {
    std::unique_lock lock(mutex_);
    return opened_.wait_for(lock, std::chrono::seconds(20), [this] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
};

inline v1::PartitionPosition position(std::uint32_t partition, std::int64_t offset,
                                      std::int64_t high_watermark) {
  v1::PartitionPosition position;
  position.set_partition(partition);
  position.set_offset(offset);
  position.set_high_watermark(high_watermark);
  return position;
}

inline std::function<FakeBroker::Answer(FakeBroker::Peer&, const v1::Request&)> refuse_all(
    proto::Errc code) {
  return [code](FakeBroker::Peer& peer, const v1::Request& request) {
    v1::Response response;
    response.set_id(request.id());
    response.mutable_error()->set_code(static_cast<std::uint32_t>(code));
    peer.write(proto::FrameType::kResponse, response);
    return FakeBroker::Answer::kNothing;
  };
}

/// A client and the broker that it talks to.
class ClientTest : public testing::Test {
 protected:
  [[nodiscard]] ClientOptions fast_options() const {
    ClientOptions options(broker_.address());
    options.set_reconnect_backoff(std::chrono::milliseconds(5), std::chrono::milliseconds(20));
    options.set_connect_timeout(std::chrono::seconds(5));
    return options;
  }
  [[nodiscard]] Client connect() { return Client::connect(fast_options()).value(); }
  /// Requests are recorded and not answered.
  void swallow_requests() {
    broker_.with([&] {
      broker_.on_request = [](FakeBroker::Peer&, const v1::Request&) {
        return FakeBroker::Answer::kNothing;
      };
    });
  }
  /// Sends are recorded and not answered.
  void swallow_sends() {
    broker_.with([&] {
      broker_.on_send = [](FakeBroker::Peer&, const proto::Send&) {
        return FakeBroker::Answer::kNothing;
      };
    });
  }
  [[nodiscard]] bool wait_for_requests(std::size_t count) {
    return broker_.wait([&] { return broker_.requests.size() >= count; });
  }
  /// No code for a success; of a future as long as a test may hang.
  template <class T>
  static ErrorCode code_of(const Result<T>& result) {
    return result ? ErrorCode{} : result.error().code;
  }
  template <class T>
  static ErrorCode code_of(Future<T>& future) {
    return code_of(future.get(std::chrono::seconds(20)));
  }
  template <class T>
  static ErrorCode code_of(Future<T>&& future) {
    return code_of(future);
  }

  FakeBroker broker_;
};

}  // namespace weir::sdk::test
