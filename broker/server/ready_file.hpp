#pragma once

#include "proto/result.hpp"

#include <string>

namespace weir::server {

struct ReadyAddresses {
  std::string listen;
  std::string http;
};

/// Writes `listen=HOST:PORT` and `http=HOST:PORT` so that who waits for the file sees all of it or
/// nothing. INVALID_ARGUMENT when it cannot be written.
proto::Result<> write_ready_file(const std::string& path, const ReadyAddresses& addresses);
/// Takes the file away when the broker stops; it may be gone.
void remove_ready_file(const std::string& path);

}  // namespace weir::server
