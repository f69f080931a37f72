#include "broker/server/config.hpp"

#include "broker/server/memory_budget.hpp"
#include "broker/server/setting_values.hpp"
#include "broker/server/settings.hpp"

#include <utility>

namespace weir::server {
namespace {

bool is_loopback(std::string_view address) {
  const proto::Result<HostPort> parsed = parse_host_port(address);
  return parsed &&
         (parsed->host.starts_with("127.") || parsed->host == "::1" || parsed->host == "localhost");
}

}  // namespace

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
      const Setting* setting = find_setting(key);
      if (setting == nullptr) {
        return invalid_setting("there is no setting '" + key + "'");
      }
      if (const proto::Result<> set = setting->set(text, config); !set) {
        return invalid_setting(key + ": " + set.error().message);
      }
    }
  }
  for (const std::string* address : {&config.listen, &config.http}) {
    if (!config.insecure && !address->empty() && !is_loopback(*address)) {
      return invalid_setting(
          "listening on " + *address +
          " is refused: whoever reaches that address could do anything, since there is "
          "no authentication yet. --insecure allows it.");
    }
  }
  if (const proto::Result<> fits = check_memory(config); !fits) {
    return fits.error();
  }
  return config;
}

proto::Result<Reloaded> reload(const Config& running, const Config& fresh) {
  Reloaded made{.config = running, .report = {}};
  for (const Setting& setting : settings()) {
    const std::string before = setting.get(running);
    const std::string after = setting.get(fresh);
    const std::string key(setting.key);
    if (before == after) {
      made.report.unchanged.push_back(key);
    } else if (!setting.is_reloadable) {
      made.report.left.push_back({key, before, after});
    } else {
      setting.set(after, made.config).value();
      made.report.taken.push_back({key, before, after});
    }
  }
  if (const proto::Result<> fits = check_memory(made.config); !fits) {
    return invalid_setting("without what takes a new start, " + fits.error().message);
  }
  return made;
}

}  // namespace weir::server
