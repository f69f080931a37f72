#include "broker/server/config.hpp"

#include "broker/server/memory_budget.hpp"

#include <stdexcept>

// The library asserts what some files do not keep to. That is a file which is not TOML, and no
// reason to end the process.
#define TOML_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : throw std::invalid_argument("it is not TOML"))
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>
#include <utility>

namespace weir::server {
namespace {

using proto::Errc;
using proto::fail;

constexpr std::uint64_t kMaxDrainMs = 600'000;
constexpr std::uint64_t kMaxSpinUs = 10'000;
constexpr std::uint64_t kMaxConnectionsSetting = 1'000'000;

proto::Error invalid(std::string message) {
  return fail(Errc::kInvalidArgument, std::move(message));
}

proto::Result<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalid("'" + std::string(text) + "' is not a whole number");
  }
  return value;
}

proto::Result<> set_bytes(std::string_view text, std::uint64_t& to) {
  const proto::Result<std::uint64_t> bytes = parse_bytes(text);
  if (!bytes) {
    return bytes.error();
  }
  to = *bytes;
  return {};
}

proto::Result<> set_number(std::string_view text, std::uint64_t low, std::uint64_t high,
                           std::uint32_t& to) {
  const proto::Result<std::uint64_t> number = parse_number(text);
  if (!number) {
    return number.error();
  }
  if (*number < low || *number > high) {
    return invalid("it is between " + std::to_string(low) + " and " + std::to_string(high));
  }
  to = static_cast<std::uint32_t>(*number);
  return {};
}

proto::Result<> set_switch(std::string_view text, bool& to) {
  if (text != "true" && text != "false") {
    return invalid("it is true or false");
  }
  to = text == "true";
  return {};
}

proto::Result<> set_address(std::string_view text, std::string& to) {
  const proto::Result<HostPort> parsed = parse_host_port(text);
  if (!parsed) {
    return parsed.error();
  }
  to = text;
  return {};
}

using Setter = proto::Result<> (*)(std::string_view, Config&);
struct Entry {
  Setting setting;
  Setter set;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> table = {
      {{"data_dir", "Directory that holds everything stored"},
       [](std::string_view text, Config& to) -> proto::Result<> {
         to.data_dir = text;
         return text.empty() ? proto::Result<>(invalid("it must not be empty")) : proto::Result<>();
       }},
      {{"listen", "HOST:PORT for clients"},
       [](std::string_view text, Config& to) { return set_address(text, to.listen); }},
      {{"http", "HOST:PORT for health and metrics, or off"},
       [](std::string_view text, Config& to) -> proto::Result<> {
         if (text == "off") {
           to.http.clear();
           return {};
         }
         return set_address(text, to.http);
       }},
      {{"log_level", "trace, debug, info, warn, error or off"},
       [](std::string_view text, Config& to) -> proto::Result<> {
         constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                              "warn",  "error", "off"};
         if (std::ranges::find(kLevels, text) == kLevels.end()) {
           return invalid("it is trace, debug, info, warn, error or off");
         }
         to.log_level = text;
         return {};
       }},
      {{"ready_file", "File that gets the addresses once the broker is ready"},
       [](std::string_view text, Config& to) -> proto::Result<> {
         to.ready_file = text;
         return {};
       }},
      {{"max_connections", "Clients at one time"},
       [](std::string_view text, Config& to) {
         return set_number(text, 1, kMaxConnectionsSetting, to.max_connections);
       }},
      {{"max_memory_bytes",
        "A start is refused when the parts below and the clients may need more"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.max_memory_bytes); }},
      {{"producer_budget_bytes", "Memory for sends that are not stored yet"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.producer_budget_bytes); }},
      {{"tail_cache_bytes", "Memory for the newest messages"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.tail_cache_bytes); }},
      {{"idle_batch_bytes", "Memory for what is known of messages that were given back or parked"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.idle_batch_bytes); }},
      {{"write_buffer_bytes", "Memory of the database for rows that are not flushed"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.write_buffer_bytes); }},
      {{"block_cache_bytes", "Memory of the database for blocks that were read"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.block_cache_bytes); }},
      {{"max_wal_bytes", "About what a restart replays at most"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.max_wal_bytes); }},
      {{"spin_us", "Threads wait awake for what is likely to come within this; 0: they sleep"},
       [](std::string_view text, Config& to) {
         return set_number(text, 0, kMaxSpinUs, to.spin_us);
       }},
      {{"min_free_disk_bytes", "Sends are refused while less is free (default: 1 GiB or 5 %)"},
       [](std::string_view text, Config& to) {
         return set_bytes(text, to.min_free_disk_bytes.emplace());
       }},
      {{"ballast_bytes", "Disk space kept aside for draining a full disk"},
       [](std::string_view text, Config& to) { return set_bytes(text, to.ballast_bytes); }},
      {{"drain_ms", "How long clients have to leave when the broker stops"},
       [](std::string_view text, Config& to) {
         return set_number(text, 0, kMaxDrainMs, to.drain_ms);
       }},
      {{"insecure", "Listen beyond loopback, without authentication", true},
       [](std::string_view text, Config& to) { return set_switch(text, to.insecure); }},
      {{"accept_damage", "Start although stored data is missing or damaged", true},
       [](std::string_view text, Config& to) { return set_switch(text, to.accept_damage); }},
  };
  return table;
}

