#include "tests/sim/operator.hpp"

#include <string>

namespace weir::sim {
namespace {

constexpr char kScratch[] = "scratch";

}  // namespace

void Operator::came_up() {
  if (stage_.healed) {
    heal();
  }
}

void Operator::heal() {
  for (const std::size_t i : targets(false)) {
    pause(stage_.targets[i], true, true, false);
  }
}

void Operator::step() {
  const std::vector<std::size_t> queues = targets(false);
  if (link_ == nullptr || queues.empty()) {
    return;
  }
  const Target& target = stage_.targets[rng().pick(queues)];
  const std::uint64_t dice = rng().below(1000);
  if (dice < 700) {
    const std::uint64_t what = rng().below(3);
    pause(target, what != 0, what != 1, dice < 300);
  } else if (dice < 780) {
    purge(target);
  } else if (dice < 900 && stage_.options.delay_per_mille > 0) {
    change_delayed(target);
  } else {
    make_or_delete_scratch();
  }
}

void Operator::pause(const Target& target, bool receives, bool sends, bool pauses) {
  count(pauses ? "operator: pauses" : "operator: resumes");
  core::UpdateQueue update;
  update.name_space = kNamespace;
  update.name = target.name;
  if (receives) {
    update.changes.receives_paused = pauses;
  }
  if (sends) {
    update.changes.sends_paused = pauses;
  }
  request(update, nullptr,
          [this, log = target.logs.front(), receives = update.changes.receives_paused](
              proto::SessionId session, std::uint64_t id) {
            stage_.oracle.heard_pause(session, id, log, receives);
          });
}

void Operator::purge(const Target& target) {
  count("operator: purges");
  request(core::PurgeQueue{kNamespace, target.name}, nullptr,
          [this, log = target.logs.front()](proto::SessionId session, std::uint64_t id) {
            stage_.oracle.heard_purge(session, id, log);
          });
}

/// Some of what is put off, by the ids that a list shows.
void Operator::change_delayed(const Target& target) {
  core::ListDelayed list{kNamespace, target.name, {}, static_cast<std::uint32_t>(rng().below(8))};
  request(list, [this, target](const proto::Result<core::Reply>& reply) {
    if (!reply || link_ == nullptr) {
      return;
    }
    core::ChangeDelayed change{kNamespace, target.name, {}, std::nullopt};
    for (const core::DelayedMessage& message : std::get<core::DelayedList>(*reply).messages) {
      if (rng().per_mille(700)) {
        change.message_ids.push_back(message.id);
      }
    }
    if (change.message_ids.empty()) {
      return;
    }
    if (rng().per_mille(500)) {
      change.delay_ms = some_delay_ms(rng(), stage_.options);
    }
    request(change, nullptr,
            [this, log = target.logs.front(), change](proto::SessionId session, std::uint64_t id) {
              stage_.oracle.heard_change_delayed(session, id, log, change.message_ids,
                                                 change.delay_ms);
            });
  });
}

/// Nobody else knows of it: only its rows are looked at, on both sides.
void Operator::make_or_delete_scratch() {
  if (rng().per_mille(500)) {
    request(core::CreateQueue{kNamespace, kScratch, {}, {}}, nullptr);
    return;
  }
  request(core::DeleteQueue{kNamespace, kScratch}, [this](const proto::Result<core::Reply>& reply) {
    if (reply) {
      count("operator: deleted a queue");
    }
  });
}

}  // namespace weir::sim
