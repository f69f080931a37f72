#include "tests/crash/sdk_load.hpp"

#include <chrono>
#include <utility>

namespace weir::crash {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMaxUnanswered = 400;
constexpr std::uint64_t kMaxOpenSdk = 20'000;
constexpr std::uint64_t kNackEvery = 13;
constexpr seconds kSendTime{120};
constexpr seconds kReadTime{60};

proto::Error broken(const std::string& what) {
  return proto::fail(proto::Errc::kInternal, what);
}

std::string address_of(std::uint16_t port) {
  return "weir://127.0.0.1:" + std::to_string(port);
}

}  // namespace

SdkLoad::SdkLoad(Oracle& queue, Oracle& topic, std::uint32_t partition)
    : queue_(queue), topic_(topic), partition_(partition) {}

SdkLoad::~SdkLoad() {
  close();
}

proto::Result<> SdkLoad::open(std::uint16_t port) {
  ClientOptions options(address_of(port));
  options.set_service("crash-sdk").set_reconnect_backoff(milliseconds(5), milliseconds(50));
  Result<Client> client = Client::connect(std::move(options));
  if (!client) {
    return broken("client: " + client.error().to_string());
  }
  client_.emplace(std::move(*client));
  ProducerOptions producing;
  producing.set_send_timeout(kSendTime);
  Result<Producer> producer = client_->queue_producer(queue_.destination(), producing);
  if (!producer) {
    return broken("producer: " + producer.error().to_string());
  }
  producer_ = std::move(*producer);
  Result<QueueConsumer> consumer =
      client_->subscribe(queue_.destination(), ConsumerOptions(),
                         [this](Delivery delivery) { on_delivery(std::move(delivery)); });
  if (!consumer) {
    return broken("consumer: " + consumer.error().to_string());
  }
  consumer_ = std::move(*consumer);
  ReaderOptions reading;
  reading.add_partition(partition_);
  Result<TopicReader> reader =
      client_->read_topic("log", reading, [this](const Record& record) { on_record(record); });
  if (!reader) {
    return broken("reader: " + reader.error().to_string());
  }
  reader_ = std::move(*reader);
  sender_ = std::thread([this] { send_all(); });
  return {};
}

void SdkLoad::send_all() {
  while (!stopping_.load()) {
    {
      std::unique_lock lock(mutex_);
      answered_.wait(lock, [this] {
        return stopping_.load() || (sends_.load() < kMaxUnanswered && queue_.open() < kMaxOpenSdk);
      });
    }
    if (stopping_.load()) {
      return;
    }
    const MessageNumber number = queue_.make();
    sends_.fetch_add(1);
    const Result<> taken = producer_->send(
        MessageView(queue_.make_body(number)), [this, number](const Result<SendReceipt>& receipt) {
          if (receipt) {
            queue_.acknowledged(number, receipt->offset);
          } else {
            report("a send failed: " + receipt.error().to_string());
          }
          const std::scoped_lock lock(mutex_);
          sends_.fetch_sub(1);
          answered_.notify_all();
        });
    if (!taken) {
      sends_.fetch_sub(1);
      report("a send was not taken: " + taken.error().to_string());
      return;
    }
  }
}

void SdkLoad::on_delivery(Delivery delivery) {
  const auto number = queue_.delivered(delivery.body(), delivery.offset(), delivery.attempt() - 1);
  if (!number) {
    delivery.ack();
    return;
  }
  if (++handled_ % kNackEvery == 0) {
    delivery.nack(milliseconds(10));
    return;
  }
  delivery.ack([this, number = *number](const Result<>& durable) {
    if (durable) {
      queue_.settled(number);
      const std::scoped_lock lock(mutex_);
      answered_.notify_all();
    } else if (durable.error().code != ErrorCode::kReceiptExpired) {
      report("an ack failed: " + durable.error().to_string());
    }
  });
}

void SdkLoad::on_record(const Record& record) {
  if (record.offset() != next_record_.load()) {
    report("the reader got offset " + std::to_string(record.offset()) + " in place of " +
           std::to_string(next_record_.load()));
  }
  topic_.delivered(record.value().value_or(std::string_view()), record.offset(), 0);
  next_record_.store(record.offset() + 1);
}

proto::Result<> SdkLoad::finish_sending() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_.store(true);
  }
  answered_.notify_all();
  if (sender_.joinable()) {
    sender_.join();
  }
  std::unique_lock lock(mutex_);
  if (!answered_.wait_for(lock, kSendTime, [this] { return sends_.load() == 0; })) {
    return broken(std::to_string(sends_.load()) + " sends of the library were never answered");
  }
  return {};
}

void SdkLoad::close() {
  closing_.store(true);
  {
    const std::scoped_lock lock(mutex_);
    stopping_.store(true);
  }
  answered_.notify_all();
  if (sender_.joinable()) {
    sender_.join();
  }
  if (client_) {
    client_->close();
  }
}

std::string SdkLoad::trouble() const {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

void SdkLoad::report(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  if (trouble_.empty() && !closing_.load()) {
    trouble_ = what;
  }
}

proto::Result<> read_back(std::uint16_t port, const std::string& topic, std::uint32_t partition,
                          std::int64_t end, Oracle& oracle) {
  Result<Client> client = Client::connect(ClientOptions(address_of(port)));
  if (!client) {
    return broken("read back: " + client.error().to_string());
  }
  ReaderOptions reading;
  reading.add_partition(partition).set_to(end);
  Result<TopicReader> reader = client->read_topic(topic, reading);
  if (!reader) {
    return broken("read back: " + reader.error().to_string());
  }
  std::optional<MessageNumber> last;
  for (std::int64_t offset = 0; offset < end; ++offset) {
    Result<std::optional<Record>> record = reader->next(kReadTime);
    if (!record || !record->has_value()) {
      return broken("read back, offset " + std::to_string(offset) + ": " +
                    (record ? "nothing came" : record.error().to_string()));
    }
    const Record& got = **record;
    if (got.offset() != offset) {
      return broken("read back: offset " + std::to_string(got.offset()) + " in place of " +
                    std::to_string(offset));
    }
    const auto number = oracle.delivered(got.value().value_or(std::string_view()), offset, 0);
    if (!number || (last && *number <= *last)) {
      return broken("read back: offset " + std::to_string(offset) + " holds something else");
    }
    last = number;
  }
  return {};
}

}  // namespace weir::crash
