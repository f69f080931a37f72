#include "broker/cli/format.hpp"

#include "broker/terminal/plain_text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::cli {
namespace {

constexpr std::string_view kDirectives = "tpokKvshdiaR";

std::optional<char> unescape(char letter) {
  switch (letter) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case '0':
      return '\0';
    case '\\':
      return '\\';
    default:
      return std::nullopt;
  }
}

template <class Number>
void append_number(Number number, std::string& out) {
  char digits[24];
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
  out.append(digits, end);
}

void append_headers(std::span<const HeaderView> headers, std::string& out) {
  constexpr std::string_view kDelimiters = ",=";
  bool is_first = true;
  for (const HeaderView& header : headers) {
    if (!std::exchange(is_first, false)) {
      out += ',';
    }
    out += terminal::quoted(header.key, kDelimiters);
    if (header.value) {
      out += '=';
      out += terminal::quoted(*header.value, kDelimiters);
    }
  }
}

void append_field(char directive, const FormatFields& fields, std::string& out) {
  switch (directive) {
    case 't':
      out += fields.source;
      break;
    case 'p':
      append_number(fields.partition, out);
      break;
    case 'o':
      append_number(fields.offset, out);
      break;
    case 'k':
      out += terminal::quoted(fields.key.value_or(""));
      break;
    case 'K':
      out += fields.key.value_or("");
      break;
    case 'v':
      out += fields.value.value_or("");
      break;
    case 's':
      append_number(fields.value ? static_cast<std::int64_t>(fields.value->size()) : -1, out);
      break;
    case 'h':
      append_headers(fields.headers, out);
      break;
    case 'd':
      append_number(fields.timestamp_ms, out);
      break;
    case 'i':
      out += fields.message_id;
      break;
    case 'a':
      append_number(fields.attempt, out);
      break;
    case 'R':
      out += fields.handle;
      break;
    default:
      break;
  }
}

Error unknown(char mark, std::string_view what) {
  std::string message = "format: ";
  message += mark;
  message += what;
  message += mark == '%' ? " is no directive (there are %t %p %o %k %K %v %s %h %d %i %a %R %%)"
                         : " is no escape (there are \\n \\t \\r \\0 \\\\)";
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

}  // namespace

Result<Format> Format::parse(std::string_view text) {
  Format format;
  Piece piece;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char mark = text[at];
    if (mark != '%' && mark != '\\') {
      piece.text += mark;
      continue;
    }
    const std::string_view rest = text.substr(at + 1, 1);
    ++at;
    if (mark == '\\') {
      const std::optional<char> byte = rest.empty() ? std::nullopt : unescape(rest.front());
      if (!byte) {
        return unknown(mark, rest);
      }
      piece.text += *byte;
    } else if (rest == "%") {
      piece.text += '%';
    } else if (!rest.empty() && kDirectives.find(rest.front()) != std::string_view::npos) {
      piece.directive = rest.front();
      format.pieces_.push_back(std::exchange(piece, {}));
    } else {
      return unknown(mark, rest);
    }
  }
  if (!piece.text.empty()) {
    format.pieces_.push_back(std::move(piece));
  }
  return format;
}

void Format::render(const FormatFields& fields, std::string& out) const {
  for (const Piece& piece : pieces_) {
    out += piece.text;
    append_field(piece.directive, fields, out);
  }
}

bool Format::uses(char directive) const {
  return std::ranges::any_of(
      pieces_, [directive](const Piece& piece) { return piece.directive == directive; });
}

}  // namespace weir::cli
