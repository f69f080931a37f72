#include "broker/core/queue/touched_batch.hpp"

#include <benchmark/benchmark.h>

namespace weir::core {
namespace {

Run leased() {
  Run run;
  run.state = RunState::kLeased;
  run.grant = proto::GrantId{1};
  run.when = 1'000;
  return run;
}

// Argument: messages of the batch; leased and acked as a whole.
void whole_batch(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    TouchedBatch batch(0, static_cast<proto::Offset>(count) - 1, 1'000, 0);
    batch.lease(0, count, leased());
    batch.ack(0, count, [](proto::GrantId, std::uint32_t) {});
    benchmark::DoNotOptimize(batch.done());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(whole_batch)->Arg(1)->Arg(100)->Arg(10'000);

// Argument: messages of the batch; leased as a whole, acked one by one, every other first.
void acked_singly(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    TouchedBatch batch(0, static_cast<proto::Offset>(count) - 1, 1'000, 0);
    batch.lease(0, count, leased());
    for (const std::uint32_t begin : {0U, 1U}) {
      for (std::uint32_t i = begin; i < count; i += 2) {
        batch.ack(i, 1, [](proto::GrantId, std::uint32_t) {});
      }
    }
    benchmark::DoNotOptimize(batch.done());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(acked_singly)->Arg(100)->Arg(1'000);

// Argument: messages of the batch; leased as a whole, each given back with a delay of its own.
void delayed_singly(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    TouchedBatch batch(0, static_cast<proto::Offset>(count) - 1, 1'000, 0);
    batch.lease(0, count, leased());
    for (std::uint32_t i = 0; i < count; ++i) {
      batch.update(i, 1, [i](Run& run, std::uint32_t) {
        run.state = RunState::kReturned;
        run.when = 1'000 + i;
      });
    }
    benchmark::DoNotOptimize(batch.next_due());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(delayed_singly)->Arg(100)->Arg(1'000)->Arg(10'000);

}  // namespace
}  // namespace weir::core
