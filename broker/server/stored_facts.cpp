#include "broker/server/stored_facts.hpp"

#include "proto/backup_manifest.hpp"

#include <algorithm>
#include <vector>

namespace weir::server {
namespace {

struct Fact {
  std::string name;
  std::string value;
  bool is_text = false;  // without a letter that JSON would escape
};

// Names that `weir backup` prints too mean the same there (broker/cli/describe.cpp).
std::vector<Fact> list(const StoredFacts& facts) {
  const core::RowCheck::Counts& counts = facts.counts;
  return {{"kind", std::string(facts.kind), true},
          {"incarnation", std::to_string(facts.incarnation)},
          {"commit", std::to_string(facts.rows.point.index.value)},
          {"commit_time_ms", std::to_string(facts.rows.point.time)},
          {"namespaces", std::to_string(counts.namespaces)},
          {"queues", std::to_string(counts.queues)},
          {"topics", std::to_string(counts.topics)},
          {"partitions", std::to_string(counts.partitions)},
          {"producers", std::to_string(counts.producers)},
          {"batches", std::to_string(counts.batches)},
          {"records", std::to_string(counts.records)},
          {"rows", std::to_string(facts.rows.rows)},
          {"bytes", std::to_string(facts.rows.bytes)},
          {"digest", proto::hex_digest(facts.rows.digest), true}};
}

}  // namespace

proto::Result<StoredFacts> check_rows(std::string_view kind, const VisitRows& visit,
                                      const MayGoOn& may_go_on) {
  core::RowCheck check;
  const auto rows = visit(
      [&](storage::Family family, std::string_view key, std::string_view value) -> proto::Result<> {
        const proto::Result<> goes_on = may_go_on();
        return goes_on ? check.add(family, key, value) : goes_on;
      });
  if (!rows) {
    return rows.error();
  }
  if (const proto::Result<> whole = check.finish(); !whole) {
    return whole.error();
  }
  return StoredFacts{
      .kind = kind, .incarnation = check.incarnation(), .rows = *rows, .counts = check.counts()};
}

proto::Result<StoredFacts> check_rows(const storage::Reader& reader, const MayGoOn& may_go_on) {
  return check_rows(
      "data directory",
      [&reader](const storage::RowSink& sink) { return storage::visit_shard_rows(reader, sink); },
      may_go_on);
}

std::string facts_table(const StoredFacts& facts) {
  const std::vector<Fact> all = list(facts);
  std::size_t width = 0;
  for (const Fact& fact : all) {
    width = std::max(width, fact.name.size());
  }
  std::string text;
  for (const Fact& fact : all) {
    text += fact.name + std::string(width + 2 - fact.name.size(), ' ') + fact.value + "\n";
  }
  return text;
}

std::string facts_json(const StoredFacts& facts) {
  std::string text;
  for (const Fact& fact : list(facts)) {
    text += text.empty() ? "{" : ", ";
    text += "\"" + fact.name + "\": ";
    text += fact.is_text ? "\"" + fact.value + "\"" : fact.value;
  }
  return text + "}\n";
}

}  // namespace weir::server
