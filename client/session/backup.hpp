#pragma once

#include "weir/admin.hpp"
#include "weir/result.hpp"

#include <chrono>

namespace weir::sdk {

class Engine;

/// Client::backup().
[[nodiscard]] Result<BackupDescription> read_backup(Engine& engine, BackupSink& sink,
                                                    std::chrono::milliseconds timeout);

}  // namespace weir::sdk
