// One step of a pipeline: takes orders from a queue and sends an invoice for each to the next one,
// until SIGINT:
//
//     weir queue create invoices
//     ./pipeline orders invoices
//
// An order is acknowledged when its invoice is on disk, so a crash at any moment loses neither. It
// may repeat an invoice: who handles invoices must be ready to see one twice, as behind any queue.
#include "example.hpp"
#include "weir/weir.hpp"

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace {

std::string invoice_for(const weir::Delivery& order) {
  return "invoice for " + std::string(order.body());
}

void forward(const std::string& orders, const std::string& invoices, const std::stop_token& stop) {
  auto client = connect();
  auto next = client.queue_producer(invoices, weir::ProducerOptions()).value();

  // Runs on the client's I/O thread and waits for nothing: sends are under way for as many orders
  // as the window lets in.
  auto handler = [&next](weir::Delivery order) {
    auto sent = next.async_send(invoice_for(order));
    std::move(sent).deliver_to(
        [order = std::move(order)](weir::Result<weir::SendReceipt> stored) mutable {
          if (stored) {
            order.ack();
            return;
          }
          std::fprintf(stderr, "pipeline: %s\n", stored.error().to_string().c_str());
          order.nack(std::chrono::seconds(1));
        });
  };
  auto consumer = client.subscribe(orders, weir::ConsumerOptions(), std::move(handler)).value();

  wait_for(stop);
  consumer.close();  // no handler runs any more
  client.close();    // waits for the sends that are under way and for their acknowledgements
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = stop_on_signal();
  try {
    forward(argc > 1 ? argv[1] : "orders", argc > 2 ? argv[2] : "invoices", stop);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pipeline: %s\n", error.what());
    return 1;
  }
}
