#include "weir/future.hpp"

#include "tests/unit/client/coroutine.hpp"
#include "tests/unit/client/counted.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weir {
namespace {

using sdk::test::Counted;
using sdk::test::Detached;
using sdk::test::Owned;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Work that waits until the test runs it.
class Bench {
 public:
  [[nodiscard]] Executor executor() {
    return [this](UniqueFunction<void()> work) { work_.push_back(std::move(work)); };
  }
  std::size_t run() {
    std::vector<UniqueFunction<void()>> work = std::exchange(work_, {});
    for (UniqueFunction<void()>& piece : work) {
      piece();
    }
    return work.size();
  }

 private:
  std::vector<UniqueFunction<void()>> work_;
};

TEST(Future, IsAskedUntilTheAnswerIsThere) {
  Promise<std::string> promise;
  Future<std::string> future = promise.future();
  EXPECT_FALSE(future.is_ready());
  EXPECT_FALSE(future.wait_until(std::chrono::steady_clock::now()));
  EXPECT_EQ(future.get(milliseconds(0)).error().code, ErrorCode::kDeadlineExceeded);
  ASSERT_TRUE(future.valid());
  promise.set(std::string("x"));
  EXPECT_TRUE(future.is_ready());
  EXPECT_EQ(future.get(milliseconds(0)).value(), "x");
  EXPECT_FALSE(future.valid());
}

TEST(Future, GivesItsResultOnce) {
  Future<int> future{Result<int>(3)};
  EXPECT_EQ(future.get().value(), 3);
  EXPECT_EQ(future.get().error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(future.get(seconds(1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(future.is_ready());
  EXPECT_FALSE(future.wait_until(std::chrono::steady_clock::now()));
  int code = 0;
  static_cast<void>(std::move(future).then(
      [&code](const Result<int>& result) { code = static_cast<int>(result.error().code); }));
  EXPECT_EQ(code, static_cast<int>(ErrorCode::kInvalidArgument));
}

TEST(Future, LearnsThatNobodyWillAnswer) {
  Future<int> future;
  {
    Promise<int> promise;
    future = promise.future();
  }
  EXPECT_EQ(future.get().error().code, ErrorCode::kCancelled);
}

TEST(Future, CarriesWhatIsOnlyMovable) {
  Promise<std::unique_ptr<int>> promise;
  Future<std::unique_ptr<int>> future = promise.future();
  promise.set(std::make_unique<int>(4));
  EXPECT_EQ(*future.get().value(), 4);
}

TEST(Future, WakesWhoWaits) {
  for (int i = 0; i < 100; ++i) {
    Promise<> promise;
    Future<> future = promise.future();
    std::thread answering([promise = std::move(promise)]() mutable { promise.set({}); });
    EXPECT_TRUE(i % 2 == 0 ? future.get() : future.get(seconds(20)));
    answering.join();
  }
}

TEST(Future, MayBeDroppedBesideItsAnswer) {
  for (int i = 0; i < 100; ++i) {
    Promise<std::shared_ptr<int>> promise;
    std::optional<Future<std::shared_ptr<int>>> future = promise.future();
    const auto value = std::make_shared<int>(i);
    std::thread answering(
        [promise = std::move(promise), value]() mutable { promise.set(std::move(value)); });
    future.reset();
    answering.join();
    EXPECT_EQ(value.use_count(), 1);
  }
}

// ---- then

TEST(FutureThen, GivesAFutureOfWhatIsReturned) {
  Promise<int> promise;
  Promise<std::string> inner;
  Future<std::string> future =
      promise.future()
          .then([](Result<int> result) { return *result + 1; })
          .then([](Result<int> result) -> Result<std::string> { return std::to_string(*result); })
          .then([&inner](const Result<std::string>& result) {
            EXPECT_EQ(*result, "8");
            return inner.future();
          });
  promise.set(7);
  EXPECT_FALSE(future.is_ready());
  inner.set(std::string("end"));
  EXPECT_EQ(future.get().value(), "end");
}

TEST(FutureThen, RunsAtOnceWhenTheAnswerIsThere) {
  bool ran = false;
  const Future<> done =
      Future<int>(Result<int>(1)).then([&ran](const Result<int>&) { ran = true; });
  EXPECT_TRUE(ran);
  EXPECT_TRUE(done.is_ready());
}

TEST(FutureThen, TurnsWhatIsThrownIntoAnError) {
  const auto thrown = [](auto continuation) {
    Promise<int> promise;
    auto future = promise.future().then(std::move(continuation));
    promise.set(Error(ErrorCode::kQueueFull, "full"));
    return future.get().error();
  };
  EXPECT_EQ(thrown([](Result<int> result) { return result.value(); }).code, ErrorCode::kQueueFull);
  const Error other = thrown([](const Result<int>&) { throw std::runtime_error("oops"); });
  EXPECT_EQ(other.code, ErrorCode::kCancelled);
  EXPECT_THAT(other.message, testing::HasSubstr("oops"));
  EXPECT_EQ(thrown([](const Result<int>&) -> Result<int> { throw 1; }).code, ErrorCode::kCancelled);
}

TEST(FutureThen, RunsAlsoWhenItsOwnFutureIsDropped) {
  Promise<int> promise;
  int seen = 0;
  static_cast<void>(promise.future().then([&seen](Result<int> result) { seen = *result; }));
  promise.set(5);
  EXPECT_EQ(seen, 5);
}

TEST(FutureThen, RunsOnceBesideTheAnswer) {
  for (int i = 0; i < 100; ++i) {
    Promise<int> promise;
    Future<int> future = promise.future();
    std::thread answering([promise = std::move(promise), i]() mutable { promise.set(i); });
    std::atomic<int> runs = 0;
    Future<int> twice = std::move(future).then([&runs](Result<int> result) {
      ++runs;
      return 2 * *result;
    });
    EXPECT_EQ(twice.get().value(), 2 * i);
    EXPECT_EQ(runs, 1);
    answering.join();
  }
}

TEST(FutureVia, GoesOnThereWhetherTheAnswerIsThereOrNot) {
  Bench bench;
  int runs = 0;
  const auto count = [&runs](const Result<int>&) { ++runs; };
  static_cast<void>(Future<int>(Result<int>(1)).via(bench.executor()).then(count));
  Promise<int> promise;
  static_cast<void>(promise.future().via(bench.executor()).then(count));
  promise.set(1);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(bench.run(), 2U);
  EXPECT_EQ(runs, 2);
}

TEST(FutureVia, SaysThereThatTheFutureIsUsedUp) {
  Bench bench;
  ErrorCode code{};
  Future<int>().via(bench.executor()).deliver_to([&code](const Result<int>& result) {
    code = result.error().code;
  });
  EXPECT_EQ(code, ErrorCode{});
  bench.run();
  EXPECT_EQ(code, ErrorCode::kInvalidArgument);
}

TEST(FutureVia, LetsWhatIsThrownOutThroughTheExecutor) {
  Bench bench;
  Promise<int> promise;
  promise.future().via(bench.executor()).deliver_to([](const Result<int>&) {
    throw std::runtime_error("receiver");
  });
  promise.set(1);
  EXPECT_THROW(bench.run(), std::runtime_error);
}

// ---- co_await

Detached await_into(Future<int> future, Result<int>& result, std::thread::id& thread) {
  result = co_await std::move(future);
  thread = std::this_thread::get_id();
}

TEST(FutureCoAwait, GoesOnWhereTheAnswerComes) {
  Promise<int> promise;
  Result<int> result = 0;
  std::thread::id thread;
  await_into(promise.future(), result, thread);
  EXPECT_EQ(thread, std::thread::id());
  std::thread answering([&promise] { promise.set(9); });
  const std::thread::id expected = answering.get_id();
  answering.join();
  EXPECT_EQ(result.value(), 9);
  EXPECT_EQ(thread, expected);
}

TEST(FutureCoAwait, DoesNotWaitForAnAnswerThatIsThere) {
  Result<int> result = 0;
  std::thread::id thread;
  await_into(Future<int>(Result<int>(2)), result, thread);
  EXPECT_EQ(result.value(), 2);
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST(FutureCoAwait, SaysThatTheFutureIsUsedUp) {
  Result<int> result = 0;
  std::thread::id thread;
  await_into(Future<int>(), result, thread);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
}

TEST(FutureCoAwait, GoesOnThereAfterVia) {
  Bench bench;
  Promise<int> promise;
  Result<int> first = 0;
  Result<int> second = 0;
  std::thread::id thread;
  await_into(promise.future().via(bench.executor()), first, thread);
  await_into(Future<int>(Result<int>(2)).via(bench.executor()), second, thread);
  std::thread answering([&promise] { promise.set(1); });
  answering.join();
  EXPECT_EQ(thread, std::thread::id());
  bench.run();
  EXPECT_EQ(first.value(), 1);
  EXPECT_EQ(second.value(), 2);
  EXPECT_EQ(thread, std::this_thread::get_id());
}

Detached await_and_tell(Future<int> waited, int expected, Promise<> done) {
  const Result<int> result = co_await std::move(waited);
  EXPECT_EQ(result.value(), expected);
  done.set({});
}

TEST(FutureCoAwait, GoesOnOnceBesideTheAnswer) {
  for (int i = 0; i < 100; ++i) {
    Promise<int> promise;
    Future<int> future = promise.future();
    Promise<> resumed;
    Future<> is_resumed = resumed.future();
    std::thread answering([promise = std::move(promise), i]() mutable { promise.set(i); });
    await_and_tell(std::move(future), i, std::move(resumed));
    EXPECT_TRUE(is_resumed.get(seconds(20)));
    answering.join();
  }
}

Owned await_and_count(Future<int> future, int& resumed) {
  static_cast<void>(co_await std::move(future));
  ++resumed;
}

TEST(FutureCoAwait, DoesNotResumeACoroutineThatIsGone) {
  Bench bench;
  int resumed = 0;
  Promise<int> early;
  Promise<int> on_its_way;
  {
    const Owned first = await_and_count(early.future(), resumed);
    const Owned second = await_and_count(on_its_way.future().via(bench.executor()), resumed);
    on_its_way.set(1);
  }
  early.set(1);
  EXPECT_EQ(bench.run(), 1U);
  EXPECT_EQ(resumed, 0);
}

// ---- temporaries in the awaiting expression: g++ 12 destroys some kinds of them twice

class Settings {
 public:
  Settings(Counted counted) : counted_(std::move(counted)) {}  // NOLINT: as options convert
  [[nodiscard]] int number() const { return counted_.number(); }

 private:
  Counted counted_;
};

Future<Counted> sum_of(Counted left, const Settings& right, std::vector<Promise<Counted>>& open) {
  Promise<Counted> promise;
  Future<Counted> future = promise.future();
  Future<Counted> sum = std::move(future).then(
      [sum = left.number() + right.number()](Result<Counted> more) -> Result<Counted> {
        return Counted(sum + more->number());
      });
  open.push_back(std::move(promise));
  return sum;
}

int add(const Result<Counted>& left, Result<Counted> right) {
  return left->number() + right->number();
}

Detached await_temporaries(std::vector<Promise<Counted>>& open, std::vector<int>& seen) {
  const Result<Counted> named = co_await sum_of(Counted(1), Counted(2), open);
  seen.push_back(named->number());
  seen.push_back((co_await sum_of(Counted(2), Settings(Counted(2)), open)).value().number());
  if ((co_await sum_of(Counted(3), Counted(2), open)).has_value()) {
    seen.push_back(5);
  }
  const Counted kept(4);
  seen.push_back(add(co_await sum_of(kept, kept, open), co_await sum_of(kept, kept, open)));
  const auto twice = [&kept](Result<Counted> result) {
    return Counted(2 * result->number() + kept.number());
  };
  seen.push_back((co_await sum_of(kept, kept, open).then(twice))->number());
  Future<Counted> future = sum_of(kept, Counted(5), open);
  const Counted last = (co_await std::move(future)).value();
  seen.push_back(last.number());
}

TEST(FutureCoAwait, DestroysEachTemporaryOnce) {
  {
    std::vector<Promise<Counted>> open;
    std::vector<int> seen;
    await_temporaries(open, seen);
    for (std::size_t next = 0; next < open.size(); ++next) {
      Promise<Counted> promise = std::move(open[next]);
      promise.set(Counted(0));
    }
    EXPECT_THAT(seen, testing::ElementsAre(3, 4, 5, 16, 20, 9));
    EXPECT_GT(Counted::made.load(), 0);
  }
  EXPECT_EQ(Counted::made.load(), Counted::destroyed.load());
}

}  // namespace
}  // namespace weir
