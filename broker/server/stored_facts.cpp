#include "broker/server/stored_facts.hpp"

#include "broker/terminal/facts.hpp"
#include "proto/backup_manifest.hpp"

#include <span>
#include <utility>

namespace weir::server {
namespace {

// Names that `weir backup` prints too mean the same there (broker/cli/describe.cpp).
terminal::Facts list(const StoredFacts& facts) {
  const core::RowCheck::Counts& counts = facts.counts;
  terminal::Facts all;
  all.add("kind", facts.kind);
  all.add("incarnation", facts.incarnation);
  all.add("commit", facts.rows.point.index.value);
  all.add_time("commit_time", facts.rows.point.time);
  all.add("namespaces", counts.namespaces);
  all.add("queues", counts.queues);
  all.add("topics", counts.topics);
  all.add("partitions", counts.partitions);
  all.add("producers", counts.producers);
  all.add("batches", counts.batches);
  all.add("records", counts.records);
  all.add("rows", facts.rows.rows);
  all.add("bytes", facts.rows.bytes);
  all.add("digest", proto::hex_digest(facts.rows.digest));
  return all;
}

}  // namespace

storage::ByteSource watched(storage::ByteSource source, const WorkWatch& watch) {
  return [source = std::move(source), &watch](std::span<char> into) {
    proto::Result<std::size_t> got = source(into);
    if (got) {
      watch.advance(*got);
    }
    return got;
  };
}

proto::Result<StoredFacts> check_rows(std::string_view kind, const VisitRows& visit,
                                      const WorkWatch& watch) {
  core::RowCheck check;
  const auto rows = visit(
      [&](storage::Family family, std::string_view key, std::string_view value) -> proto::Result<> {
        const proto::Result<> goes_on = watch.may_go_on();
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

proto::Result<StoredFacts> check_rows(const storage::Reader& reader, const WorkWatch& watch) {
  return check_rows(
      "data directory",
      [&](const storage::RowSink& sink) {
        return storage::visit_shard_rows(
            reader, [&](storage::Family family, std::string_view key, std::string_view value) {
              watch.advance(key.size() + value.size());
              return sink(family, key, value);
            });
      },
      watch);
}

std::string facts_table(const StoredFacts& facts) {
  return list(facts).table();
}

std::string facts_json(const StoredFacts& facts) {
  return list(facts).json() + "\n";
}

}  // namespace weir::server
