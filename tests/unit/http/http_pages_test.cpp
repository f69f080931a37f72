#include "broker/http/latency_histogram.hpp"
#include "broker/http/metrics_page.hpp"
#include "broker/http/routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::http {
namespace {

using testing::HasSubstr;

Pages sound_pages() {
  Pages pages;
  pages.ill = [] { return std::string(); };
  pages.not_ready = [] { return std::vector<std::string>(); };
  pages.metrics = [] { return std::string("weir_up 1\n"); };
  return pages;
}

TEST(Routes, AnswersHealthReadinessAndMetrics) {
  const Pages pages = sound_pages();
  EXPECT_EQ(route("GET", "/healthz", pages).status, 200U);
  const Answer ready = route("GET", "/readyz?verbose", pages);
  EXPECT_EQ(ready.status, 200U);
  EXPECT_EQ(ready.content_type, "application/json");
  EXPECT_EQ(ready.body, "{\"ready\":true,\"reasons\":[]}\n");
  EXPECT_EQ(route("HEAD", "/metrics", pages).body, "weir_up 1\n");
}

TEST(Routes, SaysWhyItIsNotReady) {
  Pages pages = sound_pages();
  pages.not_ready = [] { return std::vector<std::string>{"disk \"a\"", "shutting down"}; };
  const Answer answer = route("GET", "/readyz", pages);
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.body, "{\"ready\":false,\"reasons\":[\"disk \\\"a\\\"\",\"shutting down\"]}\n");
}

TEST(Routes, SaysWhatIsIll) {
  Pages pages = sound_pages();
  pages.ill = [] { return std::string("STORAGE_FAILED: gone"); };
  const Answer answer = route("GET", "/healthz", pages);
  EXPECT_EQ(answer.status, 503U);
  EXPECT_THAT(answer.body, HasSubstr("gone"));
}

TEST(Routes, KnowsNoOtherPagesAndMethods) {
  const Pages pages = sound_pages();
  EXPECT_EQ(route("GET", "/", pages).status, 404U);
  EXPECT_EQ(route("POST", "/nowhere", pages).status, 404U);
  const Answer refused = route("POST", "/metrics", pages);
  EXPECT_EQ(refused.status, 405U);
  EXPECT_EQ(refused.allow, "GET, HEAD");
}

TEST(LatencyHistogram, CountsIntoTheBucketWhoseBoundIsNotBelow) {
  LatencyHistogram histogram;
  histogram.add(std::chrono::microseconds(100));
  histogram.add(std::chrono::microseconds(101));
  histogram.add(std::chrono::hours(2));
  const LatencyHistogram::Snapshot read = histogram.read();
  EXPECT_EQ(read.buckets[0], 1U);
  EXPECT_EQ(read.buckets[1], 1U);
  EXPECT_EQ(read.buckets.back(), 1U);
  EXPECT_EQ(read.count, 3U);
  EXPECT_NEAR(read.sum_seconds, 7200.000201, 1e-7);
}

