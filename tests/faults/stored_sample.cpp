#include "tests/faults/stored_sample.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/handle.hpp"
#include "storage/mark_file.hpp"
#include "tests/integration/wire_client.hpp"

#include <array>
#include <csignal>
#include <exception>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace weir::faults {
namespace {

using integration::WireClient;
using proto::Errc;
using proto::fail;

constexpr std::uint32_t kLeaseMs = 200;
constexpr std::uint32_t kPartitions = 2;
constexpr int kRounds = 120;
constexpr int kLateSends = 12;
constexpr int kMarkTries = 500;
constexpr int kReceiveTries = 20;
constexpr const char* kPause = "pause";  // a queue that stays empty

/// Recognisable, of very different sizes: rows in tables, and values in blob files.
std::string make_body(crash::Random& random, const std::string& mark) {
  const std::uint64_t size =
      random.percent(25) ? random.between(4'200, 14'000) : random.between(10, 600);
  std::string body = mark + ':';
  while (body.size() < size) {
    std::uint64_t bits = random.next();
    for (int i = 0; i < 8; ++i, bits >>= 8U) {
      body += static_cast<char>('a' + bits % 26);
    }
  }
  return body;
}

class Writer {
 public:
  Writer(WireClient& client, StoredSample& sample, std::uint64_t seed)
      : client_(client), sample_(sample), random_(seed), welcome_(client.hello()) {}

  void create() {
    create_queue("failed", 0, {});
    create_queue("poison", 1, "failed");
    for (const char* name : {"work", "done", "late", kPause}) {
      create_queue(name, 100, {});
    }
    weir::v1::Request request;
    request.mutable_create_topic()->set_name("events");
    request.mutable_create_topic()->mutable_settings()->set_partitions(kPartitions);
    ask(request);
    sample_.partitions.resize(kPartitions);
    for (const char* name : {"work", "done", "poison", "late"}) {
      aliases_[name] = client_.attach_queue(name).attached().alias();
    }
    request.mutable_attach()->set_topic("events");
    aliases_["events"] = ask(request).attached().alias();
  }

  void write() {
    for (int i = 0; i < kRounds; ++i) {
      for (const char* queue : {"work", "work", "done"}) {
        send(queue);
      }
      publish(static_cast<std::uint32_t>(i) % kPartitions);
      receive("done", weir::v1::SETTLE_ACTION_ACK);
      switch (i % 4) {
        case 0:
          receive("work", weir::v1::SETTLE_ACTION_ACK);
          break;
        case 1:
          receive("work", weir::v1::SETTLE_ACTION_NACK);
          break;
        case 2:
          receive("work", weir::v1::SETTLE_ACTION_UNSPECIFIED);
          break;
        default:
          if (i % 12 == 3) {
            send("poison");
            receive("poison", weir::v1::SETTLE_ACTION_NACK);
          }
      }
    }
  }

  void write_late() {
    for (int i = 0; i < kLateSends; ++i) {
      sample_.late.push_back(make_body(random_, "late " + std::to_string(i)));
      must(client_.send(aliases_["late"], sample_.late.back()).code == 0, "a late send");
    }
  }

 private:
  static void must(bool is_so, const std::string& what) {
    if (!is_so) {
      throw std::runtime_error("the sample cannot be written: " + what);
    }
  }

  weir::v1::Response ask(const weir::v1::Request& request) {
    weir::v1::Response response = client_.ask(request);
    must(!response.has_error(), response.error().message());
    return response;
  }

  void create_queue(const std::string& name, std::uint32_t max_receives, const std::string& dlq) {
    weir::v1::Request request;
    request.mutable_create_queue()->set_name(name);
    request.mutable_create_queue()->mutable_settings()->set_lease_ms(kLeaseMs);
    request.mutable_create_queue()->mutable_settings()->set_max_receive_count(max_receives);
    request.mutable_create_queue()->mutable_settings()->set_dead_letter_queue(dlq);
    ask(request);
    sample_.queues[name];
  }

  void send(const std::string& queue) {
    const std::string body = make_body(random_, queue + ' ' + std::to_string(++made_));
    must(client_.send(aliases_[queue], body).code == 0, "a send");
    sample_.queues[queue].attempts[body] = 0;
  }

  void publish(std::uint32_t partition) {
    const std::string body = make_body(random_, "event " + std::to_string(++made_));
    must(client_.send(aliases_["events"], body, partition).code == 0, "a publish");
    sample_.partitions[partition].push_back(body);
  }

