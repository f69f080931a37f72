#include "weir/client.hpp"

#include "client/core/address.hpp"
#include "client/core/convert.hpp"
#include "client/net/client_calls.hpp"
#include "client/net/io_thread.hpp"
#include "client/session/awaited.hpp"
#include "client/session/consumer_front.hpp"
#include "client/session/engine.hpp"
#include "client/session/pending_call.hpp"
#include "client/session/producer_front.hpp"
#include "client/session/reader_front.hpp"
#include "client/session/receive.hpp"
#include "client/workers/worker_crew.hpp"
#include "proto/limits.hpp"
#include "proto/settlement.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace weir {
namespace {

using sdk::check_queue;
using sdk::check_topic;
using sdk::to_public;
using sdk::wait;

constexpr std::uint32_t kMaxConcurrency = 1'000;
static_assert(Client::kMaxSettlements == proto::kMaxSettlesPerRequest);

// The application's handle on a front: when its last copy goes, the front closes. The session goes
// on with it for as long as there is something to finish.
template <class Front>
std::shared_ptr<Front> handle_on(std::shared_ptr<Front> front) {
  Front* const plain = front.get();
  return std::shared_ptr<Front>(plain, [front = std::move(front)](Front*) { front->close(); });
}

// Puts a front to work; the future has its handle once the broker has accepted it. A handle that
// nobody takes closes the front, on the I/O thread as the rest of this.
template <class Handle, class Front>
Future<Handle> open(const std::shared_ptr<sdk::Engine>& engine, std::shared_ptr<Front> front,
                    const CallOptions& call) {
  Promise<Handle> promise;
  Future<Handle> future = promise.future();
  const auto deadline = engine->deadline_of(call, engine->options().overall_timeout());
  engine->post([front = std::move(front), deadline, stop = call.stop_token(),
                promise = std::move(promise)](sdk::Session& session) mutable {
    session.add(front);
    sdk::Awaited<>& ready = front->ready();
    ready.wait(deadline, stop)
        .deliver_to([handle = handle_on(std::move(front)),
                     promise = std::move(promise)](Result<> accepted) mutable {
          promise.set(accepted ? Result<Handle>(Handle(std::move(handle)))
                               : Result<Handle>(std::move(accepted).error()));
        });
  });
  return future;
}

Future<Producer> open_producer(const std::shared_ptr<sdk::Engine>& engine,
                               sdk::ProducerFront::Destination destination,
                               const ProducerOptions& options, const CallOptions& call) {
  return open<Producer>(
      engine, std::make_shared<sdk::ProducerFront>(engine, std::move(destination), options), call);
}

v1::SettleAction action_of(proto::SettleKind kind) {
  using proto::SettleKind;
  switch (kind) {
    case SettleKind::kNack:
      return v1::SETTLE_ACTION_NACK;
    case SettleKind::kRelease:
      return v1::SETTLE_ACTION_RELEASE;
    case SettleKind::kPoison:
      return v1::SETTLE_ACTION_POISON;
    case SettleKind::kTransient:
      return v1::SETTLE_ACTION_TRANSIENT;
    case SettleKind::kNotNow:
      return v1::SETTLE_ACTION_NOT_NOW;
    case SettleKind::kExtend:
      return v1::SETTLE_ACTION_EXTEND;
    default:
      return v1::SETTLE_ACTION_ACK;
  }
}

void fill(v1::SettleByHandle& wire, const Settlement& settlement) {
  wire.set_handle(settlement.handle());
  const sdk::SettleWord word = settlement.lease() ? sdk::to_extension(*settlement.lease())
                                                  : sdk::to_word(settlement.outcome());
  const bool by_policy = word.value == proto::kDelayByPolicy;
  wire.set_action(action_of(word.kind));
  wire.set_value_ms(by_policy ? 0 : word.value);
  wire.set_by_policy(by_policy);
  wire.set_reason(word.reason);
}

Future<> settle_one(const std::shared_ptr<sdk::Engine>& engine, const Settlement& settlement,
                    const CallOptions& call) {
  v1::Request request;
  fill(*request.mutable_settle_by_handle(), settlement);
  return sdk::ask<void>(engine, std::move(request), call, /*changes_something=*/true,
                        sdk::nothing_of);
}

}  // namespace

