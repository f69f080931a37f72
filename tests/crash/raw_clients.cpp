#include "tests/crash/raw_clients.hpp"

#include <algorithm>
#include <poll.h>
#include <string>
#include <utility>

namespace weir::crash {
namespace {

using proto::Errc;
using proto::fail;

constexpr int kWaitMs = 1;

/// The last that a broker says before it ends in order.
bool is_goodbye(const proto::Result<>& result) {
  return !result && result.error().code == Errc::kShuttingDown;
}

}  // namespace

bool is_loss(const proto::Result<>& result) {
  return !result && result.error().code == Errc::kConnectFailed;
}

proto::Result<> RawClients::connect(std::uint16_t port) {
  for (const auto& consumer : consumers_) {
    if (proto::Result<> opened = consumer->open(port); !opened) {
      return opened;
    }
  }
  for (const auto& producers : producers_) {
    if (proto::Result<> opened = producers->open(port); !opened) {
      return opened;
    }
  }
  return {};
}

void RawClients::close(bool forget) {
  for (const auto& producers : producers_) {
    producers->close(forget);
  }
  for (const auto& consumer : consumers_) {
    consumer->close(forget);
  }
}

proto::Result<> RawClients::read_last_words() {
  for (RawSession* session : sessions()) {
    const proto::Result<> read = session->read();
    if (!read && !is_loss(read) && !is_goodbye(read)) {
      return read;
    }
  }
  return {};
}

void RawClients::on_stall(std::int64_t lost_ms) {
  for (const auto& consumer : consumers_) {
    consumer->on_stall(lost_ms);
  }
}

std::vector<RawSession*> RawClients::sessions() {
  std::vector<RawSession*> all;
  for (const auto& producers : producers_) {
    all.push_back(&producers->session());
  }
  for (const auto& consumer : consumers_) {
    all.push_back(&consumer->session());
  }
  return all;
}

std::int64_t RawClients::ms_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

proto::Result<> RawClients::serve(const Doing& doing) {
  for (const auto& producers : producers_) {
    producers->fill(doing.sends);
  }
  for (const auto& consumer : consumers_) {
    consumer->settle(doing.keeps, doing.drains);
  }
  const std::vector<RawSession*> all = sessions();
  std::vector<pollfd> waits;
  waits.reserve(all.size());
  for (RawSession* session : all) {
    if (proto::Result<> written = session->write(); !written) {
      return written;
    }
    waits.push_back(
        {session->fd(), static_cast<short>(POLLIN | (session->wants_write() ? POLLOUT : 0)), 0});
  }
  ::poll(waits.data(), waits.size(), kWaitMs);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) {
      continue;
    }
    if (proto::Result<> read = all[i]->read(); !read) {
      return read;
    }
  }
  return {};
}

proto::Error RawClients::stood_still() {
  return fail(Errc::kDeadlineExceeded,
              "the broker stood still: " + std::to_string(unanswered_sends()) +
                  " sends unanswered, " + std::to_string(unanswered_deliveries()) +
                  " deliveries unanswered");
}

std::uint64_t RawClients::unanswered_sends() {
  std::uint64_t messages = 0;
  for (const auto& producers : producers_) {
    // What this side still holds was not sent.
    messages += producers->session().wants_write() ? 0 : producers->unanswered();
  }
  return messages;
}

std::uint64_t RawClients::unanswered_batches() {
  std::uint64_t batches = 0;
  for (const auto& producers : producers_) {
    batches += producers->session().wants_write() ? 0 : producers->unanswered_batches();
  }
  return batches;
}

std::uint64_t RawClients::unanswered_deliveries() const {
  std::uint64_t messages = 0;
  for (const auto& consumer : consumers_) {
    messages += consumer->unanswered();
  }
  return messages;
}

bool RawClients::producers_are_idle() const {
  return std::ranges::all_of(producers_,
                             [](const auto& producers) { return producers->is_idle(); });
}

bool RawClients::consumers_are_idle() const {
  return std::ranges::all_of(consumers_, [](const auto& consumer) { return consumer->is_idle(); });
}

std::uint64_t RawClients::duplicates() const {
  std::uint64_t batches = 0;
  for (const auto& producers : producers_) {
    batches += producers->duplicates();
  }
  return batches;
}

std::uint64_t RawClients::expired() const {
  std::uint64_t settlements = 0;
  for (const auto& consumer : consumers_) {
    settlements += consumer->expired();
  }
  return settlements;
}

proto::Result<std::uint64_t> count_messages(RawSession& admin, const std::string& queue) {
  weir::v1::Request request;
  request.mutable_describe_queue()->set_name(queue);
  const auto described = admin.call(std::move(request));
  if (!described) {
    return described.error();
  }
  const weir::v1::QueueInfo& info = described->queue();
  return info.ready() + info.in_flight() + info.delayed() + info.dying() + info.parked();
}

}  // namespace weir::crash
