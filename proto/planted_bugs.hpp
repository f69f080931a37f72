#pragma once

// Bugs on purpose, so that the rings of tests can be asked whether they would find them. Only a
// build with WEIR_PLANTED_BUGS (the preset `planted`) has them, one at a time and by the name in
// the environment variable WEIR_PLANTED_BUG; everywhere else WEIR_PLANTED() is `false`. What each
// of them does, and where others had it, is in tests/planted/bugs.tsv.

#ifdef WEIR_PLANTED_BUGS

#include <string_view>

namespace weir::proto {

/// Whether this is the bug of this process. The first call reads the environment.
[[nodiscard]] bool is_planted(std::string_view bug);

}  // namespace weir::proto

#define WEIR_PLANTED(bug) (::weir::proto::is_planted(#bug))

#else

#define WEIR_PLANTED(bug) false

#endif
