#include "broker/server/config.hpp"

#include "broker/server/config_file.hpp"
#include "broker/server/setting_values.hpp"
#include "proto/assert.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <string_view>

namespace weir::fuzz {

void config(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t which = input.byte() % 4;
  const std::string_view text = input.rest();
  if (which == 1) {
    static_cast<void>(server::parse_bytes(text));
    return;
  }
  if (which == 2) {
    if (const auto parsed = server::parse_host_port(text)) {
      WEIR_ASSERT(!parsed->host.empty(), "an address has a host");
    }
    return;
  }
  const auto values = server::parse_config_file(text, "weir.toml");
  if (!values) {
    WEIR_ASSERT(
        values.error().code == proto::Errc::kInvalidArgument && !values.error().message.empty(),
        "a person is told what is wrong");
    return;
  }
  const auto config = server::make_config({*values});
  const auto from_two = server::make_config({*values, *values});
  WEIR_ASSERT(config.has_value() == from_two.has_value(), "the same again changes nothing");
  if (config) {
    const auto printed = server::parse_config_file(server::to_config_file(*config), "printed");
    WEIR_ASSERT(printed.has_value(), "what is printed can be read");
    const auto again = server::make_config({*printed});
    WEIR_ASSERT(again.has_value(), "and is taken");
    const auto reloaded = server::reload(*config, *again);
    WEIR_ASSERT(reloaded && reloaded->report.taken.empty() && reloaded->report.left.empty(),
                "and says the same");
  }
}

}  // namespace weir::fuzz
