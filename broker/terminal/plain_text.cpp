#include "broker/terminal/plain_text.hpp"

#include "proto/hex.hpp"
#include "proto/utf8.hpp"

#include <algorithm>

namespace weir::terminal {
namespace {

// Of one UTF-8 character.
bool is_obeyed(std::string_view character) {
  const auto byte = [&character](std::size_t i) {
    return static_cast<unsigned char>(character[i]);
  };
  if (character.size() == 1) {
    return byte(0) < 0x20 || byte(0) == 0x7f;
  }
  if (character.size() == 2) {
    return byte(0) == 0xc2 && byte(1) < 0xa0;  // C1: U+009B is another ESC [
  }
  // Line and paragraph separators, and marks, embeddings, overrides and isolates of direction.
  const bool is_separator_or_embedding =
      character.starts_with("\xe2\x80") &&
      ((byte(2) >= 0xa8 && byte(2) <= 0xae) || byte(2) == 0x8e || byte(2) == 0x8f);
  const bool is_isolate = character.starts_with("\xe2\x81") && byte(2) >= 0xa6 && byte(2) <= 0xa9;
  return is_separator_or_embedding || is_isolate;
}

void append_escaped(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) {
    switch (byte) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\x";
        proto::append_hex(out, static_cast<unsigned char>(byte), 2);
    }
  }
}

// Appends the plain text; `is_escaped` says of a character that a backslash belongs before it.
template <class IsEscaped>
std::string escaped(std::string_view text, IsEscaped is_escaped) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = proto::utf8_character_bytes(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(bytes, 1));
    if (bytes == 0 || is_obeyed(character)) {
      append_escaped(character, out);
    } else {
      out += is_escaped(character.front()) ? "\\" : "";
      out += character;
    }
    text.remove_prefix(character.size());
  }
  return out;
}

bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80;
}

}  // namespace

std::string plain(std::string_view text) {
  return escaped(text, [](char) { return false; });
}

std::string quoted(std::string_view text, std::string_view delimiters) {
  if (!text.starts_with('"') && text.find_first_of(delimiters) == std::string_view::npos) {
    std::string as_it_is = plain(text);
    if (as_it_is == text) {
      return as_it_is;
    }
  }
  return '"' + escaped(text, [](char letter) { return letter == '"' || letter == '\\'; }) + '"';
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string_view first_columns(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (begins_character(text[end]) && columns-- == 0) {
      break;
    }
  }
  return text.substr(0, end);
}

}  // namespace weir::terminal
