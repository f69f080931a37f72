#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/faults/shim_control.hpp"

#include <filesystem>
#include <string>

namespace weir::faults {

/// The outside of the shim: makes its file, and says how a broker gets it.
class ShimHandle {
 public:
  /// `library` is the shim's path. INTERNAL when the file below `dir` cannot be made.
  static proto::Result<ShimHandle> make(std::string library, const std::filesystem::path& dir);
  ShimHandle(ShimHandle&& other) noexcept;
  ShimHandle& operator=(ShimHandle&&) = delete;
  ~ShimHandle();

  [[nodiscard]] ShimControl& control() { return *control_; }
  /// `setup` with the shim in it.
  [[nodiscard]] crash::BrokerSetup with(crash::BrokerSetup setup) const;

 private:
  ShimHandle(std::string library, std::string file, ShimControl* control);

  std::string library_;
  std::string file_;
  ShimControl* control_;
};

}  // namespace weir::faults
