#include "tests/power/campaign.hpp"

#include "tests/power/image_files.hpp"
#include "tests/power/judge.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <set>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace weir::power {
namespace {

constexpr unsigned kPatienceSeconds = 120;
constexpr std::size_t kJournalBytes = std::size_t{256} << 20;

// What a judging process leaves for the one that started it.
struct Verdict {
  std::size_t played = 0;
  Cut cut;
  bool is_nested = false;
  bool is_broken = false;
  char text[2000] = {};
};

class SharedVerdict {
 public:
  SharedVerdict()
      : memory_(::mmap(nullptr, sizeof(Verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)) {
    if (memory_ == MAP_FAILED) {
      std::perror("weir-power: no shared memory");
      std::exit(2);
    }
    new (memory_) Verdict{};
  }
  ~SharedVerdict() { ::munmap(memory_, sizeof(Verdict)); }
  SharedVerdict(const SharedVerdict&) = delete;
  SharedVerdict& operator=(const SharedVerdict&) = delete;
  [[nodiscard]] Verdict& get() { return *static_cast<Verdict*>(memory_); }

 private:
  void* memory_;
};

// Runs `work` in a child; its exit code, or minus the signal that ended it.
template <class Work>
int in_child(Work&& work) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("weir-power: fork");
    std::exit(2);
  }
  if (child == 0) {
    ::alarm(kPatienceSeconds);
    work();
    std::_Exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class Judging {
 public:
  Judging(const Journal& journal, const Place& place, std::uint32_t nested_every, Totals& totals,
          Verdict& verdict)
      : entries_(journal.read()),
        model_(entries_),
        root_(place.dir + "/judged"),
        keep_(place.keep),
        nested_every_(nested_every),
        totals_(totals),
        verdict_(verdict) {}

  void run(const std::vector<Cut>& cuts) {
    for (const Cut& cut : cuts) {
      verdict_.cut = cut;
      verdict_.is_nested = false;
      ::alarm(kPatienceSeconds);
      go_to(cut.position);
      sim::Rng rng(cut.seed);
      const Image image = model_.image(cut.loss, rng);
      if (!seen_.emplace(image.hash(), said_).second) {
        ++totals_.same;
        continue;
      }
      try_image(image, said_so_far_, cut.seed);
      if (nested_every_ != 0 && rng.below(nested_every_) == 0) {
        verdict_.is_nested = true;
        cut_start(image, rng);
        ++totals_.nested;
      }
    }
  }

 private:
  void go_to(std::size_t position) {
    for (std::size_t at = model_.position(); at < position; ++at) {
      const Step step = entries_[at].step;
      said_ += step == Step::kWord || step == Step::kCommitEnd || step == Step::kRecovered ? 1 : 0;
      if (const auto wrong = said_so_far_.take(entries_[at])) {
        report(*wrong, Image());
      }
    }
    model_.advance(position);
  }

  void try_image(const Image& image, const Expectations& expectations, std::uint64_t seed) {
    write_image(image, root_);
    ++totals_.points;
    if (const auto wrong = judge(root_ + "/data", expectations, seed)) {
      report(*wrong, image);
    }
  }

  // The power goes once more, while the broker starts on the image or stops again.
  void cut_start(const Image& image, sim::Rng& rng) {
    write_image(image, root_);
    journal_.clear();
    DiskTap::instance().watch(root_, journal_);
    const std::uint64_t before = journal_.entries();
    {
      Witness witness;
      Life::Ports ports;
      ports.on_opened = [&](storage::RocksStore& store) { return witness.adopt(store); };
      ManualTime now = said_so_far_.now();
      Life life(root_ + "/data", {}, now, rng.next(), std::move(ports));
      if (life.start() && life.advance(0)) {
        life.stop();
      }
      DiskTap::instance().freeze();
    }
    DiskTap::instance().unwatch();
    const std::vector<Entry> entries = journal_.read();
    DiskModel model(entries);
    model.advance(before + rng.below(entries.size() - before + 1));
    Expectations expectations = said_so_far_;
    for (std::size_t at = before; at < model.position(); ++at) {
      if (const auto wrong = expectations.take(entries[at])) {
        report(*wrong, image);
      }
    }
    try_image(model.image(static_cast<Loss>(rng.below(kLosses)), rng), expectations, rng.next());
  }

  [[noreturn]] void report(const std::string& wrong, const Image& image) {
    write_image(image, keep_ + "/image-" + std::to_string(::getpid()));
    verdict_.is_broken = true;
    std::snprintf(verdict_.text, sizeof(verdict_.text), "%s (image-%d)", wrong.c_str(), ::getpid());
    std::_Exit(1);
  }

  std::vector<Entry> entries_;
  DiskModel model_;
  Expectations said_so_far_;
  std::uint64_t said_ = 0;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;
  Journal journal_{kJournalBytes};
  std::string root_;
  std::string keep_;
  std::uint32_t nested_every_;
  Totals& totals_;
  Verdict& verdict_;
};

// The first boundary behind the machine's coming up.
std::size_t first_boundary(const std::vector<Entry>& entries) {
  const auto powered = std::ranges::find(entries, Step::kPowered, &Entry::step);
  return static_cast<std::size_t>(powered - entries.begin()) + 1;
}

bool is_cut_allowed(const std::vector<Entry>& entries, std::size_t position) {
  // Between two machines there is no disk to speak of.
  for (std::size_t at = position; at < entries.size(); ++at) {
    if (entries[at].step == Step::kPowered) {
      return false;
    }
    if (entries[at].step == Step::kPowerLoss) {
      return true;
    }
  }
  return true;
}

void complain(const std::string& name, const std::string& what, Totals& totals) {
  ++totals.violations;
  std::fprintf(stderr, "weir-power: %s: %s\n", name.c_str(), what.c_str());
}

std::string last_death(const std::vector<Entry>& entries) {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->step == Step::kDeath) {
      return std::string(entry->bytes);
    }
  }
  return {};
}

}  // namespace