Client::Client(std::shared_ptr<sdk::Engine> engine) : engine_(std::move(engine)) {}

Client::Client(Client&& other) noexcept = default;

Client& Client::operator=(Client&& other) noexcept {
  if (this != &other) {
    close();
    engine_ = std::move(other.engine_);
  }
  return *this;
}

Client::~Client() {
  close();
}

Result<Client> Client::create(ClientOptions options) {
  proto::Result<sdk::Address> address = sdk::parse_address(options.address());
  if (!address) {
    return to_public(address.error());
  }
  return Client(sdk::IoThread::start(std::move(options), std::move(*address)));
}

Result<Client> Client::connect(ClientOptions options, const CallOptions& call) {
  Result<Client> client = create(std::move(options));
  if (!client) {
    return client;
  }
  sdk::Engine& engine = *client->engine_;
  Result<> connected = wait(engine, call, false, [&] {
    Promise<> answer;
    Future<> future = answer.future();
    engine.when_connected(call, std::move(answer));
    return future;
  });
  if (!connected) {
    return std::move(connected).error();
  }
  return client;
}

Future<Client> Client::async_connect(ClientOptions options, const CallOptions& call) {
  Result<Client> created = create(std::move(options));
  if (!created) {
    return Future<Client>(std::move(created).error());
  }
  const std::shared_ptr<sdk::Engine> engine = created->engine_;
  Promise<> answer;
  Future<Client> connecting = answer.future().then(
      [client = std::move(*created)](Result<> connected) mutable -> Future<Client> {
        if (connected) {
          return Future<Client>(std::move(client));
        }
        // Told at the end of its thread, so that nothing of it is left.
        Promise<Client> failed;
        Future<Client> failure = failed.future();
        client.async_close().deliver_to(
            [failed = std::move(failed), why = std::move(connected).error()](
                const Result<>&) mutable { failed.set(std::move(why)); });
        return failure;
      });
  // What goes on then is in place: it runs on the I/O thread, where a client's end does not wait.
  engine->when_connected(call, std::move(answer));
  return connecting;
}

void Client::close() {
  if (engine_) {
    close(engine_->options().drain_timeout());
  }
}

void Client::close(Milliseconds drain) {
  if (engine_) {
    engine_->close(drain);
  }
}

Future<> Client::async_close() {
  return engine_ ? async_close(engine_->options().drain_timeout()) : Future<>(Result<>());
}

Future<> Client::async_close(Milliseconds drain) {
  return engine_ ? engine_->async_close(drain) : Future<>(Result<>());
}

bool Client::connected() const {
  return engine_->connected();
}

// ---- producers, consumers, readers

Result<Producer> Client::queue_producer(std::string_view queue, const ProducerOptions& options,
                                        const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_queue_producer(queue, options, call); });
}

Future<Producer> Client::async_queue_producer(std::string_view queue,
                                              const ProducerOptions& options,
                                              const CallOptions& call) {
  if (Result<> checked = check_queue(queue); !checked) {
    return Future<Producer>(std::move(checked).error());
  }
  if (options.compression() != Compression::kNone) {
    return Future<Producer>(
        Error(ErrorCode::kInvalidArgument,
              "a queue hands out single messages of a batch: it takes no compressed batches"));
  }
  sdk::ProducerFront::Destination destination;
  destination.name = queue;
  return open_producer(engine_, std::move(destination), options, call);
}

Result<Producer> Client::topic_producer(std::string_view topic, const ProducerOptions& options,
                                        const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_topic_producer(topic, options, call); });
}

