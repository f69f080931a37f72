#include "tests/tidy/rules.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>
#include <string_view>

namespace weir::tidy {
namespace {

using Names = std::vector<std::string_view>;

// One row of the table: files under `folder` may include the project's files under `project` and
// the libraries' under `libraries`. The longest folder that fits counts. Headers of the C++ library
// are free except in a pure layer.
struct Layer {
  std::string_view folder;
  Names project;
  Names libraries;
  bool is_free = false;  // may include everything
};

constexpr std::string_view kAsioHeader = "client/include/weir/asio.hpp";

const std::vector<Layer>& layers() {
  static const std::vector<Layer> table = {
      {.folder = "proto/",
       .project = {"proto/", "weir/v1/", "weir/storage/v1/"},
       .libraries = {"boost/system/", "google/protobuf/", "lz4", "zstd", "nmmintrin.h",
                     "wmmintrin.h", "immintrin.h", "cpuid.h"}},
      {.folder = "storage/",
       .project = {"proto/", "storage/", "weir/storage/v1/"},
       .libraries = {"boost/system/", "sys/", "unistd.h", "fcntl.h"}},
      {.folder = "storage/rocks/",
       .project = {"proto/", "storage/", "weir/storage/v1/"},
       .libraries = {"boost/system/", "rocksdb/", "sys/", "unistd.h", "fcntl.h"}},
      {.folder = "broker/core/",
       .project = {"proto/", "storage/", "weir/storage/v1/", "broker/core/"},
       .libraries = {"boost/system/", "boost/container/", "openssl/evp.h"}},
      {.folder = "broker/shard/",
       .project = {"proto/", "storage/", "weir/storage/v1/", "broker/core/", "broker/shard/"},
       .libraries = {"boost/system/", "boost/container/", "boost/intrusive/", "sys/", "unistd.h",
                     "fcntl.h"}},
      {.folder = "broker/logging/", .project = {"proto/", "broker/logging/"}, .libraries = {}},
      {.folder = "broker/terminal/",
       .project = {"proto/", "broker/terminal/"},
       .libraries = {"sys/", "unistd.h"}},
      {.folder = "broker/net/",
       .project = {"proto/", "weir/v1/", "broker/core/", "broker/shard/", "broker/net/",
                   "broker/logging/"},
       .libraries = {"boost/", "google/protobuf/", "spdlog/", "sys/", "netinet/", "unistd.h"}},
      {.folder = "broker/http/",
       .project = {"proto/", "weir/v1/", "broker/core/", "broker/shard/", "broker/http/"},
       .libraries = {"boost/", "google/protobuf/", "prometheus/", "spdlog/"}},
      {.folder = "broker/testkit/",
       .project = {"proto/", "storage/", "weir/testkit.hpp", "broker/core/", "broker/shard/",
                   "broker/net/", "broker/testkit/"},
       .libraries = {"boost/"}},
      {.folder = "broker/testkit/include/", .project = {}, .libraries = {}},
      {.folder = "broker/cli/",
       .project = {"proto/", "weir/", "client/", "broker/server/", "broker/terminal/",
                   "broker/cli/"},
       .libraries = {"boost/", "CLI/", "spdlog/", "google/protobuf/", "sys/", "unistd.h", "fcntl.h",
                     "poll.h", "spawn.h", "signal.h"}},
      {.folder = "broker/", .project = {}, .libraries = {}, .is_free = true},
      {.folder = "client/include/", .project = {"weir/"}, .libraries = {}},
      {.folder = kAsioHeader, .project = {"weir/"}, .libraries = {"boost/asio/"}},
      {.folder = "client/examples/", .project = {"weir/", "example.hpp"}, .libraries = {}},
      {.folder = "client/core/",
       .project = {"proto/", "weir/", "client/core/"},
       .libraries = {"boost/system/", "boost/container/"}},
      {.folder = "client/session/",
       .project = {"proto/", "weir/", "client/core/", "client/session/"},
       .libraries = {"boost/system/", "google/protobuf/"}},
      {.folder = "client/",
       .project = {"proto/", "weir/", "client/"},
       .libraries = {"boost/", "google/protobuf/", "sys/", "netinet/"}},
      {.folder = "tests/", .project = {}, .libraries = {}, .is_free = true},
      {.folder = "bench/", .project = {}, .libraries = {}, .is_free = true},
  };
  return table;
}

// Storage's RocksDB side is known to the wiring alone.
constexpr std::string_view kRocks = "storage/rocks/";
bool may_know_rocks(std::string_view folder) {
  return folder == kRocks || folder == "broker/" || folder == "tests/" || folder == "bench/";
}

// The SDK's public face names no generated message.
bool is_generated(std::string_view name) {
  return name.ends_with(".pb.h");
}

const Layer* layer_of(std::string_view path) {
  const Layer* best = nullptr;
  for (const Layer& layer : layers()) {
    if (path.starts_with(layer.folder) &&
        (best == nullptr || layer.folder.size() > best->folder.size())) {
      best = &layer;
    }
  }
  return best;
}

bool starts_with_any(std::string_view name, const Names& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view p) { return name.starts_with(p); });
}

bool is_allowed(const Layer& layer, const Include& include) {
  if (layer.is_free) {
    return true;
  }
  if (include.is_quoted) {
    if (include.name.starts_with(kRocks) && !may_know_rocks(layer.folder)) {
      return false;
    }
    if (layer.folder.starts_with("client/include/") && is_generated(include.name)) {
      return false;
    }
    return starts_with_any(include.name, layer.project);
  }
  const bool is_standard = include.name.find_first_of("/.") == std::string::npos;
  return is_standard || starts_with_any(include.name, layer.libraries);
}

// ---- purity

