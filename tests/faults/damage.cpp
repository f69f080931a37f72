#include "tests/faults/damage.hpp"

#include "tests/faults/sample_reader.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace weir::faults {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kTruncatedPercent = 25;
constexpr std::uint64_t kRemovedPercent = 5;
/// Where files begin and end is what they are read by: a flip falls there more often.
constexpr std::uint64_t kEdgePercent = 30;
constexpr std::uint64_t kEdgeBytes = 64;
constexpr int kExitNotStarted = 1;
constexpr int kExitFailed = 3;
constexpr std::size_t kMaxComplaints = 40;

/// What all files of a kind have in common: the name without its number.
std::string kind_of(const fs::path& file) {
  const std::string name = file.filename().string();
  const std::string ending = file.extension().string();
  if (!ending.empty() && ending != ".old") {
    return ending == ".log" ? "wal" : ending.substr(1);
  }
  return name.substr(0, name.find('-'));
}

std::string read_bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_bytes(const fs::path& file, const std::string& bytes) {
  fs::remove(file);  // it may be a link to the sample's
  std::ofstream(file, std::ios::binary) << bytes;
}

/// Files that RocksDB writes once are shared with the sample, the others copied.
void copy_data(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::create_directories(to / "db");
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const fs::path target = to / fs::relative(entry.path(), from);
    const std::string ending = entry.path().extension().string();
    if (entry.is_directory()) {
      continue;
    }
    if (ending == ".sst" || ending == ".blob") {
      fs::create_hard_link(entry.path(), target);
    } else {
      fs::copy_file(entry.path(), target);
    }
  }
}

/// The broker has ended by itself, and says what a person can do.
bool explains(const std::string& log) {
  return log.find("the broker cannot go on: ") != std::string::npos &&
         log.find("Restore the data directory") != std::string::npos;
}

/// The last line of a log without what differs from case to case.
std::string shape_of(const std::string& log) {
  std::string line = log.substr(0, log.find_last_not_of('\n') + 1);
  line = line.substr(line.rfind('\n') + 1);
  std::string shape;
  bool is_quoted = false;
  for (std::size_t i = line.find(' ') + 1; i < line.size(); ++i) {
    const char c = line[i];
    is_quoted = is_quoted != (c == '\'' && line.compare(i, 3, "'s ") != 0);
    if (is_quoted && c != '\'') {
      continue;
    }
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      if (shape.empty() || shape.back() != '#') {
        shape += '#';
      }
    } else {
      shape += c;
    }
  }
  return shape;
}

}  // namespace

DamageRun::DamageRun(DamageOptions options)
    : options_(std::move(options)), random_(options_.seed) {}

DamageReport DamageRun::run() {
  const Clock::time_point begin = Clock::now();
  if (const proto::Result<> written = write_samples(); !written) {
    report_.complaints.push_back(written.error().to_string());
  }
  for (std::uint32_t i = 0;
       i < options_.count && report_.complaints.size() < kMaxComplaints && samples_.size() == 3;
       ++i) {
    try_one(samples_[random_.between(0, samples_.size() - 1)]);
  }
  report_.took_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  return report_;
}

proto::Result<> DamageRun::write_samples() {
  for (const SampleEnd end : {SampleEnd::kStopped, SampleEnd::kKilled, SampleEnd::kBusy}) {
    proto::Result<StoredSample> sample =
        write_sample(options_.broker, options_.dir / name_of(end), end, random_.next());
    if (!sample) {
      return sample.error();
    }
    samples_.push_back(std::move(*sample));
  }
  return {};
}

DamageRun::Damage DamageRun::damage_a_file(const fs::path& data_dir) {
  std::map<std::string, std::vector<fs::path>> kinds;
  for (const auto& entry : fs::recursive_directory_iterator(data_dir)) {
    if (entry.is_regular_file()) {
      kinds[kind_of(entry.path())].push_back(entry.path());
    }
  }
  for (auto& [kind, files] : kinds) {
    std::ranges::sort(files);
  }
  auto chosen = kinds.begin();
  std::advance(chosen, random_.between(0, kinds.size() - 1));
  const std::vector<fs::path>& files = chosen->second;
  Damage damage;
  damage.kind = chosen->first;
  damage.file = files[random_.between(0, files.size() - 1)];
  damage.bytes = read_bytes(damage.file);
  std::string bytes = damage.bytes;
  if (random_.percent(kRemovedPercent)) {
    fs::remove(damage.file);
    damage.what = "removed";
    ++report_.removals;
    return damage;
  }
  if (bytes.empty() || random_.percent(kTruncatedPercent)) {
    bytes.resize(bytes.empty() ? 0 : random_.between(0, bytes.size() - 1));
    damage.what = "cut from " + std::to_string(damage.bytes.size()) + " to " +
                  std::to_string(bytes.size()) + " bytes";
    ++report_.truncations;
  } else {
    std::uint64_t at = random_.between(0, bytes.size() - 1);
    if (random_.percent(kEdgePercent)) {
      at %= kEdgeBytes;
      at = random_.percent(50) && at < bytes.size() ? bytes.size() - 1 - at : at % bytes.size();
    }
    const auto bit = random_.between(0, 7);
    bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << bit));
    damage.what = "bit " + std::to_string(bit) + " of byte " + std::to_string(at) + " flipped";
    ++report_.flips;
  }
  write_bytes(damage.file, bytes);
  return damage;
}

