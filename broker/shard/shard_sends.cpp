#include "broker/shard/id_loader.hpp"
#include "broker/shard/shard_impl.hpp"
#include "proto/planted_bugs.hpp"

#include <memory>
#include <utility>

// Sends. One that is to be deduplicated waits until it is read what is known of it, and what its
// session sends after it waits behind it.
namespace weir::shard {

using proto::Errc;

/// What is known of the ids of one send.
class Shard::Impl::IdsOfSend final : public core::KnownIds {
 public:
  IdsOfSend(const RecentIds& recent, const SendInput& send) : recent_(recent), send_(send) {}
  [[nodiscard]] Found find(proto::QueueId queue, std::uint32_t generation,
                           const core::DeduplicationId& id) const override {
    if (const core::KnownMessage* known = recent_.find(queue, generation, id)) {
      return std::optional(*known);
    }
    const auto read = send_.read_ids.find(id);
    if (!send_.is_read || send_.read_generation != generation || read == send_.read_ids.end()) {
      return Unknown{};
    }
    return read->second;
  }

 private:
  const RecentIds& recent_;
  const SendInput& send_;
};

/// What waits for the disk holds its producers' credit: this is where a slow disk becomes
/// backpressure.
void Shard::Impl::handle_sends() {
  const auto has_room = [this] { return log_->backlog_bytes() < options_.max_backlog_bytes; };
  for (auto line = send_lines_.begin(); line != send_lines_.end();) {
    std::deque<Input>& inputs = line->second;
    while (!inputs.empty() && has_room() && handle_send(inputs.front())) {
      inputs.pop_front();
    }
    line = inputs.empty() ? send_lines_.erase(line) : std::next(line);
  }
  while (!sends_.empty() && has_room()) {
    Input input = std::move(sends_.front());
    sends_.pop_front();
    const proto::SessionId session = input.session;
    const auto line = send_lines_.find(session);
    if (line != send_lines_.end()) {
      line->second.push_back(std::move(input));
      read_ahead(line->second.back());
    } else if (!handle_send(input)) {
      send_lines_[session].push_back(std::move(input));
    }
  }
}

/// The ids by which a send for a FIFO queue is known: once it is known to which.
void Shard::Impl::note_ids(SendInput& send) const {
  const core::Queue* queue =
      send.batch.topic ? nullptr : state_->queue(proto::QueueId{send.batch.log.value});
  if (queue != nullptr && send.batch.ids.empty()) {
    send.batch.ids = core::deduplication_ids(*queue, send.batch);
  }
}

/// A send that waits behind others has been looked up when its turn comes.
void Shard::Impl::read_ahead(Input& input) {
  auto& send = std::get<SendInput>(input.body);
  note_ids(send);
  const core::Queue* queue = state_->queue(proto::QueueId{send.batch.log.value});
  if (send.batch.ids.empty() || queue == nullptr) {
    return;
  }
  load_ids(input, core::need_all(*queue, send.batch));
}

/// False when it waits for a read.
bool Shard::Impl::handle_send(Input& input) {
  auto& sent = std::get<SendInput>(input.body);
  if (sent.is_being_read) {
    return false;
  }
  note_ids(sent);
  const std::uint32_t messages = sent.batch.columns.count();
  auto decided = state_->decide(sent.batch, IdsOfSend(recent_ids_, sent), now_);
  if (decided && std::holds_alternative<core::NeedIds>(*decided)) {
    load_ids(input, std::move(std::get<core::NeedIds>(*decided)));
    return false;
  }
  end_read(sent);
  if (decided) {
    answer_send(input, messages, std::move(std::get<core::ShardState::SendDecision>(*decided)));
  } else {
    answer_send(input, messages, decided.error());
  }
  return true;
}

void Shard::Impl::answer_send(const Input& input, std::uint32_t messages,
                              proto::Result<core::ShardState::SendDecision> decision) {
  const auto& sent = std::get<SendInput>(input.body);
  proto::SentEntry entry;
  entry.send_number = sent.batch.send_number;
  std::optional<proto::Error> refused;
  if (decision && decision->is_duplicate) {
    // Said whatever else stands against it: a refusal would tell the producer that a batch is not
    // stored that is, and once five others have followed nobody could tell it any more.
    entry.flags |= proto::SentEntry::kDuplicate;
    ++metrics_.duplicate_batches;
    apply(decision->more);
    if (WEIR_PLANTED(answer_duplicate_at_once) && sessions_.contains(input.session)) {
      entry.base_offset = decision->base_offset;
      entry.append_time = decision->append_time;
      sessions_.at(input.session)->on_sent(entry);
      return;
    }
  } else if (is_late(input)) {
    refused = proto::make_error(Errc::kDeadlineExceeded);
  } else if (refusal_) {
    refused = refusal_;
  } else if (!decision) {
    refused = decision.error();
  } else {
    if (!sent.batch.topic) {
      count(proto::QueueId{sent.batch.log.value}, &QueueCounters::sent_messages,
            messages - decision->known.size());
    }
    if (decision->record) {
      apply(core::Record{*std::move(decision->record)});
    }
    apply(decision->more);
  }
  if (refused) {
    metrics_.refused_messages.add(refused->code, messages);
    entry.code = static_cast<std::uint16_t>(refused->code);
    entry.retry_after_ms = refused->retry_after_ms;
  } else {
    entry.base_offset = decision->base_offset;
    entry.append_time = decision->append_time;
    entry.known = std::move(decision->known);
    entry.elsewhere = std::move(decision->elsewhere);
  }
  open_.effects.push_back({input.session, std::move(entry)});
}

void Shard::Impl::end_read(SendInput& send) {
  if (send.read_began) {
    recent_ids_.end_read(*send.read_began);
    send.read_began.reset();
  }
}

/// What is read stays good until the send is decided: what came meanwhile is remembered.
void Shard::Impl::load_ids(Input& input, core::NeedIds need) {
  auto& send = std::get<SendInput>(input.body);
  end_read(send);
  send.is_read = false;
  send.is_being_read = true;
  send.read_began = recent_ids_.begin_read();
  send.read_number = ++last_read_number_;
  const std::uint32_t generation = need.generation;
  ++metrics_.storage_reads;
  ports_.loader->load([this, life = life_, session = input.session, number = send.read_number,
                       generation, need = std::move(need)](const storage::Reader& reader) {
    auto ids = std::make_shared<proto::Result<ReadIds>>(shard::load_ids(reader, need));
    return Loader::Continuation([this, life, session, number, generation, ids] {
      if (life != life_ || failed_) {
        return;
      }
      if (!*ids) {
        stop_with(ids->error());
        return;
      }
      take_ids(session, number, generation, std::move(**ids));
    });
  });
}

void Shard::Impl::take_ids(proto::SessionId session, std::uint64_t number, std::uint32_t generation,
                           ReadIds ids) {
  const auto line = send_lines_.find(session);
  if (line == send_lines_.end()) {
    return;
  }
  for (Input& input : line->second) {
    auto& send = std::get<SendInput>(input.body);
    if (send.is_being_read && send.read_number == number) {
      send.is_being_read = false;
      send.is_read = true;
      send.read_generation = generation;
      send.read_ids = std::move(ids);
      schedule();
      return;
    }
  }
}

}  // namespace weir::shard
