#include "tests/power/campaign.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::power {
namespace {

constexpr std::size_t kPointsOfASeed = 60;

struct Arguments {
  std::string mode;
  std::uint64_t count = 0;
  std::uint64_t seed = 1;
  std::size_t every = 1;
  std::size_t losses = 3;
  std::size_t jobs = 1;
  std::string dir = "/tmp";
  std::string scenario;
  std::string totals_file;
};

int usage() {
  std::fputs(
      "weir-power boundaries [--every N] [--losses N] [--scenario NAME]\n"
      "weir-power points N [--seed FIRST]\n"
      "weir-power errors [--every N] [--scenario NAME]\n"
      "weir-power trace --scenario NAME: what a scenario does to the disk\n"
      "also: --seed N, --jobs N, --dir DIR (where disks are made; images that break a promise "
      "stay)\n",
      stderr);
  return 2;
}

bool parse(int count, char** values, Arguments& arguments) {
  if (count < 2) {
    return false;
  }
  arguments.mode = values[1];
  int at = 2;
  if (arguments.mode == "points") {
    if (count < 3) {
      return false;
    }
    arguments.count = std::strtoull(values[at++], nullptr, 10);
  }
  for (; at + 1 < count; at += 2) {
    const std::string name = values[at];
    const std::string value = values[at + 1];
    const std::uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--seed") {
      arguments.seed = number;
    } else if (name == "--every") {
      arguments.every = std::max<std::size_t>(number, 1);
    } else if (name == "--losses") {
      arguments.losses = number;
    } else if (name == "--jobs") {
      arguments.jobs = std::max<std::size_t>(number, 1);
    } else if (name == "--dir") {
      arguments.dir = value;
    } else if (name == "--totals") {
      arguments.totals_file = value;
    } else if (name == "--scenario") {
      arguments.scenario = value;
    } else {
      return false;
    }
  }
  return at == count && (arguments.mode == "boundaries" || arguments.mode == "points" ||
                         arguments.mode == "errors" || arguments.mode == "trace");
}

void print(std::size_t position, const Entry& entry) {
  std::string text(entry.bytes.substr(0, 120));
  std::ranges::replace(text, '\0', ' ');
  const bool is_text = entry.step == Step::kCreate || entry.step == Step::kMakeFolder ||
                       entry.step == Step::kRename || entry.step == Step::kUnlink ||
                       entry.step == Step::kFault || entry.step == Step::kDeath ||
                       entry.step == Step::kSyncRepeated;
  std::printf("%6zu %-12s file %u at %llu, %zu bytes%s%s\n", position + 1,
              std::string(name_of(entry.step)).c_str(), entry.file,
              static_cast<unsigned long long>(entry.at), entry.bytes.size(), is_text ? ": " : "",
              is_text ? text.c_str() : "");
}

int trace(const Arguments& arguments, const Place& place) {
  for (const Scenario& scenario : scenarios()) {
    if (scenario.name == arguments.scenario) {
      Journal journal(std::size_t{256} << 20);
      const int code = play(scenario, arguments.seed, place, journal, std::nullopt);
      const std::vector<Entry> entries = journal.read();
      for (std::size_t i = 0; i < entries.size(); ++i) {
        print(i, entries[i]);
      }
      std::filesystem::remove_all(place.dir);
      return code;
    }
  }
  return usage();
}

using Task = std::function<void(const Place&, Totals&)>;

std::vector<Task> tasks_of(const Arguments& arguments) {
  std::vector<Task> tasks;
  if (arguments.mode == "points") {
    for (std::uint64_t i = 0; i * kPointsOfASeed < arguments.count; ++i) {
      const std::size_t points =
          std::min<std::uint64_t>(kPointsOfASeed, arguments.count - i * kPointsOfASeed);
      tasks.emplace_back([seed = arguments.seed + i, points](const Place& place, Totals& totals) {
        random_points(seed, points, place, totals);
      });
    }
    return tasks;
  }
  for (const Scenario& scenario : scenarios()) {
    if (!arguments.scenario.empty() && arguments.scenario != scenario.name) {
      continue;
    }
    if (arguments.mode == "boundaries") {
      tasks.emplace_back([&scenario, arguments](const Place& place, Totals& totals) {
        sweep_boundaries(scenario, arguments.seed, arguments.every, arguments.losses, place,
                         totals);
      });
      continue;
    }
    for (const ErrorKind& kind : error_kinds()) {
      tasks.emplace_back([&scenario, &kind, arguments](const Place& place, Totals& totals) {
        sweep_errors(scenario, kind, arguments.seed, arguments.every, place, totals);
      });
    }
  }
  return tasks;
}

