#include "proto/frame/frame_reader.hpp"
#include "proto/frame/frames.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace weir::proto {
namespace {

constexpr std::size_t kFrameHeaderBytes = 5;

std::string_view body_of(const std::string& frame) {
  return std::string_view(frame).substr(kFrameHeaderBytes);
}

void encode_send(benchmark::State& state) {
  const std::string batch(static_cast<std::size_t>(state.range(0)), 'b');
  Send send;
  send.send_number = 1;
  send.batch = batch;
  std::string out;
  for (auto _ : state) {
    out.clear();
    encode(send, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(encode_send)->Arg(200)->Arg(65'536);

void decode_deliver(benchmark::State& state) {
  const std::string records(4'096, 'r');
  Deliver deliver;
  deliver.span = 1;
  deliver.count = 1;
  deliver.records = records;
  std::string frame;
  encode(deliver, frame);
  for (auto _ : state) {
    benchmark::DoNotOptimize(proto::decode_deliver(body_of(frame)));
  }
}
BENCHMARK(decode_deliver);

// Argument: ranges in the frame.
void settle_both_ways(benchmark::State& state) {
  Settle settle;
  settle.settle_number = 1;
  SettleRange range;
  range.count = 10;
  settle.ranges.assign(static_cast<std::size_t>(state.range(0)), range);
  std::string frame;
  for (auto _ : state) {
    frame.clear();
    encode(settle, frame);
    benchmark::DoNotOptimize(decode_settle(body_of(frame)));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(settle_both_ways)->Arg(1)->Arg(64);

// Argument: bytes of each frame's body; a stream of 64 KiB is cut up.
void cut_frames(benchmark::State& state) {
  const std::string body(static_cast<std::size_t>(state.range(0)), 'b');
  std::string stream;
  while (stream.size() < 65'536) {
    encode_frame(FrameType::kSend, body, stream);
  }
  FrameReader reader(std::size_t{16} << 20U);
  for (auto _ : state) {
    for (std::size_t at = 0; at < stream.size();) {
      const std::span<char> room = reader.prepare();
      const std::size_t bytes = std::min(room.size(), stream.size() - at);
      std::memcpy(room.data(), stream.data() + at, bytes);
      reader.commit(bytes);
      at += bytes;
      for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
        benchmark::DoNotOptimize((*frame)->body.data());
      }
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(stream.size()));
}
BENCHMARK(cut_frames)->Arg(200)->Arg(16'384);

}  // namespace
}  // namespace weir::proto
