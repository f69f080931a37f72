#pragma once

#include "broker/server/config.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The one table of settings: what reads, prints, compares and explains them goes through it. Pure.
namespace weir::server {

/// One setting: `data_dir`, and a line of help.
struct Setting {
  enum class Kind : std::uint8_t { kText, kNumber, kSwitch };

  std::string_view key;
  std::string_view help;
  Kind kind = Kind::kText;     // kSwitch: a flag without a value
  bool is_reloadable = false;  // a running broker takes another value (SIGHUP)
  /// INVALID_ARGUMENT says what the value may be.
  proto::Result<> (*set)(std::string_view text, Config& to) = nullptr;
  /// As set() reads it.
  std::string (*get)(const Config& from) = nullptr;
};

/// All of them, in the order in which they are explained.
const std::vector<Setting>& settings();
/// nullptr: there is none of that name.
const Setting* find_setting(std::string_view key);

/// WEIR_DATA_DIR for data_dir, --data-dir with flag_name().
std::string environment_name(std::string_view key);
std::string flag_name(std::string_view key);

}  // namespace weir::server
