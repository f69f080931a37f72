#pragma once

#include "broker/terminal/plain_text.hpp"
#include "broker/terminal/time_text.hpp"
#include "proto/base64.hpp"
#include "proto/json_string.hpp"
#include "proto/utf8.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How facts become text.
namespace weir::terminal {

[[nodiscard]] inline std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    out += out.empty() ? part : ", " + part;
  }
  return out;
}

/// Of members as Facts::json_members() gives them.
[[nodiscard]] inline std::string json_object(const std::vector<std::string>& members) {
  return "{" + joined(members) + "}";
}

// Names with values, in the order in which they were added, as a table or as JSON. The names are
// the same in both, but for times.
class Facts {
 public:
  void add(std::string_view name, std::string_view text) {
    add_shown(name, plain(text), proto::json_string(text));
  }
  void add(std::string_view name, std::integral auto number) {
    add_shown(name, std::to_string(number), std::to_string(number));
  }
  // Bytes of a message; nullopt is as add_nothing(). In JSON `name` is a string where they are
  // UTF-8; where they are not, it is null, and a member `name`_base64 follows that has them.
  void add_bytes(std::string_view name, std::optional<std::string_view> bytes) {
    if (!bytes) {
      add_nothing(name);
    } else if (proto::is_utf8(*bytes)) {
      add(name, *bytes);
    } else {
      add_shown(name, plain(*bytes), "null");
      add(std::string(name) + "_base64", proto::to_base64(*bytes));
    }
  }
  // A moment in ms since 1970, or none of them: for people a time, and how long ago that was where
  // `now_ms` is told; in JSON the number, as `name`_ms.
  void add_time(std::string_view name, std::optional<std::int64_t> ms,
                std::optional<std::int64_t> now_ms = {}) {
    Fact fact{.name = std::string(name), .json_name = std::string(name) + "_ms"};
    if (ms) {
      fact.shown = time_text(*ms);
      fact.json = std::to_string(*ms);
      if (now_ms) {
        fact.shown += " (" + age_text(std::chrono::milliseconds(*now_ms - *ms)) + " ago)";
      }
    }
    facts_.push_back(std::move(fact));
  }
  void add_flag(std::string_view name, bool is_so) {
    const std::string text = is_so ? "true" : "false";
    add_shown(name, text, text);
  }
  // Shown as a dash, in JSON as null.
  void add_nothing(std::string_view name) { add_shown(name, "-", "null"); }

  [[nodiscard]] std::string table() const {
    std::size_t width = 0;
    for (const Fact& fact : facts_) {
      width = std::max(width, fact.name.size());
    }
    std::string out;
    for (const Fact& fact : facts_) {
      out += fact.name + std::string(width + 2 - fact.name.size(), ' ') + fact.shown + "\n";
    }
    return out;
  }

  [[nodiscard]] std::vector<std::string> json_members() const {
    std::vector<std::string> members;
    members.reserve(facts_.size());
    for (const Fact& fact : facts_) {
      members.push_back(proto::json_string(fact.json_name) + ": " + fact.json);
    }
    return members;
  }
  /// One object of nothing but these.
  [[nodiscard]] std::string json() const { return json_object(json_members()); }

 private:
  struct Fact {
    std::string name;
    std::string json_name;
    std::string shown = "-";
    std::string json = "null";
  };

  void add_shown(std::string_view name, std::string shown, std::string json) {
    facts_.push_back({std::string(name), std::string(name), std::move(shown), std::move(json)});
  }

  std::vector<Fact> facts_;
};

/// One object a line, so that tools for lines have an easy time as well; `object` makes one.
template <class Item, class Object>
[[nodiscard]] std::string array_of(const std::vector<Item>& items, Object object) {
  std::string out = "[";
  for (const Item& item : items) {
    out += (out.size() > 1 ? ",\n" : "\n") + object(item);
  }
  return out + (items.empty() ? "]\n" : "\n]\n");
}

}  // namespace weir::terminal
