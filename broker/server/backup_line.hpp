#pragma once

#include "broker/shard/shard.hpp"

#include <string>

namespace weir::server {

/// What the log says of the beginning or the end of a backup, with the session that reads it. Pure.
[[nodiscard]] std::string backup_line(const shard::BackupEvent& event);

}  // namespace weir::server
