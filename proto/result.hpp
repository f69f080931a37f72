#pragma once

#include "proto/error.hpp"

#include <boost/system/result.hpp>

#include <stdexcept>
#include <utility>

namespace weir::proto {

/// A value or an Error. Test it before use; `value()` on an error throws std::runtime_error, which
/// only tests and main() may let happen.
template <class T = void>
using Result = boost::system::result<T, Error>;

/// Found by Boost.System through the Error argument when value() is called on an error.
[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw std::runtime_error(error.to_string());
}

/// Builds a failed Result of any type: `return fail(Errc::kQueueNotFound, "...")`.
inline Error fail(Errc code, std::string message) {
  return make_error(code, std::move(message));
}

}  // namespace weir::proto
