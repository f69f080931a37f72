#pragma once

#include "broker/core/reply.hpp"
#include "proto/result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace weir::net {

/// What a running broker made of its config file when it read it again.
struct ConfigReload {
  std::string file;
  std::vector<core::SettingChange> taken;  // in force from now on
  std::vector<core::SettingChange> left;   // these would need a new start; `after` is what was read
  std::vector<std::string> unchanged;
};

/// Reads the config file again and takes what can be taken, all of it or nothing. INVALID_ARGUMENT:
/// the file is refused, and why; UNSUPPORTED: there is no file; SHUTTING_DOWN.
using ReloadConfig = std::function<proto::Result<ConfigReload>()>;

}  // namespace weir::net