Future<Producer> Client::async_topic_producer(std::string_view topic,
                                              const ProducerOptions& options,
                                              const CallOptions& call) {
  if (Result<> checked = check_topic(topic); !checked) {
    return Future<Producer>(std::move(checked).error());
  }
  sdk::ProducerFront::Destination destination;
  destination.name = topic;
  destination.is_topic = true;
  return open_producer(engine_, std::move(destination), options, call);
}

Result<QueueConsumer> Client::subscribe(std::string_view queue, const ConsumerOptions& options,
                                        DeliveryHandler handler, const CallOptions& call) {
  return wait(*engine_, call, false,
              [&] { return async_subscribe(queue, options, std::move(handler), call); });
}

Future<QueueConsumer> Client::async_subscribe(std::string_view queue,
                                              const ConsumerOptions& options,
                                              DeliveryHandler handler, const CallOptions& call) {
  if (Result<> checked = check_queue(queue); !checked) {
    return Future<QueueConsumer>(std::move(checked).error());
  }
  return open<QueueConsumer>(engine_,
                             std::make_shared<sdk::ConsumerFront>(engine_, std::string(queue),
                                                                  options, std::move(handler)),
                             call);
}

Result<QueueConsumer> Client::subscribe(std::string_view queue, const ConsumerOptions& options,
                                        const CallOptions& call) {
  return subscribe(queue, options, nullptr, call);
}

Future<QueueConsumer> Client::async_subscribe(std::string_view queue,
                                              const ConsumerOptions& options,
                                              const CallOptions& call) {
  return async_subscribe(queue, options, nullptr, call);
}

Result<WorkerPool> Client::start_workers(std::string_view queue, const WorkerPoolOptions& options,
                                         WorkHandler handler, const CallOptions& call) {
  return wait(*engine_, call, false,
              [&] { return async_start_workers(queue, options, std::move(handler), call); });
}

Future<WorkerPool> Client::async_start_workers(std::string_view queue,
                                               const WorkerPoolOptions& options,
                                               WorkHandler handler, const CallOptions& call) {
  if (options.concurrency() < 1 || options.concurrency() > kMaxConcurrency) {
    return Future<WorkerPool>(Error(ErrorCode::kInvalidArgument,
                                    "a pool has 1 to " + std::to_string(kMaxConcurrency) +
                                        " workers, not " + std::to_string(options.concurrency())));
  }
  ConsumerOptions consumer_options;
  consumer_options.set_window_messages(sdk::WorkerCrew::first_window(options))
      .set_window_bytes(options.window_bytes())
      .set_max_hold(options.max_hold());
  if (options.lease()) {
    consumer_options.set_lease(*options.lease());
  }
  auto start = [engine = engine_, options, handler = std::move(handler)](
                   Result<QueueConsumer> consumer) mutable -> Result<WorkerPool> {
    if (!consumer) {
      return std::move(consumer).error();
    }
    auto crew = std::make_shared<sdk::WorkerCrew>(std::move(*consumer), options, std::move(handler),
                                                  engine);
    if (Result<> started = crew->start(); !started) {
      return std::move(started).error();
    }
    return WorkerPool(std::move(crew));
  };
  return async_subscribe(queue, consumer_options, call).then(std::move(start));
}

Result<TopicReader> Client::read_topic(std::string_view topic, const ReaderOptions& options,
                                       RecordHandler handler, const CallOptions& call) {
  return wait(*engine_, call, false,
              [&] { return async_read_topic(topic, options, std::move(handler), call); });
}

Future<TopicReader> Client::async_read_topic(std::string_view topic, const ReaderOptions& options,
                                             RecordHandler handler, const CallOptions& call) {
  if (Result<> checked = check_topic(topic); !checked) {
    return Future<TopicReader>(std::move(checked).error());
  }
  return open<TopicReader>(
      engine_,
      std::make_shared<sdk::ReaderFront>(engine_, std::string(topic), options, std::move(handler)),
      call);
}

Result<TopicReader> Client::read_topic(std::string_view topic, const ReaderOptions& options,
                                       const CallOptions& call) {
  return read_topic(topic, options, nullptr, call);
}

