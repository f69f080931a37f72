#include "broker/cli/format.hpp"
#include "broker/cli/time_spec.hpp"
#include "client/core/address.hpp"
#include "proto/assert.hpp"
#include "proto/backup_manifest.hpp"
#include "proto/handle.hpp"
#include "proto/names.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace weir::fuzz {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

void names(std::string_view name) {
  const bool is_queue = proto::check_queue_name(name).has_value();
  const bool is_topic = proto::check_topic_name(name).has_value();
  const bool is_namespace = proto::check_namespace_name(name).has_value();
  WEIR_ASSERT(!is_queue || name.size() <= 80, "a queue's name is short");
  WEIR_ASSERT(!is_topic || name.size() <= 249, "a topic's name is short");
  WEIR_ASSERT(!is_namespace || name.size() <= 63, "a namespace's name is short");
  if (is_queue || is_topic || is_namespace) {
    WEIR_ASSERT(!name.empty() && std::ranges::all_of(name, is_plain) && name != "." && name != "..",
                "a name is safe to print, and no path");
    WEIR_ASSERT(proto::printable(name.substr(0, 100)) == name.substr(0, 100),
                "a name is printed as it is");
  }
  const std::string shown = proto::printable(name);
  WEIR_ASSERT(shown.size() <= 500, "what is printed is short, too");
  WEIR_ASSERT(std::ranges::all_of(shown, [](char c) { return c >= ' ' && c <= '~'; }),
              "what is printed moves no terminal");
}

void handles(std::string_view handle) {
  if (const auto decoded = proto::decode_handle(handle)) {
    WEIR_ASSERT(proto::encode_handle(*decoded) == handle, "there is one text for a handle");
  }
}

void addresses(std::string_view address) {
  if (const auto parsed = sdk::parse_address(address)) {
    std::string again = "weir://";
    for (const sdk::HostPort& host : parsed->hosts) {
      again += (again.ends_with('/') ? "" : ",") + host.to_string();
    }
    const auto second = sdk::parse_address(again + "/" + parsed->name_space);
    WEIR_ASSERT(
        second && second->hosts == parsed->hosts && second->name_space == parsed->name_space,
        "an address comes back as it was");
  }
}

void times(std::string_view spec) {
  const Timestamp now{std::chrono::milliseconds(1'777'629'600'250)};
  static_cast<void>(cli::parse_time(spec, now));
  static_cast<void>(cli::parse_from(spec, now));
  static_cast<void>(cli::parse_to(spec));
}

void formats(std::string_view text) {
  if (const auto format = cli::Format::parse(text)) {
    std::string out;
    cli::FormatFields fields;
    fields.source = "q";
    fields.value = text;
    format->render(fields, out);
  }
}

void manifests(std::string_view text) {
  if (const auto manifest = proto::parse_backup_manifest(text)) {
    WEIR_ASSERT(proto::encode_backup_manifest(*manifest) == text,
                "there is one text for a manifest");
  }
}

}  // namespace

void text(std::string_view bytes) {
  Input input(bytes);
  const std::size_t which = input.below(6);
  const std::string_view words = input.rest();
  switch (which) {
    case 0:
      return names(words);
    case 1:
      return handles(words);
    case 2:
      return addresses(words);
    case 3:
      return times(words);
    case 4:
      return formats(words);
    default:
      return manifests(words);
  }
}

}  // namespace weir::fuzz
