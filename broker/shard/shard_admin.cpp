#include "broker/shard/shard_impl.hpp"

#include <utility>

// Requests that change what exists.
namespace weir::shard {

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::UpdateQueue& command) {
  auto decision = state_->decide(command);
  if (!decision) {
    return decision.error();
  }
  if (decision->record && !command.dry_run) {
    apply(core::Record{*std::move(decision->record)});
  }
  const auto id = state_->catalog().queue(command.name_space, command.name);
  return core::Reply{
      core::QueueUpdate{describe(*state_->queue(*id)), std::move(decision->changes)}};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::PurgeQueue& command) {
  const auto record = state_->decide(command);
  if (!record) {
    return record.error();
  }
  core::QueueInfo before = describe(*state_->queue(record->queue));
  metrics_.purged_messages += before.messages();
  apply(core::Record{*record});
  return core::Reply{std::move(before)};
}

}  // namespace weir::shard
