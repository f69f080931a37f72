#pragma once

#include "weir/admin.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <memory>

namespace weir::sdk {

class Engine;

/// Client::backup().
[[nodiscard]] Result<BackupDescription> read_backup(const std::shared_ptr<Engine>& engine,
                                                    BackupSink& sink,
                                                    BackupExpectation& expectation,
                                                    const CallOptions& call);

}  // namespace weir::sdk
