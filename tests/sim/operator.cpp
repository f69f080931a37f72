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
    if (slow_.contains(stage_.targets[i].name)) {
      cancel_redrive(stage_.targets[i]);
    }
  }
}

void Operator::step() {
  const std::vector<std::size_t> queues = targets(false);
  if (link_ == nullptr || queues.empty()) {
    return;
  }
  if (rng().per_mille(stage_.options.redrive_per_mille)) {
    redrive();
    return;
  }
  const Target& target = stage_.targets[rng().pick(queues)];
  if (rng().per_mille(stage_.options.look_per_mille)) {
    for (std::uint64_t looks = 1 + rng().below(4); looks > 0; --looks) {
      look(stage_.targets[rng().pick(queues)]);
    }
    return;
  }
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
  if (target.is_fifo() && stage_.options.deduplication_per_mille > 0) {
    return;  // what was sent before is not known by its ids afterwards, and may come twice
  }
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

void Operator::look(const Target& target) {
  core::PeekQueue command;
  command.name_space = kNamespace;
  command.queue = target.name;
  command.max_messages = rng().per_mille(300) ? 1 + static_cast<std::uint32_t>(rng().below(20)) : 0;
  command.from_offset = rng().per_mille(300) ? rng().skewed(50) : 0;
  command.with_attempts = rng().per_mille(500);
  if (rng().per_mille(200)) {
    command.state = static_cast<core::MessageState>(1 + rng().below(5));
  }
  if (rng().per_mille(200)) {
    command.filter = some_filter();
  } else if (rng().per_mille(250)) {
    const proto::LogId log = target.logs.front();
    command.filter.message_id =
        rng().per_mille(200) ? stage_.oracle.id_of_nobody(log) : stage_.oracle.some_id(rng(), log);
  }
  count("operator: looks");
  request(command, nullptr,
          [this, command, log = target.logs.front()](proto::SessionId session, std::uint64_t id) {
            stage_.oracle.heard_look(session, id, log, command);
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

// ---- redrives

void Operator::redrive() {
  const std::vector<std::size_t> queues = targets(false);
  const Target& source = stage_.targets[rng().pick(queues)];
  const std::uint64_t dice = rng().below(1000);
  if (dice < 550) {
    begin_redrive(source);
  } else if (dice < 600) {
    begin_senseless_redrive(source);
  } else if (dice < 700) {
    cancel_redrive(source);
  } else {
    list_redrives();
  }
}

void Operator::begin_redrive(const Target& source) {
  core::StartRedrive command;
  command.name_space = kNamespace;
  command.name = source.name;
  proto::LogId target;
  if (rng().per_mille(300)) {
    command.parked = true;
  } else if (rng().per_mille(400)) {
    const std::vector<std::size_t> queues = targets(false);
    const Target& to = stage_.targets[rng().pick(queues)];
    if (to.name != source.name && to.is_fifo() == source.is_fifo()) {
      command.target = to.name;
      target = to.logs.front();
    }
  }
  command.dry_run = rng().per_mille(100);
  command.drop = command.target.empty() && rng().per_mille(80);
  if (!command.parked && !command.drop) {
    command.keep_attempts = rng().per_mille(300);
    if (rng().per_mille(300)) {
      command.headers = {{{kEditedHeader, std::to_string(rng().below(3))}}, {"edited-before"}};
    }
  }
  command.max_messages = rng().per_mille(300) ? 1 + rng().below(8) : 0;
  command.rate = rng().per_mille(250) ? 1 + static_cast<std::uint64_t>(rng().skewed(39)) : 0;
  if (rng().per_mille(400)) {
    command.filter = some_filter();
  }
  count("operator: begins a redrive");
  if (command.rate != 0) {
    slow_.insert(source.name);
  }
  request(command, nullptr,
          [this, command, target, log = source.logs.front()](proto::SessionId session,
                                                             std::uint64_t id) {
            stage_.oracle.heard_redrive(session, id, log, target, command);
          });
}

core::MessageFilter Operator::some_filter() {
  core::MessageFilter filter;
  switch (rng().below(6)) {
    case 0:
      filter.reason = rng().per_mille(500) ? "poison" : "max_receive_count";
      break;
    case 1:
      filter.key = "k" + std::to_string(rng().below(4));
      break;
    case 2:
      filter.header = kColourHeader;
      filter.header_value = rng().per_mille(500) ? "r" : "b";
      break;
    case 3:
      filter.message_id = stage_.oracle.some_id(rng());
      break;
    case 4:
      filter.died_after = stage_.host.now() - rng().skewed(20'000);
      break;
    default:
      filter.died_before = stage_.host.now() - rng().skewed(20'000);
      break;
  }
  return filter;
}

void Operator::begin_senseless_redrive(const Target& source) {
  core::StartRedrive command;
  command.name_space = kNamespace;
  command.name = rng().per_mille(500) ? source.name : "no-such-queue";
  command.target = source.name;
  command.parked = rng().per_mille(500);
  request(command, [this](const proto::Result<core::Reply>& reply) {
    if (reply) {
      stage_.world.violate("a redrive that makes no sense has begun");
    }
  });
}

void Operator::cancel_redrive(const Target& source) {
  const bool is_known = stage_.healed || rng().per_mille(900);
  request(core::CancelRedrive{kNamespace, is_known ? source.name : "no-such-queue"}, nullptr,
          [this, is_known, log = source.logs.front()](proto::SessionId session, std::uint64_t id) {
            if (is_known) {
              stage_.oracle.heard_cancel_redrive(session, id, log);
            }
          });
}

void Operator::list_redrives() {
  core::ListRedrives command{kNamespace, {}};
  command.page.max_results = rng().per_mille(200) ? 1 : 0;
  request(command, nullptr, [this](proto::SessionId session, std::uint64_t id) {
    stage_.oracle.heard_list_redrives(session, id);
  });
}

}  // namespace weir::sim
