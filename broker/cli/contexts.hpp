#pragma once

#include "weir/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Brokers that a person has given names. They stand in one file of text, a line each:
//
//   current prod
//   context prod weir://10.0.0.7:7340/orders
//   context test weir://127.0.0.1:7340 timeout_ms=60000
namespace weir::cli {

struct Context {
  std::string name;
  std::string url;
  std::optional<std::int64_t> timeout_ms = {};
  friend bool operator==(const Context&, const Context&) = default;
};

/// All of them, and which one is in use.
class Contexts {
 public:
  /// What to_text() gives; empty lines and lines that begin with # are passed over.
  /// INVALID_ARGUMENT names the line that says something else.
  [[nodiscard]] static Result<Contexts> parse(std::string_view text);
  [[nodiscard]] std::string to_text() const;

  [[nodiscard]] const std::vector<Context>& all() const { return contexts_; }
  /// nullptr: there is none of that name.
  [[nodiscard]] const Context* find(std::string_view name) const;
  /// nullptr: none is in use.
  [[nodiscard]] const Context* current() const { return find(current_); }

  /// In the place of one of the same name, if there is one. INVALID_ARGUMENT: a name is letters,
  /// digits, '-', '_' and '.', and an address has no spaces.
  [[nodiscard]] Result<> put(Context context);
  /// INVALID_ARGUMENT names those that there are.
  [[nodiscard]] Result<> use(std::string_view name);
  /// The same. One that was in use is in use no longer.
  [[nodiscard]] Result<> remove(std::string_view name);

 private:
  [[nodiscard]] Error unknown(std::string_view name) const;

  std::vector<Context> contexts_;  // by name
  std::string current_;
};

/// What `lookup("HOME")` and so on give; nullptr: not set.
using Environment = std::function<const char*(const char*)>;

/// $XDG_CONFIG_HOME/weir/contexts, or below ~/.config; empty where neither is known.
[[nodiscard]] std::string contexts_path(const Environment& environment);

/// None when there is no such file. INVALID_ARGUMENT with the file's name.
[[nodiscard]] Result<Contexts> read_contexts(const std::string& path);
/// The whole file or nothing, with its folder, for its owner alone.
[[nodiscard]] Result<> write_contexts(const std::string& path, const Contexts& contexts);

/// Where a command finds its broker, and what said so.
struct Target {
  std::string url;
  std::optional<std::int64_t> timeout_ms = {};
  std::string said_by;  // "--url", "context prod", …
};

/// The first of these that is there: the flag --url, the flag --context, WEIR_URL, WEIR_CONTEXT,
/// the context in use, the default address. The file is read only where it is needed.
[[nodiscard]] Result<Target> find_target(const std::optional<std::string>& url_flag,
                                         const std::optional<std::string>& context_flag,
                                         const Environment& environment);

}  // namespace weir::cli
