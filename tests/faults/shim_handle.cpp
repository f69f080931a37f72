#include "tests/faults/shim_handle.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace weir::faults {

ShimHandle::ShimHandle(std::string library, std::string file, ShimControl* control)
    : library_(std::move(library)), file_(std::move(file)), control_(control) {}

ShimHandle::ShimHandle(ShimHandle&& other) noexcept
    : library_(std::move(other.library_)),
      file_(std::move(other.file_)),
      control_(std::exchange(other.control_, nullptr)) {}

ShimHandle::~ShimHandle() {
  if (control_ != nullptr) {
    release_syncs(*control_);  // a broker that waits for it can end
    ::munmap(control_, sizeof(ShimControl));
  }
}

proto::Result<ShimHandle> ShimHandle::make(std::string library, const std::filesystem::path& dir) {
  std::string path = (dir / "shim").string();
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  void* bytes = MAP_FAILED;
  if (file >= 0 && ::ftruncate(file, sizeof(ShimControl)) == 0) {
    bytes = ::mmap(nullptr, sizeof(ShimControl), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  ::close(file);
  if (bytes == MAP_FAILED) {
    return proto::fail(proto::Errc::kInternal, "the shim's file '" + path + "' cannot be made");
  }
  return ShimHandle(std::move(library), std::move(path), static_cast<ShimControl*>(bytes));
}

crash::BrokerSetup ShimHandle::with(crash::BrokerSetup setup) const {
  setup.environment.push_back("LD_PRELOAD=" + library_);
  setup.environment.push_back(std::string(kShimControlVariable) + "=" + file_);
  return setup;
}

}  // namespace weir::faults
