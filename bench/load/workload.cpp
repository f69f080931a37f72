#include "bench/load/workload.hpp"

#include "bench/load/machine.hpp"

#include <chrono>
#include <sys/resource.h>
#include <unistd.h>

namespace weir::bench {
namespace {

constexpr std::chrono::seconds kRequestTimeout{60};

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

proto::Result<Subject> Subject::make(const Options& options) {
  Subject subject;
  if (!options.url.empty()) {
    subject.url_ = options.url;
    subject.http_ = options.http;
    return subject;
  }
  proto::Result<TempDir> dir = TempDir::make(options.dir);
  if (!dir) {
    return dir.error();
  }
  subject.dir_.emplace(std::move(*dir));
  if (proto::Result<> started = subject.restart(options); !started) {
    return started.error();
  }
  return subject;
}

proto::Result<> Subject::restart(const Options& options) {
  if (!dir_) {
    return proto::fail(proto::Errc::kInvalidArgument, "only a broker of our own can be restarted");
  }
  broker_.reset();
  proto::Result<BrokerProcess> broker =
      BrokerProcess::start(options.broker, dir_->path(), options.broker_flags);
  if (!broker) {
    return broker.error();
  }
  broker_.emplace(std::move(*broker));
  url_ = broker_->url();
  http_ = broker_->http();
  return {};
}

proto::Result<> Subject::kill_and_restart(const Options& options) {
  if (broker_) {
    broker_->kill();
  }
  return restart(options);
}

double Subject::metric(std::string_view name) const {
  if (http_.empty()) {
    return 0;
  }
  const proto::Result<double> value = read_metric(http_, name);
  return value ? *value : 0;
}

std::string Subject::crc32c() const {
  if (!broker_) {
    return "not known: the broker is not ours";
  }
  const std::vector<std::string> lines = broker_->log_lines("CRC");
  return lines.empty() ? "the log does not say" : lines.front();
}

proto::Result<Client> connect(const std::string& url) {
  ClientOptions options(url);
  options.set_service("weir-bench")
      .set_overall_timeout(kRequestTimeout)
      .set_request_timeout(kRequestTimeout);
  options.set_connect_timeout(std::chrono::seconds{5});
  Result<Client> client = Client::connect(std::move(options));
  if (!client) {
    return to_error(client.error());
  }
  return std::move(*client);
}

std::string unique_name(std::string_view base) {
  return std::string(base) + "-" + std::to_string(getpid()) + "-" + std::to_string(now_ns());
}

proto::Result<std::string> new_queue(Client& client, std::string_view base, bool is_fifo) {
  std::string queue = unique_name(base) + (is_fifo ? ".fifo" : "");
  if (const auto created = client.create_queue(queue); !created) {
    return to_error(created.error());
  }
  return queue;
}

double peak_mib(const Subject& subject) {
  return static_cast<double>(subject.use().peak_rss_bytes) / kMebibyte;
}

double rss_mib(const Subject& subject) {
  return static_cast<double>(subject.use().rss_bytes) / kMebibyte;
}

proto::Error to_error(const Error& error) {
  return proto::fail(proto::Errc::kInternal, error.to_string());
}

double own_cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
}

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> list = {
      {"queue-roundtrip", "one producer, one consumer, as fast as they go", run_queue_roundtrip},
      {"queue-one-at-a-time", "one unconfirmed send, beside what the disk alone would take",
       run_queue_one_at_a_time},
      {"topic-append", "fills a topic", run_topic_append},
      {"topic-replay", "reads a topic from its start", run_topic_replay},
      {"topic-replay-beside-sends", "single sends on the connection that replays --topic-bytes",
       run_topic_replay_beside_sends},
      {"delayed-backlog", "memory and restart with --backlog messages given back for an hour",
       run_delayed_backlog},
      {"backlog", "memory, rate, restart after SIGKILL and draining at growing depths of a queue",
       run_backlog},
      {"backlog-fifo",
       "--backlog messages of 100 000 groups: memory, and the drain of a FIFO queue",
       run_backlog_fifo},
      {"backlog-priority", "--backlog messages of all priorities: memory, and the drain of a queue",
       run_backlog_priority},
      {"backlog-delayed",
       "--backlog messages that are put off and all due after four minutes: memory, and the drain",
       run_backlog_delayed},
      {"purge", "a purge of --backlog messages, and single sends to another queue beside it",
       run_purge},
      {"delayed-sends",
       "messages that are put off: how late they come, what they cost, a queue full of them",
       run_delayed_sends},
      {"queue-fifo", "the same through FIFO queues, of few and of many groups; and deduplicated",
       run_queue_fifo},
      {"queue-priority", "the same with messages of all priorities in turn", run_queue_priority},
      {"queue-tenants", "ten tenants with ten messages each, alone and beside one with 100 000",
       run_queue_tenants},
      {"nack-storm", "every second message fails once: rate, and what comes again (--seconds 30)",
       run_nack_storm},
      {"curve-payload", "messages that go round, of growing size", run_curve_payload},
      {"curve-connections", "messages that go round over more and more connections",
       run_curve_connections},
      {"curve-queues", "messages that go round over more and more queues", run_curve_queues},
      {"startup", "exec to first acknowledged send, memory idle and through a load", run_startup},
  };
  return list;
}

}  // namespace weir::bench