void DamageRun::try_one(const StoredSample& sample) {
  const fs::path dir = options_.dir / "case";
  fs::create_directories(dir);
  fs::remove(dir / "broker.log");
  crash::BrokerProcess broker(options_.broker, dir, {.flags = sample_flags()});
  copy_data(sample.data_dir, broker.data_dir());
  const Damage damage = damage_a_file(broker.data_dir());
  judge(broker, sample, damage);
}

void DamageRun::judge(crash::BrokerProcess& broker, const StoredSample& sample,
                      const Damage& damage) {
  DamageOutcomes& outcomes = report_.by_file[damage.kind];
  if (proto::Result<> begun = broker.begin(); !begun) {
    complain(sample, damage, begun.error().to_string());
    return;
  }
  if (!broker.wait_ready()) {
    const crash::ProcessEnd end = broker.last_end();
    const std::string log = broker.log();
    const bool is_refused = end.exit_code == kExitNotStarted &&
                            log.find("the broker does not start: ") != std::string::npos;
    // What compactions read on their own may be damaged, too.
    const bool is_ended = end.exit_code == kExitFailed && explains(log);
    if (!is_refused && !is_ended) {
      complain(sample, damage,
               "the start ends with exit " + std::to_string(end.exit_code) + ", signal " +
                   std::to_string(end.signal) + ": " + log);
      return;
    }
    ++(is_refused ? outcomes.refused : outcomes.ended);
    ++report_.messages[shape_of(log)];
    check_restored(broker, sample, damage);
    return;
  }
  const Reading reading = read_sample(broker, sample);
  if (reading.broker_ended) {
    const crash::ProcessEnd end = broker.last_end();
    if (end.exit_code != kExitFailed || !explains(broker.log())) {
      complain(sample, damage,
               "the broker ends with exit " + std::to_string(end.exit_code) + ", signal " +
                   std::to_string(end.signal) + ": " + broker.log());
      return;
    }
    ++outcomes.ended;
    ++report_.messages[shape_of(broker.log())];
    return;
  }
  for (const std::string& complaint : reading.complaints) {
    complain(sample, damage, complaint);
  }
  if (reading.reader_was_told) {
    ++outcomes.told;
  } else if (reading.late_lost > 0) {
    ++outcomes.tails;
  } else {
    ++outcomes.harmless;
  }
  if (const proto::Result<> killed = broker.kill(); !killed) {
    complain(sample, damage, killed.error().to_string());
  }
}

// A refused start says that it has changed nothing: with the damage undone all must be there.
void DamageRun::check_restored(crash::BrokerProcess& broker, const StoredSample& sample,
                               const Damage& damage) {
  write_bytes(damage.file, damage.bytes);
  if (const proto::Result<> started = broker.start(); !started) {
    complain(sample, damage,
             "after the refusal, with the damage undone: " + started.error().to_string());
    return;
  }
  const Reading reading = read_sample(broker, sample);
  for (const std::string& complaint : reading.complaints) {
    complain(sample, damage, "after the refusal, with the damage undone: " + complaint);
  }
  if (reading.complaints.empty() && reading.late_lost == 0 && !reading.reader_was_told) {
    ++report_.restored;
  }
  if (!reading.broker_ended) {
    (void)broker.kill();
  }
}

void DamageRun::complain(const StoredSample& sample, const Damage& damage,
                         const std::string& what) {
  report_.complaints.push_back(std::string(name_of(sample.end)) + " sample, " +
                               damage.file.filename().string() + ", " + damage.what + ": " + what);
}

}  // namespace weir::faults