Future<TopicReader> Client::async_read_topic(std::string_view topic, const ReaderOptions& options,
                                             const CallOptions& call) {
  return async_read_topic(topic, options, nullptr, call);
}

// ---- single messages

Result<std::vector<Delivery>> Client::receive(std::string_view queue, const ReceiveOptions& options,
                                              const CallOptions& call) {
  const sdk::TimePoint deadline =
      engine_->deadline_of(call, options.wait() + engine_->options().request_timeout());
  return sdk::wait_for(*engine_, deadline, false,
                       [&] { return async_receive(queue, options, call); });
}

Future<std::vector<Delivery>> Client::async_receive(std::string_view queue,
                                                    const ReceiveOptions& options,
                                                    const CallOptions& call) {
  if (Result<> checked = check_queue(queue); !checked) {
    return Future<std::vector<Delivery>>(std::move(checked).error());
  }
  return sdk::receive(engine_, std::string(queue), options, call);
}

Result<> Client::ack(std::string_view handle, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_ack(handle, call); });
}

Future<> Client::async_ack(std::string_view handle, const CallOptions& call) {
  return settle_one(engine_, Settlement::ack(std::string(handle)), call);
}

Result<> Client::nack(std::string_view handle, Milliseconds delay, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_nack(handle, delay, call); });
}

Future<> Client::async_nack(std::string_view handle, Milliseconds delay, const CallOptions& call) {
  return settle_one(engine_, Settlement(std::string(handle), Outcome::nack(delay)), call);
}

Result<> Client::release(std::string_view handle, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_release(handle, call); });
}

Future<> Client::async_release(std::string_view handle, const CallOptions& call) {
  return settle_one(engine_, Settlement(std::string(handle), Outcome::release()), call);
}

Result<> Client::settle(std::string_view handle, const Outcome& outcome, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_settle(handle, outcome, call); });
}

Future<> Client::async_settle(std::string_view handle, const Outcome& outcome,
                              const CallOptions& call) {
  return settle_one(engine_, Settlement(std::string(handle), outcome), call);
}

Result<> Client::extend(std::string_view handle, Milliseconds lease, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_extend(handle, lease, call); });
}

Future<> Client::async_extend(std::string_view handle, Milliseconds lease,
                              const CallOptions& call) {
  return settle_one(engine_, Settlement::extend(std::string(handle), lease), call);
}

Result<std::vector<Result<>>> Client::settle_many(std::span<const Settlement> settlements,
                                                  const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_settle_many(settlements, call); });
}

Future<std::vector<Result<>>> Client::async_settle_many(std::span<const Settlement> settlements,
                                                        const CallOptions& call) {
  using Settled = Future<std::vector<Result<>>>;
  const std::size_t count = settlements.size();
  if (count > kMaxSettlements) {
    return Settled(Error(ErrorCode::kInvalidArgument,
                         "one call settles at most " + std::to_string(kMaxSettlements) +
                             " messages, not " + std::to_string(count)));
  }
  if (count == 0) {
    return Settled(std::vector<Result<>>());
  }
  v1::Request request;
  for (const Settlement& settlement : settlements) {
    fill(*request.mutable_settle_many_by_handle()->add_entries(), settlement);
  }
  return sdk::ask<std::vector<Result<>>>(
      engine_, std::move(request), call, /*changes_something=*/true,
      [count](const Result<v1::Response>& response) {
        return sdk::content_of<std::vector<Result<>>>(
            response, &v1::Response::has_settled_many,
            [&] { return sdk::outcomes_of(response->settled_many(), count); });
      });
}

Result<std::vector<Result<>>> Client::ack_many(std::span<const std::string> handles,
                                               const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_ack_many(handles, call); });
}

Future<std::vector<Result<>>> Client::async_ack_many(std::span<const std::string> handles,
                                                     const CallOptions& call) {
  std::vector<Settlement> settlements;
  settlements.reserve(handles.size());
  for (const std::string& handle : handles) {
    settlements.push_back(Settlement::ack(handle));
  }
  return async_settle_many(settlements, call);
}

}  // namespace weir