// "name number" lines; what is not there counts as nothing.
void add_to_file(const std::string& path, const Totals& totals, std::uint64_t seconds,
                 std::uint64_t next_seed) {
  std::map<std::string, std::uint64_t> numbers;
  {
    std::ifstream file(path);
    std::string name;
    for (std::uint64_t number = 0; file >> name >> number;) {
      numbers[name] = number;
    }
  }
  numbers["points"] += totals.points;
  numbers["errors"] += totals.errors;
  numbers["violations"] += totals.violations;
  numbers["seconds"] += seconds;
  numbers["next_seed"] = std::max(numbers["next_seed"], next_seed);
  const std::string unfinished = path + ".new";
  {
    std::ofstream file(unfinished);
    for (const auto& [name, number] : numbers) {
      file << name << ' ' << number << '\n';
    }
  }
  std::filesystem::rename(unfinished, path);
}

void report(const Totals& totals, double seconds) {
  const auto number = [](const std::atomic<std::uint64_t>& value) {
    return static_cast<unsigned long long>(value.load());
  };
  const double done = static_cast<double>(totals.points + totals.errors);
  std::printf(
      "power-loss points %llu (%llu of them in a start after one), skipped as the same %llu\n",
      number(totals.points), number(totals.nested), number(totals.same));
  std::printf("I/O errors %llu: clear deaths %llu, clear refusals to start %llu, went on %llu\n",
              number(totals.errors), number(totals.deaths), number(totals.refused),
              number(totals.survived));
  std::printf("violations %llu, %.0f s, %.1f a second\n", number(totals.violations), seconds,
              done / seconds);
}

int run(const Arguments& arguments) {
  const std::string base = std::filesystem::absolute(arguments.dir).string() + "/weir-power-" +
                           std::to_string(::getpid());
  if (arguments.mode == "trace") {
    return trace(arguments, {.dir = base, .keep = arguments.dir});
  }
  const std::vector<Task> tasks = tasks_of(arguments);
  if (tasks.empty()) {
    return usage();
  }
  void* memory =
      ::mmap(nullptr, sizeof(Totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("weir-power: no shared memory");
    return 2;
  }
  auto& totals = *new (memory) Totals{};
  const auto begin = std::chrono::steady_clock::now();
  // Before any thread: workers fork again.
  for (std::size_t worker = 0; worker < arguments.jobs; ++worker) {
    std::fflush(nullptr);
    if (::fork() == 0) {
      const Place place = {.dir = base + "-" + std::to_string(worker), .keep = arguments.dir};
      for (std::size_t i = worker; i < tasks.size(); i += arguments.jobs) {
        tasks[i](place, totals);
      }
      std::filesystem::remove_all(place.dir);
      std::_Exit(0);
    }
  }
  bool is_whole = true;
  int status = 0;
  while (::wait(&status) > 0) {
    is_whole = is_whole && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  report(totals, took.count());
  if (!arguments.totals_file.empty()) {
    const std::uint64_t seeds = arguments.mode == "points" ? tasks.size() : 1;
    add_to_file(arguments.totals_file, totals, static_cast<std::uint64_t>(took.count()),
                arguments.seed + seeds);
  }
  return is_whole && totals.violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace weir::power

int main(int count, char** values) {
  // Every run is a fork of this process: what the linker binds once need not be bound by each.
  if (std::getenv("LD_BIND_NOW") == nullptr) {
    ::setenv("LD_BIND_NOW", "1", 1);
    ::execv("/proc/self/exe", values);
  }
  weir::power::Arguments arguments;
  return weir::power::parse(count, values, arguments) ? weir::power::run(arguments)
                                                      : weir::power::usage();
}
