#pragma once

#include "broker/cli/exit_code.hpp"
#include "broker/cli/line_reader.hpp"
#include "broker/cli/output.hpp"
#include "weir/result.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::cli {

/// Gathers what people name on the command line or line by line, and asks the broker about as many
/// at a time as one request takes. The first failure is what the command ends with; the others are
/// told, and hold nothing up. A request that fails as a whole is the last one.
template <class Item>
class GatheredCalls {
 public:
  /// One outcome an item, in their order.
  using Ask = std::function<Result<std::vector<Result<>>>(const std::vector<Item>& items)>;
  /// `most` items a request; `name` is what a person calls one of them.
  GatheredCalls(std::size_t most, Ask ask, std::function<std::string(const Item&)> name)
      : most_(most), ask_(std::move(ask)), name_(std::move(name)) {}

  /// Failures begin with the names of what failed: not where a command names one thing alone.
  void set_names_items(bool names_items) { names_items_ = names_items; }

  void add(Item item) {
    gathered_.push_back(std::move(item));
    if (gathered_.size() >= most_) {
      ask_now();
    }
  }
  /// `make(text)` gives the item that a person means, or why it is none.
  template <class Make>
  void add(std::string_view text, Make make) {
    Result<Item> item = make(text);
    if (item) {
      add(*std::move(item));
    } else {
      fail(report(item.error(), text));
    }
  }
  /// One a line; empty lines are passed by.
  template <class Make>
  void add_lines(int fd, Make make) {
    constexpr std::size_t kMaxLineBytes = 4'096;  // far beyond any name, to be refused as one
    LineReader lines(fd, kMaxLineBytes);
    while (!gave_up_) {
      const Result<std::optional<std::string_view>> line = lines.next();
      if (!line) {
        fail(report(line.error(), ""));
        return;
      }
      if (!*line) {
        return;
      }
      if (!(*line)->empty()) {
        add(**line, make);
      }
    }
  }
  /// What a command line names; where that is `-`, what the standard input names line by line.
  template <class Make>
  void add_all(const std::vector<std::string>& texts, Make make) {
    for (const std::string& text : texts) {
      if (text == "-") {
        add_lines(STDIN_FILENO, make);
      } else {
        add(text, make);
      }
    }
  }
  /// Asks about what was not asked yet.
  [[nodiscard]] ExitCode finish() {
    ask_now();
    return first_failure_.value_or(ExitCode::kDone);
  }
  /// How many went well.
  [[nodiscard]] std::size_t done() const { return done_; }

 private:
  void ask_now() {
    if (gave_up_ || gathered_.empty()) {
      return;
    }
    const Result<std::vector<Result<>>> outcomes = ask_(gathered_);
    if (!outcomes) {
      gave_up_ = true;
      fail(report(outcomes.error(), name_(gathered_.front())));
      return;
    }
    for (std::size_t i = 0; i < gathered_.size(); ++i) {
      if (const Result<>& outcome = (*outcomes)[i]; outcome) {
        ++done_;
      } else {
        tell(name_(gathered_[i]), outcome.error());
      }
    }
    gathered_.clear();
  }
  void tell(const std::string& item, const Error& why) {
    fail(report(names_items_ ? Error(why.code, item + ": " + why.message) : why, item));
  }
  void fail(ExitCode code) { first_failure_ = first_failure_.value_or(code); }

  const std::size_t most_;
  const Ask ask_;
  const std::function<std::string(const Item&)> name_;
  std::vector<Item> gathered_;
  std::optional<ExitCode> first_failure_;
  std::size_t done_ = 0;
  bool names_items_ = true;
  bool gave_up_ = false;
};

}  // namespace weir::cli
