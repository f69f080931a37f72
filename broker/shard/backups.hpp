#pragma once

#include "broker/core/command.hpp"
#include "broker/core/reply.hpp"
#include "broker/shard/shard.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weir::shard {

/// The copy of everything that a client reads block by block: of one moment, whatever is written
/// meanwhile. One at a time, because it keeps what is deleted in that time on the disk. It ends
/// with its last block, an error, its session, another one of that session, or when nobody has
/// asked for a block for kIdleMs. Memory is one block and one row. On the shard's executor; rows
/// are read by the loader.
class Backups {
 public:
  using Done = std::function<void(proto::Result<core::BackupBlock>)>;
  static constexpr std::int64_t kIdleMs = 60'000;

  /// All outlive this. Of the ports: store, loader, now, stored_bytes and on_backup.
  explicit Backups(const Ports& ports);
  ~Backups();
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  /// `done` hears of the block on the shard's executor. LIMIT_EXCEEDED: another session's backup is
  /// under way. INVALID_ARGUMENT: there is no such backup in this session, or the block is not the
  /// next one, or the one before has not been answered. Otherwise the errors of reading.
  void read(proto::SessionId session, const core::ReadBackup& command, std::uint32_t incarnation,
            Done done);
  void remove_session(proto::SessionId session);
  /// Ends a backup that was waited for in vain.
  void expire(proto::TimeMs now);
  /// When expire() has something to do; nullopt without a backup that waits.
  [[nodiscard]] std::optional<proto::TimeMs> next_deadline() const;
  /// Everything begins anew.
  void clear();
  [[nodiscard]] const BackupCounts& counts() const { return counts_; }

 private:
  struct Backup;

  [[nodiscard]] proto::Result<> begin(proto::SessionId session, std::uint32_t incarnation);
  void load_block(Done done);
  void end(BackupEvent::What how, std::string why);
  void tell(BackupEvent::What what, std::string why) const;

  const Ports& ports_;
  BackupCounts counts_;
  std::shared_ptr<Backup> current_;  // shared with the loader while it reads
  std::uint64_t last_id_ = 0;
};

}  // namespace weir::shard
