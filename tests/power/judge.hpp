#pragma once

#include "tests/power/expectations.hpp"
#include "tests/power/life.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::power {

/// Starts a broker on what lies in `data_dir`, as the product does, and holds it to what was said:
/// the start succeeds, the rows are those of one commit that is not older than what was promised,
/// each message is where it was said to be and nowhere else, leases that run keep everybody away
/// and their handles work, attempts have not fallen, offsets go on, a send that is repeated is told
/// apart, topics read back without a gap. Text of the first promise that is broken.
[[nodiscard]] std::optional<std::string> judge(const std::string& data_dir,
                                               Expectations expectations, std::uint64_t seed);

}  // namespace weir::power
