#pragma once

#include "weir/export.hpp"

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

/// Wall-clock time with the resolution that messages carry.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// A header: names need not be unique, names that begin with `weir.` are the broker's.
struct HeaderView {
  HeaderView();
  HeaderView(std::string_view header_key, std::optional<std::string_view> header_value);

  std::string_view key;
  std::optional<std::string_view> value;
  friend bool operator==(const HeaderView&, const HeaderView&) = default;
};

inline HeaderView::HeaderView() = default;
inline HeaderView::HeaderView(std::string_view header_key,
                              std::optional<std::string_view> header_value)
    : key(header_key), value(header_value) {}

/// A message to be sent, as views of the caller's bytes: they are copied before send() returns.
/// Converts from plain text, so `producer.send("hello", …)` works. Not synchronised.
class MessageView {
 public:
  MessageView() = default;
  MessageView(std::string_view body) : body_(body) {}    // NOLINT: text is a message
  MessageView(const std::string& body) : body_(body) {}  // NOLINT
  MessageView(const char* body) : body_(body) {}         // NOLINT

  MessageView& set_body(std::string_view body) {
    body_ = body;
    return *this;
  }
  /// A topic's record without a value deletes its key once the topic is compacted.
  MessageView& set_tombstone() {
    body_.reset();
    return *this;
  }
  /// Messages of a topic with equal keys go to one partition.
  MessageView& set_key(std::string_view key) {
    key_ = key;
    return *this;
  }
  /// `headers` must outlive the send() call.
  MessageView& set_headers(std::span<const HeaderView> headers) {
    headers_ = headers;
    return *this;
  }
  /// When the thing happened; without it, the time of send().
  MessageView& set_timestamp(Timestamp timestamp) {
    timestamp_ = timestamp;
    return *this;
  }
  /// Goes to exactly this partition of a topic.
  MessageView& set_partition(std::uint32_t partition) {
    partition_ = partition;
    return *this;
  }
  /// As Message::set_delay().
  MessageView& set_delay(std::chrono::milliseconds delay) {
    delay_ = delay;
    return *this;
  }
  /// As Message::set_ttl(), Message::set_deadline().
  MessageView& set_ttl(std::chrono::milliseconds ttl) {
    ttl_ = ttl;
    return *this;
  }
  MessageView& set_deadline(Timestamp deadline) {
    deadline_ = deadline;
    return *this;
  }
  /// As Message::set_group(), Message::set_deduplication_id().
  MessageView& set_group(std::string_view group) {
    group_ = group;
    return *this;
  }
  MessageView& set_deduplication_id(std::string_view id) {
    deduplication_id_ = id;
    return *this;
  }
  /// As Message::set_priority().
  MessageView& set_priority(std::uint8_t priority) {
    priority_ = priority;
    return *this;
  }

  [[nodiscard]] const std::optional<std::string_view>& body() const { return body_; }
  [[nodiscard]] const std::optional<std::string_view>& key() const { return key_; }
  [[nodiscard]] std::span<const HeaderView> headers() const { return headers_; }
  [[nodiscard]] const std::optional<Timestamp>& timestamp() const { return timestamp_; }
  [[nodiscard]] const std::optional<std::uint32_t>& partition() const { return partition_; }
  [[nodiscard]] const std::optional<std::chrono::milliseconds>& delay() const { return delay_; }
  [[nodiscard]] const std::optional<std::chrono::milliseconds>& ttl() const { return ttl_; }
  [[nodiscard]] const std::optional<Timestamp>& deadline() const { return deadline_; }
  [[nodiscard]] const std::optional<std::string_view>& group() const { return group_; }
  [[nodiscard]] const std::optional<std::string_view>& deduplication_id() const {
    return deduplication_id_;
  }
  [[nodiscard]] const std::optional<std::uint8_t>& priority() const { return priority_; }

 private:
  std::optional<std::string_view> body_ = std::string_view();
  std::optional<std::string_view> key_;
  std::span<const HeaderView> headers_;
  std::optional<Timestamp> timestamp_;
  std::optional<std::uint32_t> partition_;
  std::optional<std::chrono::milliseconds> delay_;
  std::optional<std::chrono::milliseconds> ttl_;
  std::optional<Timestamp> deadline_;
  std::optional<std::string_view> group_;
  std::optional<std::string_view> deduplication_id_;
  std::optional<std::uint8_t> priority_;
};

/// A message that owns its bytes. Limits: 1 MiB with key and headers, 64 headers and 16 KiB of
/// them. Not synchronised.
class Message {
 public:
  Message() = default;
  explicit Message(std::string body) : body_(std::move(body)) {}

