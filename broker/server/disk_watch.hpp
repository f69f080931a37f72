#pragma once

#include "broker/server/disk_gate.hpp"
#include "proto/result.hpp"
#include "storage/file.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::server {

/// Looks at the disk that holds the data directory, and keeps the ballast: a file that is given up
/// when the disk is full, so that acks and deletes, which write too, can go on.
class DiskWatch {
 public:
  /// `min_free_bytes`: nullopt for the larger of 1 GiB and 5 %. Lays the ballast down where there
  /// is room for it.
  DiskWatch(std::string directory, std::optional<std::uint64_t> min_free_bytes,
            std::uint64_t ballast_bytes);

  /// As in the constructor; from the next look on.
  void set_min_free_bytes(std::optional<std::uint64_t> min_free_bytes);

  /// Looks once; true when sends are to be refused. A disk that cannot be asked counts as before.
  bool look();
  [[nodiscard]] const storage::DiskSpace& space() const { return space_; }
  [[nodiscard]] std::uint64_t min_free_bytes() const { return limits_.min_free_bytes; }

 private:
  bool lay_ballast();
  void release_ballast();

  std::string directory_;
  std::string ballast_path_;
  storage::DiskSpace space_;
  DiskGate::Limits limits_;
  DiskGate gate_;
  bool refuses_ = false;
};

}  // namespace weir::server
