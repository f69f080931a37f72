// All in one coroutine: takes orders from a queue one by one and publishes a shipment for each to a
// topic, until SIGINT:
//
//     weir topic create shipments
//     ./coroutine orders shipments
//
// Behind each co_await it goes on on the client's I/O thread, which it must not block: whoever has
// to compute for long goes on elsewhere with Future::via(), or takes a pool of workers
// (worker.cpp).
#include "example.hpp"
#include "weir/weir.hpp"

#include <coroutine>
#include <cstdio>
#include <exception>
#include <future>
#include <string>

namespace {

// The library's futures can be awaited in coroutines of any type. This is the least of them: it
// runs at once, and nobody waits for it but by what it tells.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    [[noreturn]] void unhandled_exception() { std::terminate(); }
  };
};

// Success once it is stopped; else the error that it could not get over.
weir::Result<> end_of(const weir::Error& error) {
  return error.code == weir::ErrorCode::kCancelled ? weir::Result<>() : weir::Result<>(error);
}

Task ship(std::string orders, std::string shipments, std::stop_token stop,
          std::promise<weir::Result<>> ended) {
  auto client = co_await weir::Client::async_connect(client_options(), stop);
  if (!client) {
    ended.set_value(end_of(client.error()));
    co_return;
  }
  auto consumer = co_await client->async_subscribe(orders);
  auto producer = co_await client->async_topic_producer(shipments);
  weir::Result<> end;
  if (!consumer || !producer) {
    end = consumer ? producer.error() : consumer.error();
  }
  while (end) {
    auto order = co_await consumer->async_next(stop);
    if (!order) {
      end = end_of(order.error());
      break;
    }
    if (!*order) {
      continue;  // none came for a while
    }
    weir::Message shipment("shipment of " + std::string((*order)->body()));
    auto stored = co_await producer->async_send(shipment);
    if (stored) {
      (*order)->ack();
    } else {
      std::fprintf(stderr, "coroutine: %s\n", stored.error().to_string().c_str());
      (*order)->nack(std::chrono::seconds(1));
    }
  }
  // Waits for acknowledgements that are under way.
  const weir::Result<> closed = co_await client->async_close();
  ended.set_value(end ? closed : end);
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = stop_on_signal();
  std::promise<weir::Result<>> ended;
  auto end = ended.get_future();
  ship(argc > 1 ? argv[1] : "orders", argc > 2 ? argv[2] : "shipments", stop, std::move(ended));
  const weir::Result<> result = end.get();
  if (!result) {
    std::fprintf(stderr, "coroutine: %s\n", result.error().to_string().c_str());
    return 1;
  }
  return 0;
}
