#include "client/session/backup.hpp"

#include "client/core/convert.hpp"
#include "client/session/engine.hpp"
#include "client/session/pending_call.hpp"
#include "proto/backup_manifest.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/names.hpp"
#include "weir/v1/protocol.pb.h"

#include <cstdint>
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

}  // namespace

Result<BackupDescription> read_backup(const std::shared_ptr<Engine>& engine, BackupSink& sink,
                                      BackupExpectation& expectation, const CallOptions& call) {
  proto::BackupManifest read;
  std::uint64_t backup = 0;
  for (std::uint64_t block = 0;; ++block) {
    v1::Request request;
    request.mutable_read_backup()->set_backup(backup);
    request.mutable_read_backup()->set_block(block);
    const TimePoint deadline = engine->deadline_of(call, engine->options().overall_timeout());
    const Result<v1::Response> response =
        wait_for(*engine, deadline, /*changes_something=*/false,
                 [&] { return ask_once<v1::Response>(engine, std::move(request), call, whole); });
    if (!response) {
      return block == 0 ? response.error() : broken_off(response.error());
    }
    const v1::BackupBlock& piece = response->backup_block();
    if (!response->has_backup_block() || piece.block() != block || piece.backup() == 0 ||
        (block > 0 && piece.backup() != backup)) {
      return Error(ErrorCode::kMalformed,
                   "the broker's answer is not the next block of the backup");
    }
    backup = piece.backup();
    if (block == 0) {
      expectation(piece.expected_bytes());
    }
    read.shard_bytes += piece.bytes().size();
    read.shard_crc = proto::crc32c(read.shard_crc, piece.bytes());
    if (Result<> taken = sink(piece.bytes()); !taken) {
      return std::move(taken).error();
    }
    if (piece.has_summary()) {
      return described(piece.summary(), std::move(read));
    }
  }
}

}  // namespace weir::sdk
