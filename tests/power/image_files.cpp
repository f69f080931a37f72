#include "tests/power/image_files.hpp"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace weir::power {
namespace {

void write_file(const std::string& path, const std::string& bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  std::size_t done = 0;
  while (file >= 0 && done < bytes.size()) {
    const ssize_t count = ::write(file, bytes.data() + done, bytes.size() - done);
    if (count <= 0) {
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  if (file < 0 || done < bytes.size()) {
    std::perror(("weir-power: cannot write " + path).c_str());
    std::_Exit(2);
  }
  ::close(file);
}

}  // namespace

void write_image(const Image& image, const std::string& root) {
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root);
  for (const std::string& folder : image.folders) {
    std::filesystem::create_directory(root + "/" + folder);
  }
  for (const auto& [path, bytes] : image.files) {
    write_file(root + "/" + path, bytes);
  }
}

}  // namespace weir::power
