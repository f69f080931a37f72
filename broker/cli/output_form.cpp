#include "broker/cli/output_form.hpp"

#include "broker/cli/output.hpp"
#include "broker/cli/watch.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/src.hpp>

#include <array>
#include <charconv>
#include <utility>

namespace weir::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kTemplate = "template=";

std::string check_kind(const std::string& kind) {
  const bool is_one = kind == "table" || kind == "json" || kind.starts_with(kTemplate);
  return is_one ? std::string() : "it is table, json or template=TEXT, not '" + kind + "'";
}

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// As a person writes it: a string without its quotes, nothing for null.
std::string text_of(const json::value& value) {
  if (value.is_string()) {
    return std::string(value.get_string());
  }
  if (value.is_double()) {
    std::array<char, 32> digits{};  // the library would write 4.5 as 4.5E0
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), value.get_double());
    return {digits.data(), end.ptr};
  }
  return value.is_null() ? std::string() : json::serialize(value);
}

std::string names_in(const json::object& object) {
  std::string names;
  for (const auto& [name, value] : object) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

std::optional<char> escaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '\\':
      return '\\';
    default:
      return std::nullopt;
  }
}

Result<> fill_one(std::string_view text, const json::object& object, std::string& out) {
  while (!text.empty()) {
    const char c = text.front();
    if (c == '\\' && text.size() > 1 && escaped(text[1])) {
      out += *escaped(text[1]);
      text.remove_prefix(2);
    } else if (text.starts_with("{{")) {
      out += '{';
      text.remove_prefix(2);
    } else if (c == '{') {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) {
        return invalid("a template's { has no }; write {{ for a brace");
      }
      const std::string_view name = text.substr(1, end - 1);
      const json::value* const value = object.if_contains(name);
      if (value == nullptr) {
        return invalid("there is no field '" + std::string(name) +
                       "'; there are: " + names_in(object));
      }
      out += text_of(*value);
      text.remove_prefix(end + 1);
    } else {
      out += c;
      text.remove_prefix(1);
    }
  }
  return {};
}

Result<std::string> text_in(const OutputForm& form, Look look) {
  if (form.kind == "table") {
    return std::move(look.table);
  }
  if (form.kind == "json") {
    return std::move(look.json);
  }
  return fill_template(std::string_view(form.kind).substr(kTemplate.size()), look.json);
}

}  // namespace

CLI::Option* add_output_option(CLI::App& command, OutputForm& form) {
  return command
      .add_option("-o,--output", form.kind, "table, json, or template=TEXT with {field}s")
      ->check(check_kind)
      ->type_name("FORM")
      ->capture_default_str();
}

CLI::Option* add_output_options(CLI::App& command, OutputForm& form) {
  CLI::Option* const output = add_output_option(command, form);
  command.add_option("--watch", form.watch_s, "Look again and again, after so many seconds (2)")
      ->check(CLI::Range(0.1, 86'400.0))
      ->expected(0, 1)
      ->default_str("2");
  return output;
}

ExitCode show(const OutputForm& form, const std::function<Result<Look>()>& look,
              const std::string& subject) {
  if (form.watch_s > 0) {
    const auto page = [&]() -> Result<std::string> {
      Result<Look> seen = look();
      return seen ? text_in(form, *std::move(seen)) : Result<std::string>(std::move(seen).error());
    };
    return watch(page, std::chrono::duration<double>(form.watch_s), subject);
  }
  Result<Look> seen = look();
  return seen ? show(form, *std::move(seen), subject) : report(seen.error(), subject);
}

ExitCode show(const OutputForm& form, Look seen, const std::string& subject) {
  const Result<std::string> text = text_in(form, std::move(seen));
  return text ? print(*text) : report(text.error(), subject);
}

Result<std::string> fill_template(std::string_view text, std::string_view json_text) {
  json::error_code failed;
  const json::value value = json::parse(json_text, failed);
  if (failed) {
    return invalid("the answer is no JSON: " + failed.message());
  }
  std::string out;
  if (value.is_object()) {
    if (Result<> filled = fill_one(text, value.get_object(), out); !filled) {
      return std::move(filled).error();
    }
  } else if (value.is_array()) {
    for (const json::value& element : value.get_array()) {
      if (Result<> filled = fill_one(text, element.as_object(), out); !filled) {
        return std::move(filled).error();
      }
    }
  }
  return out;
}

}  // namespace weir::cli
