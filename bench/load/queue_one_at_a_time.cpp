#include "bench/load/histogram.hpp"
#include "bench/load/machine.hpp"
#include "bench/load/payload.hpp"
#include "bench/load/references.hpp"
#include "bench/load/workload.hpp"

#include <chrono>
#include <functional>
#include <future>
#include <memory>

namespace weir::bench {
namespace {

// So many operations of one kind before the next kind has its turn: what the disk and the machine
// do meanwhile meets all kinds alike.
constexpr std::size_t kTurn = 100;
constexpr double kGrowingTarget = 1.75;
constexpr double kRocksTarget = 1.25;

// Sends one after the other from within the confirmation callbacks: no change of threads in the
// client.
class CallbackChain {
 public:
  CallbackChain(Producer& producer, Payload& payload, Histogram& histogram)
      : producer_(producer), payload_(payload), histogram_(histogram) {}

  proto::Result<> run(std::size_t count) {
    left_ = count;
    std::future<proto::Result<>> done = done_.get_future();
    if (proto::Result<> taken = send_next(); !taken) {
      return taken;
    }
    return done.get();
  }

 private:
  proto::Result<> send_next() {
    --left_;
    const std::int64_t from = now_ns();
    const Result<> taken = producer_.send(
        MessageView(payload_.make(left_, from)),
        [this, from](const Result<SendReceipt>& receipt) { on_confirmed(from, receipt); });
    return taken ? proto::Result<>() : proto::Result<>(to_error(taken.error()));
  }

  void on_confirmed(std::int64_t from, const Result<SendReceipt>& receipt) {
    histogram_.record(std::chrono::nanoseconds(now_ns() - from));
    proto::Result<> so_far =
        receipt ? proto::Result<>() : proto::Result<>(to_error(receipt.error()));
    const bool is_last = !so_far || left_ == 0;
    if (!is_last) {
      so_far = send_next();
    }
    if (is_last || !so_far) {
      done_.set_value(so_far);
    }
  }

  Producer& producer_;
  Payload& payload_;
  Histogram& histogram_;
  std::size_t left_ = 0;
  std::promise<proto::Result<>> done_;
};

// One kind of operation, timed one by one.
struct Kind {
  std::string name;
  std::function<proto::Result<>(std::size_t count, Histogram&)> run;
  std::unique_ptr<Histogram> histogram = std::make_unique<Histogram>();
};

template <class Operation>
Kind make_kind(std::string name, Operation operation) {
  Kind kind;
  kind.name = std::move(name);
  kind.run = [operation = std::move(operation)](std::size_t count,
                                                Histogram& histogram) mutable -> proto::Result<> {
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t from = now_ns();
      if (proto::Result<> done = operation(); !done) {
        return done;
      }
      histogram.record(std::chrono::nanoseconds(now_ns() - from));
    }
    return {};
  };
  return kind;
}

// What the broker's parts would take by themselves, on the same disk.
struct References {
  RowsOfOneSend rows;
  std::string bytes;
  std::string payload;
  std::uint64_t commits = 0;
  std::unique_ptr<storage::RocksStore> store;
  std::unique_ptr<GrowingFile> growing;
  std::unique_ptr<PrefilledFile> prefilled;
  std::unique_ptr<PingPong> ping_pong;

  explicit References(std::size_t payload_bytes)
      : rows(payload_bytes), bytes(rows.bytes(), 'b'), payload(payload_bytes, 'p') {}

  proto::Result<> open(const std::filesystem::path& dir) {
    storage::OpenOptions opening;
    opening.path = (dir / "rocks").string();
    opening.prefill_wal = false;  // what RocksDB does by itself
    auto rocks = storage::open_rocks_store(opening);
    auto growing_file = GrowingFile::make(dir / "growing");
    auto prefilled_file = PrefilledFile::make(dir / "prefilled");
    auto pair = PingPong::make();
    if (!rocks || !growing_file || !prefilled_file || !pair) {
      return proto::fail(proto::Errc::kStorageFailed,
                         "the references cannot be set up in " + dir.string());
    }
    store = std::move(*rocks);
    growing = std::make_unique<GrowingFile>(std::move(*growing_file));
    prefilled = std::make_unique<PrefilledFile>(std::move(*prefilled_file));
    ping_pong = std::move(*pair);
    return {};
  }

