#include "tests/integration/broker_process.hpp"
#include "tests/integration/wire_client.hpp"
#include "weir/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>

// What a monitoring system gets: the page of a real broker, and the alerts and the dashboard that
// are made for it.
namespace weir::integration {
namespace {

using testing::IsEmpty;
using testing::IsSupersetOf;

std::filesystem::path docker_file(const std::string& name) {
  return std::filesystem::path(WEIR_TEST_DOCKER_DIR) / name;
}

Output promtool(const std::string& arguments) {
  return run_command(std::string(WEIR_TEST_PROMTOOL) + " " + arguments + " 2>&1");
}

/// Names of metrics that stand in a text, as those of their families.
std::set<std::string> families_named_in(const std::string& text) {
  static const std::regex kName("\\b(weir|process)_[a-z0-9_]+");
  std::set<std::string> names;
  for (std::sregex_iterator it(text.begin(), text.end(), kName), end; it != end; ++it) {
    std::string name = it->str();
    if (const std::size_t suffix = name.rfind("_bucket"); suffix != std::string::npos) {
      name.resize(suffix);
    }
    names.insert(std::move(name));
  }
  return names;
}

class Monitoring : public testing::Test {
 protected:
  Monitoring() : broker_(dir_.path(), usual_flags(dir_.path() / "data")) {}

  void SetUp() override {
    ASSERT_TRUE(broker_.wait_until_ready()) << broker_.log();
    Client client =
        Client::connect(ClientOptions("weir://127.0.0.1:" + std::to_string(broker_.port())))
            .value();
    ASSERT_TRUE(client.create_queue("failed", QueueSettings()).has_value());
    ASSERT_TRUE(
        client
            .create_queue("work",
                          QueueSettings().set_max_receive_count(1).set_dead_letter_queue("failed"))
            .has_value());
    ASSERT_TRUE(client.create_topic("events", TopicSettings().set_partitions(2)).has_value());
    Producer producer = client.queue_producer("work", ProducerOptions()).value();
    for (const char* body : {"good", "bad", "good"}) {
      ASSERT_TRUE(producer.send(body).has_value());
    }
    Producer publisher = client.topic_producer("events", ProducerOptions()).value();
    ASSERT_TRUE(publisher.send("happened").has_value());
    ASSERT_FALSE(client.describe_queue("none").has_value());
    WorkerPool pool = client
                          .start_workers("work", WorkerPoolOptions().set_concurrency(1),
                                         [](const Delivery& delivery) {
                                           return delivery.body() == "bad" ? Outcome::nack("bad")
                                                                           : Outcome::ack();
                                         })
                          .value();
    const auto is_done = [&client] {
      const auto failed = client.describe_queue("failed");
      const auto work = client.describe_queue("work");
      return failed && work && failed->ready == 1 && work->ready + work->in_flight == 0;
    };
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!is_done() && std::chrono::steady_clock::now() < until) {
    }
    ASSERT_TRUE(is_done());
    const std::string answer = http_get(broker_.http_port(), "/metrics");
    const std::size_t body = answer.find("\r\n\r\n");
    page_ = body == std::string::npos ? answer : answer.substr(body + 4);
  }

  /// The value of a series; "" where it is not there.
  [[nodiscard]] std::string value(const std::string& series) const {
    const std::size_t at = page_.find("\n" + series + " ");
    if (at == std::string::npos) {
      return {};
    }
    const std::size_t begin = at + series.size() + 2;
    return page_.substr(begin, page_.find('\n', begin) - begin);
  }

  TempDir dir_;
  BrokerProcess broker_;
  std::string page_;
};

TEST_F(Monitoring, ShowsWhatHappenedToEachQueue) {
  const auto of = [](const std::string& name, const std::string& queue) {
    return name + R"({namespace="default",queue=")" + queue + "\"}";
  };
  EXPECT_EQ(value(of("weir_queue_sent_total", "work")), "3");
  EXPECT_EQ(value(of("weir_queue_delivered_total", "work")), "3");
  EXPECT_EQ(value(of("weir_queue_acked_total", "work")), "2");
  EXPECT_EQ(value(of("weir_queue_nacked_total", "work")), "1");
  EXPECT_EQ(value(of("weir_queue_dead_lettered_total", "work")), "1");
  EXPECT_EQ(value(of("weir_queue_dead_letter_sources", "failed")), "1");
  EXPECT_EQ(value(of("weir_queue_dead_letter_sources", "work")), "0");
  EXPECT_EQ(value(R"(weir_refused_total{what="request",code="QUEUE_NOT_FOUND"})"), "1");
  EXPECT_EQ(value("weir_end_to_end_seconds_count"), "2");
  EXPECT_EQ(value("weir_time_in_queue_seconds_count"), "3");
  EXPECT_EQ(value("weir_rocksdb_write_stopped"), "0");
  EXPECT_GT(std::stod(value("process_resident_memory_bytes")), 1e6);
  EXPECT_GT(std::stod(value("process_cpu_seconds_total")), 0);
  const double started = std::stod(value("process_start_time_seconds"));
  const auto now = static_cast<double>(::time(nullptr));
  EXPECT_NEAR(started, now, 300);
}

TEST_F(Monitoring, ThePageAndTheAlertsPassTheCheckersOfPrometheus) {
  std::ofstream(dir_.path() / "page") << page_;
  const Output metrics = promtool("check metrics < " + (dir_.path() / "page").string());
  EXPECT_EQ(metrics.status, 0) << metrics.text;
  EXPECT_THAT(metrics.text, IsEmpty());
  for (const std::string& check :
       {"check config " + docker_file("prometheus/prometheus.yml").string(),
        "test rules " + docker_file("prometheus/alerts_test.yml").string()}) {
    const Output checked = promtool(check);
    EXPECT_EQ(checked.status, 0) << checked.text;
  }
}

TEST_F(Monitoring, AlertsAndDashboardAskForWhatThereIs) {
  const std::set<std::string> there = families_named_in(page_);
  for (const char* name : {"prometheus/alerts.yml", "grafana/dashboards/weir.json"}) {
    std::set<std::string> asked = families_named_in(read_file(docker_file(name)));
    EXPECT_GT(asked.size(), 10U);
    asked.erase("weir_rocksdb_");  // a pattern in a sentence
    EXPECT_THAT(there, IsSupersetOf(asked)) << name;
  }
}

TEST_F(Monitoring, EachAlertIsShownToFire) {
  const std::string rules = read_file(docker_file("prometheus/alerts.yml"));
  const std::string tests = read_file(docker_file("prometheus/alerts_test.yml"));
  static const std::regex kAlert("alert: (\\w+)");
  std::set<std::string> silent;
  for (std::sregex_iterator it(rules.begin(), rules.end(), kAlert), end; it != end; ++it) {
    const std::regex fires("alertname: " + (*it)[1].str() + "\\n *exp_alerts:\\n");
    if (!std::regex_search(tests, fires)) {
      silent.insert((*it)[1].str());
    }
  }
  EXPECT_THAT(silent, IsEmpty());
}

}  // namespace
}  // namespace weir::integration
