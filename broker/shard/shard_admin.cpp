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

}  // namespace weir::shard
