#include "broker/server/backup_line.hpp"

#include "broker/logging/log_line.hpp"

namespace weir::server {
namespace {

std::string words_of(const shard::BackupEvent& event) {
  using What = shard::BackupEvent::What;
  const std::string read =
      std::to_string(event.bytes) + " bytes, " + std::to_string(event.took_ms) + " ms";
  switch (event.what) {
    case What::kBegun:
      return "a backup has begun";
    case What::kDone:
      return "a backup is done: " + read;
    case What::kFailed:
      return "a backup has failed, " + event.why + ": " + read;
    case What::kAbandoned:
      return "a backup was broken off, " + event.why + ": " + read;
  }
  return {};
}

}  // namespace

std::string backup_line(const shard::BackupEvent& event) {
  return logging::with_fields(words_of(event), {{"session", std::to_string(event.session.value)}});
}

}  // namespace weir::server
