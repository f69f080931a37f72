#include "tests/hostile/bombs.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"
#include "proto/wire_message.hpp"
#include "tests/crash/raw_session.hpp"
#include "tests/hostile/bystander.hpp"
#include "tests/hostile/repeated.hpp"
#include "tests/hostile/report.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::hostile {
namespace {

using proto::Errc;
using proto::fail;
using proto::FrameType;

/// A connection that throws one bomb after the other, each once the one before has its answer:
/// whichever that is, the end of the connection included.
class Bomber {
 public:
  proto::Result<> open(std::uint16_t port) {
    sends_ = settles_ = 0;
    if (proto::Result<> opened = session_.open(port); !opened) {
      return opened;
    }
    for (const bool is_topic : {false, true}) {
      weir::v1::Request create;
      weir::v1::Request attach;
      if (is_topic) {
        create.mutable_create_topic()->set_name("bombed");
        create.mutable_create_topic()->mutable_settings()->set_partitions(1);
        attach.mutable_attach()->set_topic("bombed");
      } else {
        create.mutable_create_queue()->set_name("bombed");
        attach.mutable_attach()->set_queue("bombed");
      }
      const auto made = session_.call(std::move(create));
      const auto attached = session_.call(std::move(attach));
      if (!made || !attached) {
        return made ? attached.error() : made.error();
      }
      (is_topic ? topic_ : queue_) = attached->attached().alias();
    }
    return {};
  }

  proto::Result<> hit(const std::string& frame) {
    is_answered_ = false;
    session_.out() += frame;
    const proto::Result<> answered = session_.wait_for(is_answered_);
    if (!answered && session_.is_open()) {
      session_.close();
    }
    return answered;
  }
  [[nodiscard]] bool is_open() const { return session_.is_open(); }

  std::string send(bool to_topic, std::string_view batch) {
    std::string bytes;
    proto::encode(
        proto::Send{.alias = to_topic ? topic_ : queue_, .send_number = ++sends_, .batch = batch},
        bytes);
    return bytes;
  }
  std::string settle(std::size_t ranges) {
    std::vector<proto::SettleRange> all(ranges);
    for (std::size_t i = 0; i < ranges; ++i) {
      all[i].grant = proto::GrantId(i);
      all[i].count = proto::kMaxBatchRecords;
    }
    std::string bytes;
    proto::encode(
        proto::Settle{.settle_number = ++settles_, .alias = queue_, .ranges = std::move(all)},
        bytes);
    return bytes;
  }

 private:
  proto::Result<> on_frame(const proto::RawFrame& frame) {
    is_answered_ = is_answered_ || frame.type != FrameType::kSendCredit;
    return {};
  }