TEST(MetricsPage, ShowsQueuesTopicsAndCommits) {
  MetricsFacts facts;
  facts.now = 10'000;
  facts.version = "1.2.3";
  facts.compiler = "clang";
  facts.crc32c = "sse4.2, ours";
  facts.connections = 4;
  facts.shard.sent_messages = 12;
  core::QueueInfo queue;
  queue.name = "work";
  queue.ready = 5;
  queue.oldest_append_time = 7'500;
  facts.queues.push_back(
      {.name_space = "default", .info = queue, .counters = {.acked_messages = 3}});
  facts.shard.refused_messages.add(proto::Errc::kDiskFull, 7);
  facts.process.open_fds = 21;
  facts.shard.backups = {
      .done = 2, .abandoned = 1, .last_time = 9'500, .last_took_ms = 250, .last_bytes = 77};
  facts.storage.is_write_stopped = true;
  queue.name = "source";
  queue.settings.dead_letter_queue = "work";
  facts.queues.push_back({.name_space = "default", .info = queue, .counters = {}});
  facts.queues.push_back({.name_space = "other", .info = queue, .counters = {}});
  core::TopicInfo topic;
  topic.name = "events";
  core::PartitionInfo partition;
  partition.partition = 2;
  partition.high_watermark = 99;
  topic.partitions.push_back(partition);
  facts.topics.push_back({.name_space = "default", .info = topic});
  LatencyHistogram commits;
  commits.add(std::chrono::milliseconds(3));
  facts.commits = commits.read();
  LatencyHistogram waits;
  waits.add(std::chrono::minutes(2), 5);
  facts.times_in_queue = waits.read();

  const std::string page = metrics_page(facts);
  EXPECT_THAT(page, HasSubstr("weir_build_info{version=\"1.2.3\",compiler=\"clang\","
                              "crc32c=\"sse4.2, ours\"} 1"));
  EXPECT_THAT(page, HasSubstr("weir_queue_messages{namespace=\"default\",queue=\"work\","
                              "state=\"ready\"} 5"));
  EXPECT_THAT(page, HasSubstr("weir_queue_oldest_age_seconds{namespace=\"default\","
                              "queue=\"work\"} 2.5"));
  EXPECT_THAT(page, HasSubstr("weir_topic_high_watermark_offset{namespace=\"default\","
                              "topic=\"events\",partition=\"2\"} 99"));
  EXPECT_THAT(page, HasSubstr("# TYPE weir_sent_total counter"));
  EXPECT_THAT(page, HasSubstr("weir_sent_total 12"));
  EXPECT_THAT(page, HasSubstr("weir_connections 4"));
  EXPECT_THAT(page, HasSubstr("weir_queue_acked_total{namespace=\"default\",queue=\"work\"} 3"));
  EXPECT_THAT(page, HasSubstr("weir_refused_total{what=\"send\",code=\"DISK_FULL\"} 7"));
  EXPECT_THAT(page, HasSubstr("process_open_fds 21"));
  EXPECT_THAT(page, HasSubstr("weir_backups_total{outcome=\"done\"} 2"));
  EXPECT_THAT(page, HasSubstr("weir_backups_total{outcome=\"failed\"} 0"));
  EXPECT_THAT(page, HasSubstr("weir_backups_total{outcome=\"abandoned\"} 1"));
  EXPECT_THAT(page, HasSubstr("weir_last_backup_time_seconds 9.5"));
  EXPECT_THAT(page, HasSubstr("weir_last_backup_seconds 0.25"));
  EXPECT_THAT(page, HasSubstr("weir_last_backup_bytes 77"));
  EXPECT_THAT(page, HasSubstr("weir_rocksdb_write_stopped 1"));
  EXPECT_THAT(page, testing::Not(HasSubstr("(other)")));
  EXPECT_THAT(page, HasSubstr("weir_queue_dead_letter_sources{namespace=\"default\","
                              "queue=\"work\"} 1"));
  EXPECT_THAT(page, HasSubstr("weir_queue_dead_letter_sources{namespace=\"default\","
                              "queue=\"source\"} 0"));
  EXPECT_THAT(page, HasSubstr("weir_commit_seconds_bucket{le=\"0.0025\"} 0"));
  EXPECT_THAT(page, HasSubstr("weir_commit_seconds_bucket{le=\"0.005\"} 1"));
  EXPECT_THAT(page, HasSubstr("weir_commit_seconds_bucket{le=\"+Inf\"} 1"));
  EXPECT_THAT(page, HasSubstr("weir_time_in_queue_seconds_bucket{le=\"60\"} 0"));
  EXPECT_THAT(page, HasSubstr("weir_time_in_queue_seconds_bucket{le=\"600\"} 5"));
  EXPECT_THAT(page, HasSubstr("weir_time_in_queue_seconds_sum 600"));
}

TEST(MetricsPage, SumsUpWhatIsBeyondItsLimit) {
  MetricsFacts facts;
  facts.now = 10'000;
  facts.max_objects = 2;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    core::QueueInfo queue;
    queue.name = "q" + std::to_string(i);
    queue.ready = i;
    queue.bytes = 100 * i;
    queue.subscribers = 1;
    queue.oldest_append_time = i == 5 ? 0 : static_cast<proto::TimeMs>(9'000 - 1'000 * i);
    facts.queues.push_back(
        {.name_space = "default", .info = queue, .counters = {.sent_messages = 10 * i}});
    core::TopicInfo topic;
    topic.name = "t" + std::to_string(i);
    core::PartitionInfo partition;
    partition.bytes = i;
    topic.partitions.push_back(partition);
    facts.topics.push_back({.name_space = "default", .info = topic});
  }
  const std::string page = metrics_page(facts);
  const std::string others = "{namespace=\"(other)\",queue=\"(other)\"";
  EXPECT_THAT(page, HasSubstr("queue=\"q2\""));
  EXPECT_THAT(page, testing::Not(HasSubstr("queue=\"q3\"")));
  EXPECT_THAT(page, HasSubstr("weir_queue_messages" + others + ",state=\"ready\"} 12"));
  EXPECT_THAT(page, HasSubstr("weir_queue_bytes" + others + "} 1200"));
  EXPECT_THAT(page, HasSubstr("weir_queue_subscribers" + others + "} 3"));
  EXPECT_THAT(page, HasSubstr("weir_queue_oldest_age_seconds" + others + "} 5"));
  EXPECT_THAT(page, HasSubstr("weir_queue_sent_total" + others + "} 120"));
  EXPECT_THAT(page, testing::Not(HasSubstr("topic=\"t3\"")));
  EXPECT_THAT(page, HasSubstr("weir_topic_bytes{namespace=\"(other)\",topic=\"(other)\","
                              "partition=\"(other)\"} 12"));
}

}  // namespace
}  // namespace weir::http
