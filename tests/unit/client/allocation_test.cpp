#include "tests/unit/client/client_fixture.hpp"
#include "weir/weir.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <stop_token>
#include <vector>

// What the faces of a send cost in allocations, on the thread that sends.
namespace {

thread_local std::size_t allocations = 0;

void* allocate(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes);
}
void* operator new[](std::size_t bytes) {
  return allocate(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace weir::sdk {
namespace {

class AllocationTest : public test::ClientTest {
 protected:
  static constexpr std::size_t kSends = 2'000;

  AllocationTest() {
    // What is sent stays in the buffer: the batch that it gathers in grows now and then, and the
    // I/O thread is woken for it.
    broker_.with([&] {
      broker_.on_send = [](test::FakeBroker::Peer&, const proto::Send&) {
        return test::FakeBroker::Answer::kNothing;
      };
    });
  }

  /// Allocations of one send, without those of the batch and of wakes.
  template <class Send>
  std::size_t per_send(Send send) {
    const std::size_t before = allocations;
    for (std::size_t i = 0; i < kSends; ++i) {
      send();
    }
    const std::size_t spent = allocations - before;
    client_.close(std::chrono::milliseconds(0));
    EXPECT_LT(spent % kSends, kSends / 2);
    return spent / kSends;
  }

  Client client_ = connect();
  Producer producer_ = client_.queue_producer("q", {}).value();
};

TEST_F(AllocationTest, ASendWithACallbackAllocatesNothing) {
  std::size_t answers = 0;
  EXPECT_EQ(
      per_send([&] {
        ASSERT_TRUE(producer_.send("x", [&answers](const Result<SendReceipt>&) { ++answers; }));
      }),
      0);
}

TEST_F(AllocationTest, ASendWithAFutureAllocatesItsState) {
  std::vector<Future<SendReceipt>> futures;
  futures.reserve(kSends);
  EXPECT_EQ(per_send([&] { futures.push_back(producer_.async_send("x")); }), 1U);
}

TEST_F(AllocationTest, ASendThatCanBeStoppedAllocatesOnceMore) {
  const std::stop_source source;
  std::vector<Future<SendReceipt>> futures;
  futures.reserve(kSends);
  EXPECT_EQ(per_send([&] { futures.push_back(producer_.async_send("x", source.get_token())); }), 2);
}

}  // namespace
}  // namespace weir::sdk
