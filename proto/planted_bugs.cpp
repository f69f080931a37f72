#include "proto/planted_bugs.hpp"

#ifdef WEIR_PLANTED_BUGS

#include <cstdlib>

namespace weir::proto {

bool is_planted(std::string_view bug) {
  static const char* const wanted = std::getenv("WEIR_PLANTED_BUG");
  return wanted != nullptr && bug == wanted;
}

}  // namespace weir::proto

#endif