constexpr std::array<std::string_view, 4> kPureFolders = {"broker/core/", "broker/shard/",
                                                          "client/core/", "client/session/"};

constexpr std::array<std::string_view, 22> kImpureWords = {
    "::now(",
    "std::thread",
    "std::jthread",
    "std::mutex",
    "std::shared_mutex",
    "std::condition_variable",
    "std::async",
    "std::future",
    "std::this_thread",
    "std::random_device",
    "std::mt19937",
    "std::mt19937_64",
    "std::rand",
    "std::uniform_int_distribution",
    "std::uniform_real_distribution",
    "clock_gettime",
    "getenv",
    "spdlog",
    "std::cout",
    "std::cerr",
    "std::filesystem",
    "co_await",
};

// The seams to the outside inside the shard's folder, where all else is run by one owner, and the
// meeting points of an application's threads with their session.
const std::vector<PurityException>& repository_exceptions() {
  static const std::vector<PurityException> table = {
      // A commit blocks, so it has a thread of its own, which hands results back through a lock.
      // It measures real time: how long a disk took, how long a unit has waited.
      {"broker/shard/local_log",
       {"std::thread", "std::this_thread", "std::mutex", "std::condition_variable", "::now("}},
      // Keeps a small file in step with the commits, off their path.
      {"broker/shard/mark_keeper", {"std::thread", "std::mutex", "std::condition_variable"}},
      // A read blocks, too; what it found is posted to the shard.
      {"broker/shard/thread_loader", {"std::thread", "std::mutex", "std::condition_variable"}},
      // The one place where a client looks at the system's clocks.
      {"client/session/clock", {"::now("}},
      // Who calls, and whether it may wait.
      {"client/session/engine",
       {"std::thread", "std::this_thread", "std::mutex", "std::condition_variable"}},
      // What the application's threads fill or wait for, and the I/O thread empties or answers.
      {"client/session/awaited", {"std::mutex"}},
      {"client/session/producer_front", {"std::mutex", "std::condition_variable"}},
      {"client/session/reader_front", {"std::mutex"}},
      {"client/session/settle_channel", {"std::mutex"}},
  };
  return table;
}

std::string_view without_ending(std::string_view path) {
  return path.substr(0, path.rfind('.'));
}

// A file without its ending, and a word that it was seen to use.
using Uses = std::set<std::pair<std::string, std::string_view>>;

bool is_excepted(std::span<const PurityException> exceptions, std::string_view path,
                 std::string_view word) {
  return std::ranges::any_of(exceptions, [&](const PurityException& exception) {
    return exception.file == without_ending(path) &&
           std::ranges::find(exception.words, word) != exception.words.end();
  });
}

Findings unused_exceptions(std::span<const PurityException> exceptions, const Uses& used) {
  Findings findings;
  for (const PurityException& exception : exceptions) {
    for (std::string_view word : exception.words) {
      if (!used.contains({std::string(exception.file), word})) {
        findings.push_back({std::string(exception.file), 0,
                            "does not use " + std::string(word) + ": take the exception away"});
      }
    }
  }
  return findings;
}

// ---- cycles

class CycleSearch {
 public:
  explicit CycleSearch(const SourceTree& tree) : tree_(tree) {}

  Findings run() {
    for (const SourceFile& file : tree_) {
      if (is_cpp(file.path)) {
        visit(file);
      }
    }
    return std::move(findings_);
  }

 private:
  enum class State { kNew, kOpen, kDone };

  void visit(const SourceFile& file) {
    State& state = states_[file.path];
    if (state != State::kNew) {
      return;
    }
    state = State::kOpen;
    for (const Include& include : includes_of(file)) {
      const SourceFile* next = resolve(tree_, include);
      if (next == nullptr) {
        continue;
      }
      if (states_[next->path] == State::kOpen) {
        findings_.push_back({file.path, include.line, "closes a cycle with " + next->path});
      } else {
        visit(*next);
      }
    }
    states_[file.path] = State::kDone;
  }

  const SourceTree& tree_;
  std::map<std::string, State> states_;
  Findings findings_;
};

}  // namespace

Findings check_layers(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) {
      continue;
    }
    const Layer* layer = layer_of(file.path);
    if (layer == nullptr) {
      findings.push_back({file.path, 0, "lies in no layer"});
      continue;
    }
    for (const Include& include : includes_of(file)) {
      if (!is_allowed(*layer, include)) {
        findings.push_back({file.path, include.line,
                            std::string(layer->folder) + " must not include " + include.name});
      }
    }
  }
  return findings;
}

Findings check_include_cycles(const SourceTree& tree) {
  return CycleSearch(tree).run();
}

Findings check_purity(const SourceTree& tree) {
  return check_purity(tree, repository_exceptions());
}

Findings check_purity(const SourceTree& tree, std::span<const PurityException> exceptions) {
  Findings findings;
  Uses used;
  for (const SourceFile& file : tree) {
    const bool is_pure = std::ranges::any_of(
        kPureFolders, [&](std::string_view folder) { return file.path.starts_with(folder); });
    if (!is_pure || !is_cpp(file.path)) {
      continue;
    }
    const std::string code = blank_comments(file.text, Literals::kBlank);
    for (std::string_view word : kImpureWords) {
      for (std::size_t at : find_word(code, word)) {
        if (is_excepted(exceptions, file.path, word)) {
          used.emplace(without_ending(file.path), word);
        } else {
          findings.push_back(
              {file.path, line_at(code, at), std::string(word) + " in a deterministic layer"});
        }
      }
    }
  }
  const Findings unused = unused_exceptions(exceptions, used);
  findings.insert(findings.end(), unused.begin(), unused.end());
  return findings;
}

}  // namespace weir::tidy
