#pragma once

#include "weir/message.hpp"
#include "weir/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// What a format can show of one message of a queue or one record of a topic. Views only.
struct FormatFields {
  std::string_view source;  // name of the queue or topic
  std::uint32_t partition = 0;
  std::int64_t offset = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::span<const HeaderView> headers;
  std::int64_t timestamp_ms = 0;
  std::string_view handle;      // only where uses('R')
  std::string_view message_id;  // only where uses('i')
  std::uint32_t attempt = 0;
};

/// A paragraph of help for commands that take a format.
inline constexpr const char* kQuotingHelp = R"(
What would be misread in %k and %h stands in double quotes, where \" \\ \n \r \t and \xHH stand for
a character: control characters, bytes that are no UTF-8, a double quote in front, and in the names
and values of %h a comma or =. %v and %K (the key) are bytes as they are, whatever a terminal makes
of them.
)";

/// A text with directives, parsed once and rendered for each message:
///   %t queue or topic   %p partition   %o offset   %k key   %v value   %s bytes of the value
///   %h headers as name=value,…   %d timestamp in ms   %i message id   %a attempt   %R handle   %%
///   %K the key's bytes
/// and the escapes \n \t \r \0 and \\. A missing key or value shows as nothing, its size as -1.
/// %v and %K are copied byte for byte. What is shown of a key and of headers is terminal::quoted(),
/// in headers also where it holds a comma or an equals sign. Immutable, so any thread may render.
class Format {
 public:
  /// INVALID_ARGUMENT names the directive or escape that does not exist.
  [[nodiscard]] static Result<Format> parse(std::string_view text);

  /// Appends one message to `out`.
  void render(const FormatFields& fields, std::string& out) const;

  /// True when the directive occurs, e.g. uses('R').
  [[nodiscard]] bool uses(char directive) const;

 private:
  // Text to copy, then one directive; 0 at the end of the format.
  struct Piece {
    std::string text;
    char directive = 0;
  };

  std::vector<Piece> pieces_;
};

}  // namespace weir::cli
