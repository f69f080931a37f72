#include "tests/sim/told_door.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/handle.hpp"

#include <string_view>
#include <utility>
#include <variant>

namespace weir::sim {
namespace {

constexpr std::size_t kMaxUnpackedBytes = std::size_t{16} << 20;

std::vector<MessageNumber> numbers_of(std::string_view batch, const proto::BatchHeader& header) {
  std::vector<MessageNumber> numbers;
  std::string scratch;
  const auto records = proto::batch_records(batch, header, kMaxUnpackedBytes, scratch);
  if (records) {
    // What cannot be read has been refused before it came here.
    (void)proto::for_each_record(*records, header.record_count,
                                 [&](const proto::RecordView& record) {
                                   numbers.push_back(number_of(record.value.value_or("")));
                                 });
  }
  return numbers;
}

}  // namespace

net::BrokerFacts ToldDoor::open(const net::Introduction& who) {
  stage_.world.report().count("wire: session");
  session_ = shard_->open_session(*this, {.service = who.service,
                                          .client = who.client,
                                          .address = "cable",
                                          .name_space = who.name_space});
  return net::BrokerFacts{.session = *session_,
                          .incarnation = shard_->incarnation(),
                          .epoch = shard_->epoch(),
                          .shard = 0};
}

void ToldDoor::leave() {
  if (shard_ != nullptr && session_) {
    const proto::SessionId session = *std::exchange(session_, std::nullopt);
    stage_.oracle.session_closed(session);
    shard_->close_session(session);
  }
}

// ---- what the shard is about to hear

void ToldDoor::send(core::SendBatch batch, std::uint32_t deadline_ms) {
  stage_.world.report().count("wire: send");
  const std::string_view bytes = std::string_view(batch.stored).substr(proto::kStoredHeaderBytes);
  const proto::BatchHeader& header = batch.columns.header;
  stage_.oracle.heard_send(
      *session_, batch.send_number,
      Oracle::Batch{batch.log, numbers_of(bytes, header), header.producer_id >= 0,
                    batch.columns.delays_ms, batch.columns.lives, batch.columns.priorities,
                    !batch.columns.groups.empty()});
  shard_->send(*session_, std::move(batch), deadline_ms);
}

void ToldDoor::settle(proto::QueueId queue, proto::Settle settle) {
  stage_.world.report().count("wire: settle");
  stage_.oracle.heard_settle(*session_, queue, settle);
  shard_->settle(*session_, queue, std::move(settle));
}

void ToldDoor::set_credit(const proto::Credit& credit) {
  stage_.world.report().count("wire: credit");
  shard_->set_credit(*session_, credit);
}

void ToldDoor::request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) {
  stage_.world.report().count("wire: request");
  hear_request(id, request);
  shard_->request(*session_, id, std::move(request), deadline_ms);
}

void ToldDoor::hear_request(std::uint64_t id, const core::Request& request) {
  if (const auto* unsubscribe = std::get_if<core::Unsubscribe>(&request)) {
    stage_.oracle.heard_unsubscribe(*session_, unsubscribe->alias);
  } else if (const auto* subscribe = std::get_if<core::SubscribeTopic>(&request)) {
    for (const Target& target : stage_.targets) {
      if (target.topic && target.name == subscribe->topic) {
        stage_.oracle.heard_subscribe_topic(*session_, id, subscribe->alias, target.logs);
      }
    }
  } else if (const auto* settle = std::get_if<core::SettleByHandle>(&request)) {
    hear_handle(id, *settle);
  } else if (const auto* many = std::get_if<core::SettleManyByHandle>(&request)) {
    for (const proto::Result<core::SettleByHandle>& entry : many->entries) {
      hear_handle(id, entry.value());
    }
  }
}

void ToldDoor::hear_handle(std::uint64_t id, const core::SettleByHandle& settle) {
  const auto handle = proto::decode_handle(settle.handle);
  if (!handle) {
    stage_.world.violate("the library made a handle that cannot be read");
    return;
  }
  proto::SettleRange range;
  range.kind = settle.kind;
  range.value = settle.value_ms;
  range.base_offset = handle->base_offset;
  range.first_index = handle->index;
  range.count = 1;
  if (handle->incarnation == shard_->incarnation()) {
    range.grant = handle->grant;
    range.nonce = handle->nonce;
  }
  stage_.oracle.heard_handle(*session_, id, handle->queue, range);
}

void ToldDoor::bulk_drained() {
  if (shard_ != nullptr && session_) {
    stage_.world.report().count("wire: room for bulk again");
    shard_->bulk_drained(*session_);
  }
}

proto::Result<net::ConfigReload> ToldDoor::reload_config() {
  return proto::fail(proto::Errc::kUnsupported, "a broker in the simulator has no config file");
}

void ToldDoor::on_bad_batch(const proto::Error& error) {
  stage_.world.violate("the library made a bad batch: " + error.to_string());
}

// ---- what the shard says

void ToldDoor::on_sent(const proto::SentEntry& entry) {
  stage_.oracle.said_sent(*session_, entry);
  port_->on_sent(entry);
}

void ToldDoor::on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) {
  stage_.oracle.said_settled(*session_, up_to, failed);
  port_->on_settled(up_to, failed);
}

void ToldDoor::on_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  stage_.oracle.said_delivery(*session_, alias, delivery, false, delivery.grant);
  port_->on_delivery(alias, delivery);
}

void ToldDoor::on_topic_batch(const shard::TopicBatch& batch) {
  stage_.oracle.said_topic_batch(*session_, batch);
  port_->on_topic_batch(batch);
}

void ToldDoor::on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) {
  stage_.oracle.said_reply(*session_, request_id, reply);
  port_->on_reply(request_id, reply);
}

void ToldDoor::on_subscription_ended(std::uint32_t alias, const proto::Error& why) {
  // No stored message is damaged here.
  stage_.world.violate("subscription " + std::to_string(alias) + " was ended: " + why.to_string());
}

}  // namespace weir::sim
