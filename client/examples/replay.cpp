// Prints what a topic has kept, from a place on to its end as it is now:
//
//     weir topic create events
//     ./replay events                 everything
//     ./replay events 1000            from that offset on, in each partition
//     ./replay events @1764460800000  from that time on, in milliseconds since 1970
//
// Reading changes nothing at the broker. SIGINT ends it early, with 1: it was not all of it.
#include "example.hpp"
#include "weir/weir.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

namespace {

weir::StartPosition place(const std::string& text) {
  if (text.empty()) {
    return weir::StartPosition::start();
  }
  if (text.front() == '@') {
    const std::chrono::milliseconds since_1970(std::strtoll(text.c_str() + 1, nullptr, 10));
    return weir::StartPosition::time(weir::Timestamp(since_1970));
  }
  return weir::StartPosition::offset(std::strtoll(text.c_str(), nullptr, 10));
}

void print(const weir::Record& record) {
  const std::string_view value = record.value().value_or("(deleted)");
  std::printf("%u/%lld %.*s\n", record.partition(), static_cast<long long>(record.offset()),
              static_cast<int>(value.size()), value.data());
}

void replay(const std::string& topic, const std::string& from, const std::stop_token& stop) {
  auto client = connect();
  const auto options = weir::ReaderOptions().set_from(place(from)).set_stop_at_end();
  auto reader = client.read_topic(topic, options).value();
  while (!reader.finished()) {
    // Throws when it was stopped, or when the reading has ended: see TopicReader::next().
    if (const auto record = reader.next(stop).value()) {
      print(*record);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = stop_on_signal();
  try {
    replay(argc > 1 ? argv[1] : "events", argc > 2 ? argv[2] : "", stop);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "replay: %s\n", error.what());
    return 1;
  }
}
