#include "proto/batch/record_batch.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

namespace weir::proto {
namespace {

std::string make_batch(std::int64_t records, std::int64_t value_bytes) {
  const std::string value(static_cast<std::size_t>(value_bytes), 'v');
  BatchBuilder builder;
  RecordInput record;
  record.value = value;
  for (std::int64_t i = 0; i < records; ++i) {
    builder.add(record);
  }
  return builder.finish({1, 0, 0}, Compression::kNone);
}

void set_counters(benchmark::State& state, std::size_t batch_bytes) {
  const auto rounds = static_cast<std::int64_t>(state.iterations());
  state.SetItemsProcessed(rounds * state.range(0));
  state.SetBytesProcessed(rounds * static_cast<std::int64_t>(batch_bytes));
}

// Arguments: records in the batch, bytes of each value.
void validate(benchmark::State& state) {
  const std::string batch = make_batch(state.range(0), state.range(1));
  for (auto _ : state) {
    benchmark::DoNotOptimize(validate_batch(batch, BatchUse::kQueue));
  }
  set_counters(state, batch.size());
}
BENCHMARK(validate)->Args({1, 100})->Args({100, 100})->Args({1'000, 100})->Args({100, 1'024});

void add_and_finish(benchmark::State& state) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string batch = make_batch(state.range(0), state.range(1));
    bytes = batch.size();
    benchmark::DoNotOptimize(batch.data());
  }
  set_counters(state, bytes);
}
BENCHMARK(add_and_finish)->Args({1, 100})->Args({100, 100})->Args({1'000, 100})->Args({100, 1'024});

void decode_records(benchmark::State& state) {
  const std::string batch = make_batch(state.range(0), state.range(1));
  const std::string_view records = std::string_view(batch).substr(kBatchHeaderBytes);
  std::size_t bytes = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        for_each_record(records, static_cast<std::int32_t>(state.range(0)),
                        [&bytes](const RecordView& record) { bytes += record.value->size(); }));
  }
  benchmark::DoNotOptimize(bytes);
  set_counters(state, batch.size());
}
BENCHMARK(decode_records)->Args({100, 100})->Args({1'000, 100});

}  // namespace
}  // namespace weir::proto