  Message& set_body(std::string body) {
    body_ = std::move(body);
    return *this;
  }
  Message& set_tombstone() {
    body_.reset();
    return *this;
  }
  Message& set_key(std::string key) {
    key_ = std::move(key);
    return *this;
  }
  /// `key`: 1 to 255 printable ASCII characters, not beginning with `weir.`; else sends are refused
  /// with INVALID_ARGUMENT. A key may be there several times.
  Message& add_header(std::string key, std::optional<std::string> value) {
    headers_.emplace_back(std::move(key), std::move(value));
    return *this;
  }
  Message& set_timestamp(Timestamp timestamp) {
    timestamp_ = timestamp;
    return *this;
  }
  Message& set_partition(std::uint32_t partition) {
    partition_ = partition;
    return *this;
  }
  /// Of a queue's message: nobody gets it earlier than so long after the broker has taken it. Beats
  /// the queue's own delay, also with zero. At most 30 days. Meanwhile it can be listed, cancelled
  /// and put off anew: Client::list_delayed(). INVALID_ARGUMENT for a topic.
  Message& set_delay(std::chrono::milliseconds delay) {
    delay_ = delay;
    return *this;
  }
  /// Of a queue's message: it is of no use so long after it is ready, and then handed out to
  /// nobody. 1 ms to 30 days.
  Message& set_ttl(std::chrono::milliseconds ttl) {
    ttl_ = ttl;
    return *this;
  }
  /// The same from that moment on, by the clock of the broker: for work that nobody waits for any
  /// more. Who handles it sees the deadline (Delivery::deadline()) and passes it on with what it
  /// sends for it. A message that is alone in its batch, or with others as late, is refused with
  /// MESSAGE_EXPIRED when it comes later than that; among others it is taken, and handed out to
  /// nobody.
  Message& set_deadline(Timestamp deadline) {
    deadline_ = deadline;
    return *this;
  }

  /// Of a queue's message: the group that it belongs to, 1 to 128 bytes. A FIFO queue, whose name
  /// ends in `.fifo`, asks for one, and hands out the messages of a group one after the other, in
  /// the order in which they were taken: none while one before it is handled, waits to be tried
  /// again, or is on its way to the dead-letter queue. In any other queue groups come in no order,
  /// but are fair to each other: one of which much waits does not hold up those of which little
  /// does. There a group is a tenant, say.
  Message& set_group(std::string group) {
    group_ = std::move(group);
    return *this;
  }

  /// Of a message for a FIFO queue: it is known by this, 1 to 128 bytes, for the queue's
  /// deduplication time. Sent again meanwhile, by whomever, it is not stored again, and the receipt
  /// names the first one (SendReceipt::duplicate). Other queues keep the id and do not look at it.
  Message& set_deduplication_id(std::string id) {
    deduplication_id_ = std::move(id);
    return *this;
  }

  /// Of a queue's message: 0 to 9, the most urgent; 4 without it. What is more urgent comes sooner,
  /// by shares or strictly (QueueSettings::set_strict_priority()), but what a consumer has in its
  /// window already is not passed by. Not for FIFO queues.
  Message& set_priority(std::uint8_t priority) {
    priority_ = priority;
    return *this;
  }

  /// Views of this message; `headers` holds those of the headers and must live as long.
  [[nodiscard]] MessageView view(std::vector<HeaderView>& headers) const {
    headers.clear();
    for (const auto& [key, value] : headers_) {
      headers.emplace_back(key, value ? std::optional<std::string_view>(*value) : std::nullopt);
    }
    MessageView view;
    if (body_) {
      view.set_body(*body_);
    } else {
      view.set_tombstone();
    }
    if (key_) {
      view.set_key(*key_);
    }
    if (timestamp_) {
      view.set_timestamp(*timestamp_);
    }
    if (partition_) {
      view.set_partition(*partition_);
    }
    if (delay_) {
      view.set_delay(*delay_);
    }
    if (ttl_) {
      view.set_ttl(*ttl_);
    }
    if (deadline_) {
      view.set_deadline(*deadline_);
    }
    if (group_) {
      view.set_group(*group_);
    }
    if (deduplication_id_) {
      view.set_deduplication_id(*deduplication_id_);
    }
    if (priority_) {
      view.set_priority(*priority_);
    }
    view.set_headers(headers);
    return view;
  }

 private:
  std::optional<std::string> body_ = std::string();
  std::optional<std::string> key_;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers_;
  std::optional<Timestamp> timestamp_;
  std::optional<std::uint32_t> partition_;
  std::optional<std::chrono::milliseconds> delay_;
  std::optional<std::chrono::milliseconds> ttl_;
  std::optional<Timestamp> deadline_;
  std::optional<std::string> group_;
  std::optional<std::string> deduplication_id_;
  std::optional<std::uint8_t> priority_;
};

/// Identity of a queue's message, kept through dead-lettering and redrive. The nil id (all zero)
/// stands for "none": a topic's record is named by topic, partition and offset instead.
class WEIR_API MessageId {
 public:
  MessageId() = default;
  explicit MessageId(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}
  /// The id of the message at `offset` of the queue with number `object`.
  MessageId(std::uint32_t incarnation, std::uint64_t object, std::int64_t offset);
  /// Reads the 36 characters of to_string(); nullopt for anything else.
  [[nodiscard]] static std::optional<MessageId> parse(std::string_view text);

  [[nodiscard]] bool is_nil() const;
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  /// As a UUID: 36 characters, lower case.
  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const MessageId&, const MessageId&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

/// What the broker said about one stored message.
struct SendReceipt {
  SendReceipt();

  MessageId message_id;
  std::int64_t offset = -1;
  std::uint32_t partition = 0;
  /// Broker time of the append.
  Timestamp append_time;
  /// The message had been stored before, by an earlier try of this library or with the same
  /// deduplication id; it was not stored again.
  bool duplicate = false;
};

inline SendReceipt::SendReceipt() = default;

}  // namespace weir