  crash::RawSession session_{[this](const proto::RawFrame& frame) { return on_frame(frame); }};
  bool is_answered_ = false;
  std::uint32_t queue_ = 0;
  std::uint32_t topic_ = 0;
  std::uint64_t sends_ = 0;
  std::uint64_t settles_ = 0;
};

std::string request_frame(std::string_view method) {
  std::string bytes;
  proto::encode_frame(FrameType::kRequest, std::string("\x08\x7f").append(method), bytes);
  return bytes;
}

// A field of that number with `inner` inside.
std::string field(char tag_low, char tag_high, std::string_view inner) {
  std::string body{tag_low, tag_high};
  for (std::size_t size = inner.size(); size > 0; size >>= 7U) {
    body += static_cast<char>((size & 0x7fU) | (size > 0x7fU ? 0x80U : 0U));
  }
  return body.append(inner);
}

std::string batch_of(std::size_t records, std::size_t headers, std::size_t value_bytes,
                     proto::Compression compression) {
  proto::BatchBuilder builder;
  const std::string value(value_bytes, '\0');
  const std::vector<proto::Header> many(headers, {.key = "k", .value = ""});
  for (std::size_t i = 0; i < records; ++i) {
    proto::RecordInput record;
    record.value = value;
    record.headers = many;
    builder.add(record);
  }
  return builder.finish({}, compression);
}

struct Bomb {
  std::string_view name;
  std::function<std::string(Bomber&)> make;
};

std::vector<Bomb> bombs() {
  const auto send = [](bool to_topic, std::string batch) {
    return [to_topic, batch = std::move(batch)](Bomber& bomber) {
      return bomber.send(to_topic, batch);
    };
  };
  const auto request = [](std::string method) {
    return [frame = request_frame(method)](Bomber&) { return frame; };
  };
  constexpr std::size_t kRequest = proto::kMaxRequestBytes - 40;
  constexpr std::size_t kRecords = proto::kMaxBatchRecords;
  std::string broken = batch_of(kRecords, 0, 400, proto::Compression::kNone);
  broken.back() = static_cast<char>(broken.back() ^ 1);
  return {
      {"lz4_of_zeros", send(true, batch_of(kRecords, 0, 6'000, proto::Compression::kLz4))},
      {"zstd_of_zeros", send(true, batch_of(kRecords, 0, 6'000, proto::Compression::kZstd))},
      {"zstd_for_a_queue", send(false, batch_of(kRecords, 0, 6'000, proto::Compression::kZstd))},
      {"most_records", send(false, batch_of(kRecords, 0, 0, proto::Compression::kNone))},
      {"most_headers",
       send(false, batch_of(8'000, proto::kMaxHeaders, 0, proto::Compression::kNone))},
      {"largest_batch", send(false, batch_of(4, 0, 1'048'000, proto::Compression::kNone))},
      {"broken_batch", send(false, std::move(broken))},
      // ListOffsets of nothing but empty positions, and of the most that there is.
      {"empty_messages", request(field('\xaa', '\x01', repeated({"\x12\0", 2}, kRequest / 2)))},
      {"most_positions", request(field('\xaa', '\x01',
                                       "\x0a\x06"
                                       "bombed" +
                                           repeated({"\x12\x02\x08\x00", 4}, (kRequest - 8) / 4)))},
      {"nested_groups",
       request(std::string(kRequest / 2, '\x7b') + std::string(kRequest / 2, '\x7c'))},
      {"unknown_fields", request(repeated({"\x78\x01", 2}, kRequest / 2))},
      {"most_settlements", [](Bomber& bomber) { return bomber.settle(400'000); }}};
}

}  // namespace

proto::Result<> throw_bombs(crash::BrokerProcess& broker, std::uint64_t count) {
  Bystander bystander;
  Bomber bomber;
  std::vector<Bomb> all = bombs();
  all.insert(all.begin(), {"nothing", nullptr});
  for (const Bomb& bomb : all) {
    if (proto::Result<> started = bystander.start(broker.port()); !started) {
      return started;
    }
    std::size_t bytes = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t rounds = bystander.rounds();
      if (bomb.make) {
        if (!bomber.is_open()) {
          if (proto::Result<> opened = bomber.open(broker.port()); !opened) {
            return opened;
          }
        }
        const std::string frame = bomb.make(bomber);
        bytes = frame.size();
        // Closed for it: an answer as well. What matters is how others fare.
        if (proto::Result<> hit = bomber.hit(frame);
            !hit && hit.error().code == Errc::kDeadlineExceeded) {
          return hit;
        }
      }
      bystander.wait_for(rounds + 2);
    }
    bystander.stop();
    if (bystander.complaint()) {
      return *bystander.complaint();
    }
    const std::vector<std::int64_t> waits_us = bystander.take_round_us();
    const std::string name(bomb.name);
    print(name + "_bytes", static_cast<std::uint64_t>(bytes));
    print(name + "_p50_us", percentile(waits_us, 50));
    print(name + "_longest_us", percentile(waits_us, 100));
  }
  return broker.stop();
}

}  // namespace weir::hostile
