#pragma once

#include <string_view>

// What is fuzzed: each function takes any bytes and comes back, or ends the process where the code
// under test breaks a promise (WEIR_ASSERT, a sanitizer). README.md says what each of them shows.
namespace weir::fuzz {

void frames(std::string_view bytes);
void batch(std::string_view bytes);
void decompress(std::string_view bytes);
void messages(std::string_view bytes);
void session(std::string_view bytes);
void sdk(std::string_view bytes);
void rows(std::string_view bytes);
void records(std::string_view bytes);
void transfer(std::string_view bytes);
void wal(std::string_view bytes);
void config(std::string_view bytes);
void http(std::string_view bytes);
void text(std::string_view bytes);

}  // namespace weir::fuzz