  proto::Result<> commit() {
    const storage::WriteBatch batch = rows.make(commits++);
    const storage::WriteBatch* const batches[] = {&batch};
    return store->commit(batches);
  }
};

std::vector<Kind> make_kinds(Producer& producer, Payload& payload, References& references) {
  std::vector<Kind> kinds;
  Kind chained;
  chained.name = "send_by_callback";
  chained.run = [&](std::size_t count, Histogram& histogram) {
    return CallbackChain(producer, payload, histogram).run(count);
  };
  kinds.push_back(std::move(chained));
  kinds.push_back(make_kind("send_blocking", [&]() -> proto::Result<> {
    const Result<SendReceipt> sent = producer.send(MessageView(payload.make(0, 0)));
    return sent ? proto::Result<>() : proto::Result<>(to_error(sent.error()));
  }));
  kinds.push_back(
      make_kind("growing_file", [&] { return references.growing->write(references.bytes); }));
  kinds.push_back(
      make_kind("prefilled_file", [&] { return references.prefilled->write(references.bytes); }));
  kinds.push_back(make_kind("rocksdb_alone", [&] { return references.commit(); }));
  kinds.push_back(make_kind("tcp_ping_pong",
                            [&] { return references.ping_pong->exchange(references.payload); }));
  return kinds;
}

Report make_report(const std::string& title, const std::vector<Kind>& kinds,
                   const References& references) {
  Report report(title);
  report.add("bytes_per_commit", static_cast<double>(references.bytes.size()), "");
  for (const Kind& kind : kinds) {
    report.add(kind.name + "_p50", kind.histogram->percentile_us(0.5), "us");
    report.add(kind.name + "_p99", kind.histogram->percentile_us(0.99), "us");
    report.add(kind.name + "_p999", kind.histogram->percentile_us(0.999), "us");
  }
  const auto ratio = [&](const char* name, const char* send, const char* reference, double target) {
    const double value = report.value(send) / report.value(reference);
    report.add(name, value, "x");
    if (target > 0) {
      char promise[32];
      std::snprintf(promise, sizeof(promise), "<= %.2fx", target);
      report.target(promise, value <= target);
    }
  };
  ratio("callback_to_growing_file", "send_by_callback_p50", "growing_file_p50", kGrowingTarget);
  ratio("callback_to_rocksdb_alone", "send_by_callback_p50", "rocksdb_alone_p50", kRocksTarget);
  ratio("blocking_to_growing_file", "send_blocking_p50", "growing_file_p50", 0);
  ratio("blocking_to_rocksdb_alone", "send_blocking_p50", "rocksdb_alone_p50", 0);
  return report;
}

}  // namespace

proto::Result<> run_queue_one_at_a_time(const Options& options, const Printer& printer) {
  proto::Result<Subject> subject = Subject::make(options);
  if (!subject) {
    return subject.error();
  }
  proto::Result<TempDir> dir = TempDir::make(options.dir);
  if (!dir) {
    return dir.error();
  }
  References references(options.payload_bytes);
  if (proto::Result<> opened = references.open(dir->path()); !opened) {
    return opened;
  }
  proto::Result<Client> client = connect(subject->url());
  if (!client) {
    return client.error();
  }
  const proto::Result<std::string> queue = new_queue(*client, "single");
  if (!queue) {
    return queue.error();
  }
  Result<Producer> producer = client->queue_producer(*queue, ProducerOptions());
  if (!producer) {
    return to_error(producer.error());
  }
  Payload payload(options.payload_bytes);
  std::vector<Report> runs;
  for (std::size_t run = 0; run <= options.runs; ++run) {
    std::vector<Kind> kinds = make_kinds(*producer, payload, references);
    // The first run warms up and is not counted.
    const std::size_t samples = run == 0 ? kTurn : options.samples;
    for (std::size_t done = 0; done < samples; done += kTurn) {
      for (Kind& kind : kinds) {
        if (proto::Result<> ran = kind.run(kTurn, *kind.histogram); !ran) {
          return ran;
        }
      }
    }
    if (run > 0) {
      runs.push_back(
          make_report("queue-one-at-a-time run " + std::to_string(run), kinds, references));
      printer.print(runs.back());
    }
  }
  printer.print(
      Report::median_of("queue-one-at-a-time median of " + std::to_string(runs.size()), runs));
  client->close();
  return {};
}

}  // namespace weir::bench