int play(const Scenario& scenario, std::uint64_t seed, const Place& place, Journal& journal,
         const std::optional<Fault>& fault) {
  journal.clear();
  return in_child([&] {
    const std::string root = place.dir + "/played";
    write_image(Image(), root);
    Script script(root, journal, seed);
    if (fault) {
      DiskTap::instance().fail(*fault);
    }
    scenario.play(script);
    DiskTap::instance().freeze();
    std::_Exit(0);
  });
}

bool judge_cuts(const std::vector<Played>& played, std::uint32_t nested_every, const Place& place,
                Totals& totals) {
  SharedVerdict shared;
  Verdict& verdict = shared.get();
  bool is_clean = true;
  for (std::size_t first = 0; first < played.size(); first = verdict.played + 1) {
    const int code = in_child([&] {
      for (verdict.played = first; verdict.played < played.size(); ++verdict.played) {
        const Played& each = played[verdict.played];
        Judging(*each.journal, place, nested_every, totals, verdict).run(each.cuts);
      }
    });
    if (code == 0) {
      continue;
    }
    const std::string what = verdict.is_broken
                                 ? std::string(verdict.text)
                                 : "the start ended with code " + std::to_string(code);
    complain(played[verdict.played].name,
             "power lost behind entry " + std::to_string(verdict.cut.position) + ", " +
                 std::string(name_of(verdict.cut.loss)) +
                 (verdict.is_nested ? ", and again during the start" : "") + ": " + what,
             totals);
    verdict.is_broken = false;
    is_clean = false;
  }
  return is_clean;
}

bool sweep_boundaries(const Scenario& scenario, std::uint64_t seed, std::size_t every,
                      std::size_t losses, const Place& place, Totals& totals) {
  const std::string name = std::string(scenario.name) + ", seed " + std::to_string(seed);
  Journal journal(kJournalBytes);
  if (const int code = play(scenario, seed, place, journal, std::nullopt); code != 0) {
    complain(name, "ended with " + std::to_string(code) + ": " + last_death(journal.read()),
             totals);
    return false;
  }
  const std::vector<Entry> entries = journal.read();
  sim::Rng rng(seed);
  std::vector<Cut> cuts;
  const std::size_t first = first_boundary(entries);
  for (std::size_t at = first + rng.below(every); at <= entries.size(); at += every) {
    if (!is_cut_allowed(entries, at)) {
      continue;
    }
    cuts.push_back({.position = at, .loss = Loss::kAll, .seed = rng.next()});
    for (std::size_t i = 1; i < losses; ++i) {
      const auto loss = static_cast<Loss>((at / every + i) % kLosses);
      cuts.push_back({.position = at, .loss = loss, .seed = rng.next()});
    }
  }
  return judge_cuts({{.name = name, .journal = &journal, .cuts = std::move(cuts)}}, 20, place,
                    totals);
}

bool random_points(std::uint64_t seed, std::size_t points, const Place& place, Totals& totals) {
  const Scenario scenario = {"random", play_at_random};
  const std::string name = std::string(scenario.name) + ", seed " + std::to_string(seed);
  Journal journal(kJournalBytes);
  if (const int code = play(scenario, seed, place, journal, std::nullopt); code != 0) {
    complain(name, "ended with " + std::to_string(code) + ": " + last_death(journal.read()),
             totals);
    return false;
  }
  const std::vector<Entry> entries = journal.read();
  sim::Rng rng(seed ^ 0x5eedU);
  std::vector<Cut> cuts;
  const std::size_t first = first_boundary(entries);
  while (cuts.size() < points) {
    const std::size_t at = first + rng.below(entries.size() - first + 1);
    if (is_cut_allowed(entries, at)) {
      const auto loss = static_cast<Loss>(1 + rng.below(kLosses - 1));
      cuts.push_back({.position = at, .loss = loss, .seed = rng.next()});
    }
  }
  std::ranges::sort(cuts, {}, &Cut::position);
  return judge_cuts({{.name = name, .journal = &journal, .cuts = std::move(cuts)}}, 10, place,
                    totals);
}

}  // namespace weir::power
