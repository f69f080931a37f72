#pragma once

#include "broker/cli/command.hpp"
#include "weir/client.hpp"

#include <optional>
#include <utility>

namespace weir::cli {

/// A client that connects when it is first asked for, behind whatever must stand before its thread
/// does.
class LateClient {
 public:
  explicit LateClient(const Connection& connection) : connection_(connection) {}

  /// The client, or why there is none; the next call tries again.
  [[nodiscard]] Result<Client*> get() {
    if (!client_) {
      Result<Client> connected = connection_.connect();
      if (!connected) {
        return std::move(connected).error();
      }
      client_.emplace(*std::move(connected));
    }
    return &*client_;
  }

 private:
  const Connection& connection_;
  std::optional<Client> client_;
};

}  // namespace weir::cli
