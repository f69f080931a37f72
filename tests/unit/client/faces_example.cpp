#include "tests/unit/client/coroutine.hpp"
#include "weir/asio.hpp"
#include "weir/weir.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string_view>
#include <utility>

// The examples of client/README.md, as they stand there: a test compares the lines.
namespace weir::readme {

namespace asio = boost::asio;
using namespace std::chrono_literals;

void heard(const Result<SendReceipt>& result);
void run_in_pool(UniqueFunction<void()> work);
void on_event(const ClientEvent& event);
void on_log(LogLevel level, std::string_view line);
void on_metric(Metric metric, std::string_view subject, double value);
std::int64_t faces(Producer producer);
sdk::test::Detached in_a_coroutine(Producer producer);
sdk::test::Detached all_in_one();
asio::awaitable<std::int64_t> in_asio(Producer producer);
bool with_a_stop(Client& client, Producer producer);
ClientOptions with_hooks();

void heard(const Result<SendReceipt>&) {}
void run_in_pool(UniqueFunction<void()> work) {
  work();
}
void on_event(const ClientEvent&) {}
void on_log(LogLevel, std::string_view) {}
void on_metric(Metric, std::string_view, double) {}

// clang-format off
std::int64_t faces(Producer producer) {
    auto stored = producer.send("hello", 2s);                       // waits: a Result<SendReceipt>
    auto taken = producer.send("hello", heard);                  // calls heard(…) later
    weir::Future<SendReceipt> sent = producer.async_send("hello");  // a future; one allocation
    auto known = sent.get(100ms);        // DEADLINE_EXCEEDED: nothing known yet, ask again
    auto offset = std::move(sent).then([](Result<SendReceipt> r) { return r.value().offset; });
    return stored && taken && known ? offset.get().value_or(0) : -1;
}

sdk::test::Detached in_a_coroutine(Producer producer) {
    auto receipt = co_await producer.async_send("hello");           // in any C++20 coroutine
    auto elsewhere = co_await producer.async_send("hello").via(run_in_pool);
    heard(receipt ? elsewhere : receipt);
}

sdk::test::Detached all_in_one() {
    auto client = co_await weir::Client::async_connect(weir::ClientOptions("weir://localhost"));
    auto orders = co_await client->async_subscribe("orders", weir::ConsumerOptions(), 5s);
    auto order = co_await orders->async_next();
    auto closed = co_await client->async_close();
    static_cast<void>(order && closed);
}

asio::awaitable<std::int64_t> in_asio(Producer producer) {
    auto done = co_await weir::async_get(producer.async_send("hello"), asio::use_awaitable);
    co_return done->offset;
}

bool with_a_stop(Client& client, Producer producer) {
    std::stop_source shutdown;
    auto queue = client.describe_queue("work", shutdown.get_token());
    auto last = producer.send("bye", weir::CallOptions(2s).set_stop_token(shutdown.get_token()));
    return queue && last;
}

ClientOptions with_hooks() {
    weir::ClientOptions options("weir://127.0.0.1:7340");
    options.set_event_handler(on_event).set_log_handler(on_log).set_metric_handler(on_metric);
    return options;
}
// clang-format on

}  // namespace weir::readme
