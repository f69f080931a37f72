#pragma once

#include "client/session/reader_front.hpp"
#include "tests/sim/sim_engine.hpp"

#include <cstdint>
#include <map>
#include <memory>

namespace weir::sim {

/// A reader of the library: sees each partition from where it began, without gap or repeat, and all
/// of it if it is to stop at the end.
class SdkReader {
 public:
  SdkReader(Stage& stage, std::shared_ptr<SimEngine> engine, const Target& topic);

  void step();
  void close() { front_->close(); }
  /// Has got what it was to read, or cannot go on.
  [[nodiscard]] bool is_over() const { return is_over_; }

 private:
  void get(const Record& record);
  void look_for_end();

  Stage& stage_;
  const Target topic_;
  const bool is_push_;
  bool stops_ = false;
  bool begins_at_start_ = true;
  std::shared_ptr<sdk::ReaderFront> front_;
  std::map<std::uint32_t, proto::Offset> next_;
  std::map<std::uint32_t, proto::Offset> known_end_;  // when it was asked to read
  bool is_over_ = false;
};

}  // namespace weir::sim
