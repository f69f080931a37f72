#pragma once

#include "tests/power/disk_model.hpp"

#include <string>

namespace weir::power {

/// Makes `root` hold the image and nothing else; it is made when it is not there. Ends the process
/// when the system refuses: nothing can be judged then.
void write_image(const Image& image, const std::string& root);

}  // namespace weir::power