const Entry* find_entry(std::string_view key) {
  const auto found =
      std::ranges::find_if(entries(), [&](const Entry& entry) { return entry.setting.key == key; });
  return found == entries().end() ? nullptr : &*found;
}

// Letters to insert, remove or change to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row.back();
}

std::string_view nearest_key(std::string_view key) {
  return std::ranges::min_element(
             entries(), {}, [&](const Entry& entry) { return distance(key, entry.setting.key); })
      ->setting.key;
}

bool is_loopback(std::string_view address) {
  const proto::Result<HostPort> parsed = parse_host_port(address);
  return parsed &&
         (parsed->host.starts_with("127.") || parsed->host == "::1" || parsed->host == "localhost");
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> list = [] {
    std::vector<Setting> made;
    for (const Entry& entry : entries()) {
      made.push_back(entry.setting);
    }
    return made;
  }();
  return list;
}

proto::Result<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 4> kSuffixes = {
      {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
  std::string_view digits = text;
  unsigned shift = 0;
  for (const auto& [suffix, bits] : kSuffixes) {
    if (text.ends_with(suffix)) {
      digits = text.substr(0, text.size() - suffix.size());
      shift = bits;
    }
  }
  while (digits.ends_with(' ')) {
    digits.remove_suffix(1);
  }
  const proto::Result<std::uint64_t> number = parse_number(digits);
  if (!number || *number > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return invalid("'" + std::string(text) + "' is not a size such as 4096, 64MiB or 1GiB");
  }
  return *number << shift;
}

proto::Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const proto::Result<std::uint64_t> port = colon == std::string_view::npos
                                                ? proto::Result<std::uint64_t>(invalid(""))
                                                : parse_number(text.substr(colon + 1));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    host = {};
  }
  if (host.empty() || !port || *port > std::numeric_limits<std::uint16_t>::max()) {
    return invalid("'" + std::string(text) + "' is not HOST:PORT");
  }
  return HostPort{.host = std::string(host), .port = static_cast<std::uint16_t>(*port)};
}

proto::Result<Values> parse_config_file(std::string_view text, std::string_view name) {
  Values values;
  try {
    const toml::table table = toml::parse(text, name);
    for (const auto& [key, node] : table) {
      const std::string_view word = key.str();
      if (find_entry(word) == nullptr) {
        return invalid(std::string(name) + ": there is no setting '" + std::string(word) +
                       "'; did you mean '" + std::string(nearest_key(word)) + "'?");
      }
      if (const auto* string = node.as_string()) {
        values[std::string(word)] = string->get();
      } else if (const auto* integer = node.as_integer()) {
        values[std::string(word)] = std::to_string(integer->get());
      } else if (const auto* boolean = node.as_boolean()) {
        values[std::string(word)] = boolean->get() ? "true" : "false";
      } else {
        return invalid(std::string(name) + ": the value of '" + std::string(word) +
                       "' is neither text, a whole number nor true or false");
      }
    }
  } catch (const toml::parse_error& error) {
    return invalid(std::string(name) + ":" + std::to_string(error.source().begin.line) + ": " +
                   std::string(error.description()));
  } catch (const std::invalid_argument& error) {
    return invalid(std::string(name) + ": " + error.what());
  }
  return values;
}

proto::Result<Values> read_config_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) {
    return invalid("cannot read the configuration file " + path);
  }
  return parse_config_file(text.str(), path);
}

Values read_environment(const std::function<const char*(const char*)>& lookup) {
  Values values;
  for (const Setting& setting : settings()) {
    if (const char* value = lookup(environment_name(setting.key).c_str()); value != nullptr) {
      values[std::string(setting.key)] = value;
    }
  }
  return values;
}

proto::Result<Config> make_config(const std::vector<Values>& sources) {
  Config config;
  for (const Values& source : sources) {
    for (const auto& [key, text] : source) {
      const Entry* entry = find_entry(key);
      if (entry == nullptr) {
        return invalid("there is no setting '" + key + "'");
      }
      if (const proto::Result<> set = entry->set(text, config); !set) {
        return invalid(key + ": " + set.error().message);
      }
    }
  }
  for (const std::string* address : {&config.listen, &config.http}) {
    if (!config.insecure && !address->empty() && !is_loopback(*address)) {
      return invalid("listening on " + *address +
                     " is refused: whoever reaches that address could do anything, since there is "
                     "no authentication yet. --insecure allows it.");
    }
  }
  if (const proto::Result<> fits = check_memory(config); !fits) {
    return fits.error();
  }
  return config;
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
