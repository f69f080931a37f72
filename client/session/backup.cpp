#include "client/session/backup.hpp"

#include "client/core/convert.hpp"
#include "client/session/engine.hpp"
#include "client/session/pending_call.hpp"
#include "proto/backup_manifest.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/names.hpp"
#include "weir/v1/protocol.pb.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weir::sdk {
namespace {

// What the broker refuses in the middle is no mistake of the caller's.
Error broken_off(const Error& error) {
  if (error.code != ErrorCode::kInvalidArgument) {
    return error;
  }
  return Error(ErrorCode::kCancelled, "the backup was broken off: " + error.message);
}

Result<v1::Response> whole(Result<v1::Response> response) {
  return response;
}

BackupDescription described(const v1::BackupSummary& summary, proto::BackupManifest manifest) {
  manifest.broker = proto::printable(summary.broker());
  manifest.incarnation = summary.incarnation();
  manifest.commit = proto::CommitIndex{summary.commit()};
  manifest.commit_digest = summary.commit_digest();
  manifest.commit_time = summary.commit_time();
  manifest.rows = summary.rows();
  manifest.row_bytes = summary.row_bytes();
  manifest.rows_digest = summary.rows_digest();
  BackupDescription description;
  description.broker = manifest.broker;
  description.incarnation = manifest.incarnation;
  description.commit = manifest.commit.value;
  description.commit_time = to_timestamp(manifest.commit_time);
  description.rows = manifest.rows;
  description.row_bytes = manifest.row_bytes;
  description.digest = proto::hex_digest(manifest.rows_digest);
  description.file_bytes = manifest.shard_bytes;
  description.manifest = proto::encode_backup_manifest(manifest);
  return description;
}

// The blocks of one backup, asked for one after the other.
class Reading {
 public:
  explicit Reading(BackupExpectation expectation) : expectation_(std::move(expectation)) {}

  [[nodiscard]] v1::Request next_request() const {
    v1::Request request;
    request.mutable_read_backup()->set_backup(backup_);
    request.mutable_read_backup()->set_block(next_block_);
    return request;
  }
  /// The bytes of the block that was asked for.
  [[nodiscard]] Result<std::string> take(Result<v1::Response> response) {
    if (!response) {
      return next_block_ == 0 ? response.error() : broken_off(response.error());
    }
    v1::BackupBlock& piece = *response->mutable_backup_block();
    if (piece.block() != next_block_ || piece.backup() == 0 ||
        (next_block_ > 0 && piece.backup() != backup_)) {
      return Error(ErrorCode::kMalformed,
                   "the broker's answer is not the next block of the backup");
    }
    if (next_block_++ == 0) {
      expectation_(piece.expected_bytes());
    }
    backup_ = piece.backup();
    read_.shard_bytes += piece.bytes().size();
    read_.shard_crc = proto::crc32c(read_.shard_crc, piece.bytes());
    if (piece.has_summary()) {
      description_ = described(piece.summary(), read_);
    }
    return std::move(*piece.mutable_bytes());
  }
  /// Once the last block was taken.
  [[nodiscard]] std::optional<BackupDescription>& description() { return description_; }

 private:
  BackupExpectation expectation_;
  std::uint64_t backup_ = 0;
  std::uint64_t next_block_ = 0;
  proto::BackupManifest read_;
  std::optional<BackupDescription> description_;
};

Future<v1::Response> ask_for_block(const std::shared_ptr<Engine>& engine, const Reading& reading,
                                   const CallOptions& call) {
  return ask_once<v1::Response>(engine, reading.next_request(), call, whole);
}

// A backup that nobody waits for: each answer asks for the next block.
class BackupCall : public std::enable_shared_from_this<BackupCall> {
 public:
  BackupCall(std::shared_ptr<Engine> engine, AsyncBackupSink sink, BackupExpectation expectation,
             CallOptions call)
      : engine_(std::move(engine)),
        sink_(std::move(sink)),
        call_(std::move(call)),
        reading_(std::move(expectation)) {}

  [[nodiscard]] Future<BackupDescription> future() { return promise_.future(); }

  void go_on() {
    // What the sink throws is the error of its future.
    Future<> stored = ask_for_block(engine_, reading_, call_)
                          .then([self = shared_from_this()](Result<v1::Response> response) {
                            return self->hand_over(std::move(response));
                          });
    std::move(stored).deliver_to([self = shared_from_this()](const Result<>& result) {
      if (self->engine_->on_io_thread()) {
        self->on_stored(result);
      } else {
        self->engine_->post([self, result](Session&) { self->on_stored(result); });
      }
    });
  }

 private:
  Future<> hand_over(Result<v1::Response> response) {
    Result<std::string> bytes = reading_.take(std::move(response));
    return bytes ? sink_(std::move(*bytes)) : Future<>(std::move(bytes).error());
  }
  void on_stored(const Result<>& result) {
    if (!result) {
      promise_.set(result.error());
    } else if (reading_.description()) {
      promise_.set(std::move(*reading_.description()));
    } else {
      go_on();
    }
  }

  const std::shared_ptr<Engine> engine_;
  AsyncBackupSink sink_;
  const CallOptions call_;
  Reading reading_;
  Promise<BackupDescription> promise_;
};

}  // namespace

Result<BackupDescription> read_backup(const std::shared_ptr<Engine>& engine, BackupSink& sink,
                                      BackupExpectation expectation, const CallOptions& call) {
  Reading reading(std::move(expectation));
  while (!reading.description()) {
    const TimePoint deadline = engine->deadline_of(call, engine->options().overall_timeout());
    const Result<std::string> bytes =
        reading.take(wait_for(*engine, deadline, /*changes_something=*/false,
                              [&] { return ask_for_block(engine, reading, call); }));
    if (!bytes) {
      return bytes.error();
    }
    if (Result<> taken = sink(*bytes); !taken) {
      return std::move(taken).error();
    }
  }
  return std::move(*reading.description());
}

Future<BackupDescription> async_read_backup(const std::shared_ptr<Engine>& engine,
                                            AsyncBackupSink sink, BackupExpectation expectation,
                                            const CallOptions& call) {
  const auto backup =
      std::make_shared<BackupCall>(engine, std::move(sink), std::move(expectation), call);
  Future<BackupDescription> future = backup->future();
  backup->go_on();
  return future;
}

}  // namespace weir::sdk
