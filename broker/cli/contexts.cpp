#include "broker/cli/contexts.hpp"

#include "broker/cli/output.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::cli {
namespace {

constexpr std::string_view kDefaultUrl = "weir://127.0.0.1:7340";
constexpr std::string_view kTimeout = "timeout_ms=";
constexpr std::size_t kMaxNameBytes = 80;

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

bool is_name(std::string_view name) {
  const auto is_name_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, is_name_char);
}

bool is_url(std::string_view url) {
  return !url.empty() && std::ranges::none_of(url, [](char c) { return c <= ' ' || c == '\x7f'; });
}

std::optional<std::int64_t> timeout_of(std::string_view word) {
  std::int64_t timeout_ms = 0;
  const char* const end = word.data() + word.size();
  const auto [parsed, error] =
      std::from_chars(word.data() + std::min(kTimeout.size(), word.size()), end, timeout_ms);
  const bool is_one =
      word.starts_with(kTimeout) && error == std::errc() && parsed == end && timeout_ms > 0;
  return is_one ? std::optional(timeout_ms) : std::nullopt;
}

std::optional<Context> context_of(const std::vector<std::string>& words) {
  if (words.size() < 3 || words.size() > 4 || words[0] != "context") {
    return std::nullopt;
  }
  Context context{.name = words[1], .url = words[2]};
  if (words.size() == 4) {
    context.timeout_ms = timeout_of(words[3]);
    if (!context.timeout_ms) {
      return std::nullopt;
    }
  }
  return context;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(std::move(word));
  }
  return words;
}

std::optional<std::string> value_of(const Environment& environment, const char* name) {
  const char* const value = environment(name);
  return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

Error not_written(const std::string& path, int error) {
  return invalid("'" + path + "' cannot be written: " + std::generic_category().message(error));
}

}  // namespace

Result<Contexts> Contexts::parse(std::string_view text) {
  Contexts contexts;
  std::istringstream lines{std::string(text)};
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::vector<std::string> words = words_of(line);
    if (words.empty() || words[0].starts_with('#')) {
      continue;
    }
    if (words.size() == 2 && words[0] == "current") {
      contexts.current_ = words[1];
      continue;
    }
    std::optional<Context> context = context_of(words);
    if (!context || !contexts.put(std::move(*context))) {
      return invalid("line " + std::to_string(number) +
                     " is neither `context NAME URL [timeout_ms=N]` nor `current NAME`");
    }
  }
  if (!contexts.current_.empty() && contexts.current() == nullptr) {
    return contexts.unknown(contexts.current_);
  }
  return contexts;
}

std::string Contexts::to_text() const {
  std::string text = "# Brokers that `weir` knows by name; written by `weir context`.\n";
  if (!current_.empty()) {
    text += "current " + current_ + "\n";
  }
  for (const Context& context : contexts_) {
    text += "context " + context.name + " " + context.url;
    if (context.timeout_ms) {
      text += " " + std::string(kTimeout) + std::to_string(*context.timeout_ms);
    }
    text += "\n";
  }
  return text;
}

const Context* Contexts::find(std::string_view name) const {
  const auto found = std::ranges::find(contexts_, name, &Context::name);
  return found == contexts_.end() ? nullptr : &*found;
}

Result<> Contexts::put(Context context) {
  if (!is_name(context.name)) {
    return invalid("a context's name is 1 to 80 letters, digits, '-', '_' and '.', not '" +
                   context.name + "'");
  }
  if (!is_url(context.url)) {
    return invalid("'" + context.url + "' is no address");
  }
  const auto at = std::ranges::lower_bound(contexts_, context.name, {}, &Context::name);
  if (at != contexts_.end() && at->name == context.name) {
    *at = std::move(context);
  } else {
    contexts_.insert(at, std::move(context));
  }
  return {};
}

Error Contexts::unknown(std::string_view name) const {
  std::string message = "there is no context '" + std::string(name) + "'";
  std::string separator = "; there are: ";
  for (const Context& context : contexts_) {
    message += std::exchange(separator, ", ") + context.name;
  }
  return invalid(std::move(message));
}

Result<> Contexts::use(std::string_view name) {
  if (find(name) == nullptr) {
    return unknown(name);
  }
  current_ = name;
  return {};
}

Result<> Contexts::remove(std::string_view name) {
  if (find(name) == nullptr) {
    return unknown(name);
  }
  std::erase_if(contexts_, [name](const Context& context) { return context.name == name; });
  if (current_ == name) {
    current_.clear();
  }
  return {};
}

std::string contexts_path(const Environment& environment) {
  if (const auto config = value_of(environment, "XDG_CONFIG_HOME")) {
    return *config + "/weir/contexts";
  }
  const auto home = value_of(environment, "HOME");
  return home ? *home + "/.config/weir/contexts" : std::string();
}

Result<Contexts> read_contexts(const std::string& path) {
  std::error_code failed;
  if (path.empty() || !std::filesystem::exists(path, failed)) {
    return Contexts();
  }
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    return invalid("'" + path + "' cannot be read");
  }
  Result<Contexts> contexts = Contexts::parse(text.str());
  if (!contexts) {
    return invalid("'" + path + "': " + contexts.error().message);
  }
  return contexts;
}

Result<> write_contexts(const std::string& path, const Contexts& contexts) {
  if (path.empty()) {
    return invalid("contexts stand in a file below $HOME, which is not set");
  }
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  if (failed) {
    return not_written(path, failed.value());
  }
  const std::string fresh = path + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    return not_written(path, errno);
  }
  int error = write_all(fd, contexts.to_text());
  if (::close(fd) != 0 && error == 0) {
    error = errno;
  }
  if (error == 0 && std::rename(fresh.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    ::unlink(fresh.c_str());
    return not_written(path, error);
  }
  return {};
}

Result<Target> find_target(const std::optional<std::string>& url_flag,
                           const std::optional<std::string>& context_flag,
                           const Environment& environment) {
  if (url_flag) {
    return Target{.url = *url_flag, .said_by = "--url"};
  }
  if (!context_flag) {
    if (const auto url = value_of(environment, "WEIR_URL")) {
      return Target{.url = *url, .said_by = "WEIR_URL"};
    }
  }
  const Result<Contexts> contexts = read_contexts(contexts_path(environment));
  if (!contexts) {
    return contexts.error();
  }
  const auto named = context_flag ? context_flag : value_of(environment, "WEIR_CONTEXT");
  const Context* const context = named ? contexts->find(*named) : contexts->current();
  if (context != nullptr) {
    return Target{.url = context->url,
                  .timeout_ms = context->timeout_ms,
                  .said_by = "context " + context->name};
  }
  if (named) {
    return Contexts(*contexts).use(*named).error();
  }
  return Target{.url = std::string(kDefaultUrl), .said_by = "the default"};
}

}  // namespace weir::cli
