#include "broker/server/ready_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

namespace weir::server {

proto::Result<> write_ready_file(const std::string& path, const ReadyAddresses& addresses) {
  const std::string unfinished = path + ".tmp";
  {
    std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
    file << "listen=" << addresses.listen << "\nhttp=" << addresses.http << '\n';
    file.close();
    if (!file) {
      return proto::fail(proto::Errc::kInvalidArgument,
                         "cannot write the ready file " + unfinished);
    }
  }
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) {
    return proto::fail(proto::Errc::kInvalidArgument, "cannot write the ready file " + path + ": " +
                                                          std::generic_category().message(errno));
  }
  return {};
}

void remove_ready_file(const std::string& path) {
  std::remove(path.c_str());
}

}  // namespace weir::server
