#pragma once

#include "weir/admin.hpp"
#include "weir/future.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <memory>

namespace weir::sdk {

class Engine;

/// Client::backup().
[[nodiscard]] Result<BackupDescription> read_backup(const std::shared_ptr<Engine>& engine,
                                                    BackupSink& sink, BackupExpectation expectation,
                                                    const CallOptions& call);
/// Client::async_backup().
[[nodiscard]] Future<BackupDescription> async_read_backup(const std::shared_ptr<Engine>& engine,
                                                          AsyncBackupSink sink,
                                                          BackupExpectation expectation,
                                                          const CallOptions& call);

}  // namespace weir::sdk
