#include "broker/shard/backups.hpp"

#include "proto/limits.hpp"
#include "storage/export.hpp"

#include <string>
#include <utility>

namespace weir::shard {

using proto::Errc;
using proto::fail;

namespace {

// So that a block holds nothing up that leaves beside it. A row may come on top.
constexpr std::size_t kBlockBytes = proto::kMaxPieceBytes;

proto::Error over() {
  return fail(Errc::kInvalidArgument,
              "there is no such backup on this connection, or that is not its next block: it ends "
              "with its connection, and when nobody reads on for " +
                  std::to_string(Backups::kIdleMs / 1000) + " s; begin anew");
}

}  // namespace

struct Backups::Backup {
  std::uint64_t id = 0;
  proto::SessionId session;
  std::uint32_t incarnation = 0;
  std::uint64_t next_block = 0;
  std::uint64_t bytes = 0;  // of the blocks before it
  proto::TimeMs begun = 0;
  bool is_reading = false;
  proto::TimeMs read_on_until = 0;  // while it is not reading
  /// The loader's while it reads, which also makes it: the moment is that of the first block.
  std::optional<storage::ShardExport> rows;
};

Backups::Backups(const Ports& ports) : ports_(ports) {}

Backups::~Backups() = default;

void Backups::read(proto::SessionId session, const core::ReadBackup& command,
                   std::uint32_t incarnation, Done done) {
  if (command.backup == 0 && command.block == 0) {
    if (const proto::Result<> begun = begin(session, incarnation); !begun) {
      done(begun.error());
      return;
    }
  } else if (!current_ || current_->id != command.backup || current_->session != session ||
             current_->next_block != command.block || current_->is_reading) {
    done(over());
    return;
  }
  load_block(std::move(done));
}

proto::Result<> Backups::begin(proto::SessionId session, std::uint32_t incarnation) {
  if (current_ && current_->session != session) {
    return fail(Errc::kLimitExceeded, "another backup is under way, and there is one at a time");
  }
  end(BackupEvent::What::kAbandoned, "its client has begun another one");
  current_ = std::make_shared<Backup>();
  current_->id = ++last_id_;
  current_->session = session;
  current_->incarnation = incarnation;
  current_->begun = ports_.now();
  tell(BackupEvent::What::kBegun, "");
  return {};
}

// Nothing, when there is none.
void Backups::end(BackupEvent::What how, std::string why) {
  if (!current_) {
    return;
  }
  switch (how) {
    case BackupEvent::What::kDone:
      ++counts_.done;
      counts_.last_time = ports_.now();
      counts_.last_took_ms = counts_.last_time - current_->begun;
      counts_.last_bytes = current_->bytes;
      break;
    case BackupEvent::What::kFailed:
      ++counts_.failed;
      break;
    case BackupEvent::What::kAbandoned:
      ++counts_.abandoned;
      break;
    case BackupEvent::What::kBegun:
      break;
  }
  tell(how, std::move(why));
  current_.reset();
}

void Backups::tell(BackupEvent::What what, std::string why) const {
  if (ports_.on_backup) {
    ports_.on_backup({.what = what,
                      .session = current_->session,
                      .bytes = current_->bytes,
                      .took_ms = ports_.now() - current_->begun,
                      .why = std::move(why)});
  }
}

void Backups::clear() {
  end(BackupEvent::What::kAbandoned, "the shard begins anew");
}

void Backups::load_block(Done done) {
  current_->is_reading = true;
  ports_.loader->load(
      [this, backup = current_, done = std::move(done)](const storage::Reader&) mutable {
        if (!backup->rows) {
          backup->rows.emplace(ports_.store->snapshot(),
                               storage::ExportOptions{.block_bytes = kBlockBytes});
        }
        auto piece = std::make_shared<proto::Result<std::string>>(backup->rows->next());
        // What waits in the executor when everything ends must not hold the store's moment.
        const std::weak_ptr<Backup> weak = std::exchange(backup, nullptr);
        return Loader::Continuation([this, weak, piece, done = std::move(done)] {
          const std::shared_ptr<Backup> read = weak.lock();
          if (!read || read != current_) {
            done(over());
            return;
          }
          if (!*piece) {
            end(BackupEvent::What::kFailed, piece->error().to_string());
            done(piece->error());
            return;
          }
          read->bytes += (*piece)->size();
          core::BackupBlock block{.backup = read->id,
                                  .block = read->next_block++,
                                  .bytes = std::move(**piece),
                                  .summary = {},
                                  .expected_bytes = 0};
          if (block.block == 0 && ports_.stored_bytes) {
            block.expected_bytes = ports_.stored_bytes();
          }
          read->is_reading = false;
          read->read_on_until = ports_.now() + kIdleMs;
          if (read->rows->is_done()) {
            const storage::TransferSummary rows = read->rows->summary();
            block.summary = {.incarnation = read->incarnation,
                             .point = rows.point,
                             .rows = rows.rows,
                             .row_bytes = rows.bytes,
                             .rows_digest = rows.digest};
            end(BackupEvent::What::kDone, "");
          }
          done(std::move(block));
        });
      });
}

void Backups::remove_session(proto::SessionId session) {
  if (current_ && current_->session == session) {
    end(BackupEvent::What::kAbandoned, "its connection has ended");
  }
}

void Backups::expire(proto::TimeMs now) {
  if (const auto until = next_deadline(); until && *until <= now) {
    end(BackupEvent::What::kAbandoned,
        "nobody has read on for " + std::to_string(kIdleMs / 1000) + " s");
  }
}

std::optional<proto::TimeMs> Backups::next_deadline() const {
  return current_ && !current_->is_reading ? std::optional(current_->read_on_until) : std::nullopt;
}

}  // namespace weir::shard
