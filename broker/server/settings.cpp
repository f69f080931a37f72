#include "broker/server/settings.hpp"

#include "broker/server/setting_values.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <array>

namespace weir::server {
namespace {

using proto::Result;

constexpr std::uint64_t kMaxSpinUs = 10'000;
constexpr std::uint64_t kMaxConnectionsSetting = 1'000'000;
constexpr std::uint64_t kMaxMetricsObjects = 1'000'000;

template <class To>
Result<> assign_bytes(std::string_view text, To& to) {
  const Result<std::uint64_t> bytes = parse_bytes(text);
  if (!bytes) {
    return bytes.error();
  }
  to = *bytes;
  return {};
}

template <std::uint64_t Config::* kMember>
Setting size(std::string_view key, std::string_view help) {
  return {.key = key,
          .help = help,
          .set = [](std::string_view text, Config& to) { return assign_bytes(text, to.*kMember); },
          .get = [](const Config& from) { return format_bytes(from.*kMember); }};
}

template <std::uint32_t Config::* kMember, std::uint64_t kLow, std::uint64_t kHigh>
Setting number(std::string_view key, std::string_view help) {
  return {.key = key,
          .help = help,
          .kind = Setting::Kind::kNumber,
          .set = [](std::string_view text, Config& to) -> Result<> {
            const Result<std::uint64_t> number = parse_number(text);
            if (!number) {
              return number.error();
            }
            if (*number < kLow || *number > kHigh) {
              return invalid_setting("it is between " + std::to_string(kLow) + " and " +
                                     std::to_string(kHigh));
            }
            to.*kMember = static_cast<std::uint32_t>(*number);
            return {};
          },
          .get = [](const Config& from) { return std::to_string(from.*kMember); }};
}

template <bool Config::* kMember>
Setting switch_of(std::string_view key, std::string_view help) {
  return {.key = key,
          .help = help,
          .kind = Setting::Kind::kSwitch,
          .set = [](std::string_view text, Config& to) -> Result<> {
            if (text != "true" && text != "false") {
              return invalid_setting("it is true or false");
            }
            to.*kMember = text == "true";
            return {};
          },
          .get = [](const Config& from) { return std::string(from.*kMember ? "true" : "false"); }};
}

// `check` gives what is wrong with a text, or nothing.
template <std::string Config::* kMember, Result<> (*kCheck)(std::string_view)>
Setting text(std::string_view key, std::string_view help) {
  return {.key = key,
          .help = help,
          .set = [](std::string_view text, Config& to) -> Result<> {
            if (Result<> checked = kCheck(text); !checked) {
              return checked;
            }
            to.*kMember = text;
            return {};
          },
          .get = [](const Config& from) { return from.*kMember; }};
}

Result<> any_text(std::string_view /*text*/) {
  return {};
}

Result<> some_text(std::string_view text) {
  return text.empty() ? Result<>(invalid_setting("it must not be empty")) : Result<>();
}

Result<> address(std::string_view text) {
  const Result<HostPort> parsed = parse_host_port(text);
  return parsed ? Result<>() : Result<>(parsed.error());
}

Result<> log_level(std::string_view text) {
  constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                       "warn",  "error", "off"};
  return std::ranges::find(kLevels, text) != kLevels.end()
             ? Result<>()
             : Result<>(invalid_setting("it is trace, debug, info, warn, error or off"));
}

Result<> log_format(std::string_view text) {
  return text == "text" || text == "json" ? Result<>()
                                          : Result<>(invalid_setting("it is text or json"));
}

Setting http_address(std::string_view key, std::string_view help) {
  return {.key = key,
          .help = help,
          .set = [](std::string_view text, Config& to) -> Result<> {
            if (text == "off") {
              to.http.clear();
              return {};
            }
            to.http = text;
            return address(text);
          },
          .get = [](const Config& from) { return from.http.empty() ? "off" : from.http; }};
}

Setting free_disk(std::string_view key, std::string_view help) {
  return {.key = key,
          .help = help,
          .set = [](std::string_view text, Config& to) -> Result<> {
            if (text == "default") {
              to.min_free_disk_bytes.reset();
              return {};
            }
            return assign_bytes(text, to.min_free_disk_bytes);
          },
          .get =
              [](const Config& from) {
                return from.min_free_disk_bytes ? format_bytes(*from.min_free_disk_bytes)
                                                : std::string("default");
              }};
}

Setting at_run_time(Setting setting) {
  setting.is_reloadable = true;
  return setting;
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = {
      text<&Config::data_dir, some_text>("data_dir", "Directory that holds everything stored"),
      text<&Config::listen, address>("listen", "HOST:PORT for clients"),
      http_address("http", "HOST:PORT for health and metrics, or off"),
      at_run_time(text<&Config::log_level, log_level>("log_level",
                                                      "trace, debug, info, warn, error or off")),
      at_run_time(
          text<&Config::log_format, log_format>("log_format", "text, or json: one object a line")),
      text<&Config::ready_file, any_text>("ready_file",
                                          "File that gets the addresses once the broker is ready"),
      at_run_time(number<&Config::max_connections, 1, kMaxConnectionsSetting>(
          "max_connections", "Clients at one time")),
      at_run_time(number<&Config::metrics_max_objects, 0, kMaxMetricsObjects>(
          "metrics_max_objects",
          "Queues, and partitions, with metrics of their own; the others are summed up")),
      size<&Config::max_memory_bytes>(
          "max_memory_bytes",
          "A start is refused when the parts below and the clients may need more"),
      size<&Config::producer_budget_bytes>("producer_budget_bytes",
                                           "Memory for sends that are not stored yet"),
      size<&Config::tail_cache_bytes>("tail_cache_bytes", "Memory for the newest messages"),
      size<&Config::idle_batch_bytes>(
          "idle_batch_bytes",
          "Memory for what is known of messages that were given back or parked"),
      size<&Config::write_buffer_bytes>("write_buffer_bytes",
                                        "Memory of the database for rows that are not flushed"),
      size<&Config::block_cache_bytes>("block_cache_bytes",
                                       "Memory of the database for blocks that were read"),
      size<&Config::max_wal_bytes>("max_wal_bytes", "About what a restart replays at most"),
      number<&Config::spin_us, 0, kMaxSpinUs>(
          "spin_us", "Threads wait awake for what is likely to come within this; 0: they sleep"),
      at_run_time(free_disk("min_free_disk_bytes",
                            "Sends are refused while less is free (default: 1 GiB or 5 %)")),
      size<&Config::ballast_bytes>("ballast_bytes",
                                   "Disk space kept aside for draining a full disk"),
      at_run_time(number<&Config::drain_ms, 0, proto::kMaxDrainMs>(
          "drain_ms", "How long clients have to leave when the broker stops")),
      switch_of<&Config::insecure>("insecure", "Listen beyond loopback, without authentication"),
      switch_of<&Config::accept_damage>("accept_damage",
                                        "Start although stored data is missing or damaged"),
  };
  return table;
}

const Setting* find_setting(std::string_view key) {
  const auto found = std::ranges::find(settings(), key, &Setting::key);
  return found == settings().end() ? nullptr : &*found;
}

std::string environment_name(std::string_view key) {
  std::string name = "WEIR_";
  for (const char c : key) {
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

std::string flag_name(std::string_view key) {
  std::string name = "--" + std::string(key);
  std::ranges::replace(name, '_', '-');
  return name;
}

}  // namespace weir::server