  /// Takes one message; each take is an attempt.
  void receive(const std::string& queue, weir::v1::SettleAction action) {
    weir::v1::Response response = client_.receive(queue, 5'000);
    // On a busy machine the short lease may be half over before the answer can leave: then it is
    // empty, and the message is there again.
    for (int i = 0; i < kReceiveTries && response.received().grants_size() == 0; ++i) {
      response = client_.receive(queue, 5'000);
    }
    must(response.received().grants_size() == 1, "a receive of " + queue);
    const weir::v1::Received& received = response.received();
    const weir::v1::Grant& grant = received.grants(0);
    std::string body;
    (void)proto::for_each_record(grant.records(), 1, [&](const proto::RecordView& record) {
      body = record.value.value_or("");
    });
    ExpectedQueue& expected = sample_.queues[queue];
    must(expected.attempts.contains(body), "a receive of " + queue + " gave something else");
    ++expected.attempts[body];
    if (action == weir::v1::SETTLE_ACTION_UNSPECIFIED) {
      return;
    }
    const std::string handle = proto::encode_handle({.incarnation = welcome_.incarnation(),
                                                     .epoch = welcome_.epoch(),
                                                     .queue = proto::QueueId(received.id()),
                                                     .generation = received.generation(),
                                                     .grant = proto::GrantId(grant.grant()),
                                                     .index = grant.first_index(),
                                                     .nonce = grant.nonce(),
                                                     .base_offset = grant.base_offset(),
                                                     .shard = welcome_.shard()});
    must(!client_.settle(handle, action).has_error(), "a settlement");
    if (action == weir::v1::SETTLE_ACTION_ACK) {
      expected.attempts.erase(body);
      expected.done.insert(body);
    } else if (queue == "poison") {
      expected.attempts.erase(body);
      expected.done.insert(body);
      sample_.queues["failed"].attempts[body] = 0;
    }
  }

  WireClient& client_;
  StoredSample& sample_;
  crash::Random random_;
  weir::v1::Welcome welcome_;
  std::map<std::string, std::uint32_t> aliases_;
  int made_ = 0;
};

/// The point that the mark file has got to.
std::optional<storage::CommitPoint> read_mark(const std::filesystem::path& data_dir) {
  const proto::Result<storage::MarkFile> mark =
      storage::MarkFile::open((data_dir / "mark").string());
  return mark ? std::optional(mark->last()) : std::nullopt;
}

/// Waits until the mark file stands still: it follows within 100 ms.
void wait_for_mark(WireClient& client, const std::filesystem::path& data_dir) {
  std::optional<storage::CommitPoint> last = read_mark(data_dir);
  int still = 0;
  for (int i = 0; i < kMarkTries && still < 3; ++i) {
    // Something to wait by: a receive from an empty queue writes nothing.
    (void)client.receive(kPause, 100);
    const std::optional<storage::CommitPoint> now = read_mark(data_dir);
    still = now && now == last ? still + 1 : 0;
    last = now;
  }
}

proto::Result<StoredSample> write_with(crash::BrokerProcess& broker, StoredSample sample,
                                       std::uint64_t seed) {
  if (proto::Result<> started = broker.start(); !started) {
    return started.error();
  }
  WireClient client(broker.port());
  Writer writer(client, sample, seed);
  writer.create();
  writer.write();
  // Leases end meanwhile, and of a busy sample the mark file knows all but what comes now.
  wait_for_mark(client, broker.data_dir());
  writer.write_late();
  if (sample.end == SampleEnd::kKilled) {
    wait_for_mark(client, broker.data_dir());
  }
  const proto::Result<> ended = sample.end == SampleEnd::kStopped ? broker.stop() : broker.kill();
  if (!ended) {
    return ended.error();
  }
  return sample;
}

}  // namespace

std::string_view name_of(SampleEnd end) {
  constexpr std::array<std::string_view, 3> kNames = {"stopped", "killed", "busy"};
  return kNames.at(static_cast<std::size_t>(end));
}

std::vector<std::string> sample_flags() {
  return {"--write-buffer-bytes",  "512KiB", "--max-wal-bytes", "1MiB", "--ballast-bytes", "64KiB",
          "--min-free-disk-bytes", "1MiB",   "--drain-ms",      "500"};
}

proto::Result<StoredSample> write_sample(const std::string& binary,
                                         const std::filesystem::path& dir, SampleEnd end,
                                         std::uint64_t seed) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  crash::BrokerProcess broker(binary, dir, {.flags = sample_flags()});
  StoredSample sample;
  sample.end = end;
  sample.data_dir = broker.data_dir();
  try {
    return write_with(broker, std::move(sample), seed);
  } catch (const std::exception& failure) {
    return fail(Errc::kInternal, failure.what());
  }
}

}  // namespace weir::faults
