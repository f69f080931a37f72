#include "tests/power/disk_model.hpp"

#include "tests/power/disk_tap.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace weir::power {
namespace {

constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash));
}

std::uint64_t mix(std::uint64_t hash, std::string_view bytes) {
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
  return (hash ^ bytes.size()) * 0x100000001b3U;
}

// What is found when each sector is the old or the new one, under one of the two sizes or between.
std::string torn(const std::string& before, const std::string& after, std::size_t sector,
                 sim::Rng& rng) {
  std::size_t size = rng.per_mille(500) ? after.size() : before.size();
  if (rng.per_mille(250)) {
    const auto [low, high] = std::minmax(before.size(), after.size());
    size = low + rng.below(high - low + 1) / sector * sector;
  }
  std::string found(size, '\0');
  for (std::size_t at = 0; at < size; at += sector) {
    const std::string& from = rng.per_mille(500) ? after : before;
    if (at < from.size()) {
      const std::size_t bytes = std::min({sector, size - at, from.size() - at});
      found.replace(at, bytes, from, at, bytes);
    }
  }
  return found;
}

}  // namespace

std::string_view name_of(Loss loss) {
  switch (loss) {
    case Loss::kNone:
      return "nothing lost";
    case Loss::kAll:
      return "all lost";
    case Loss::kPrefix:
      return "a prefix kept";
    case Loss::kSectors:
      return "sectors torn";
    case Loss::kPages:
      return "pages torn";
    case Loss::kMixed:
      return "mixed";
  }
  return "?";
}

std::uint64_t Image::hash() const {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::string& folder : folders) {
    hash = mix(hash, folder);
  }
  for (const auto& [path, bytes] : files) {
    hash = mix(mix(hash, path), bytes);
  }
  return hash;
}

void DiskModel::advance(std::size_t position) {
  while (position_ < position) {
    apply(position_++);
  }
}

void DiskModel::apply(std::size_t at) {
  const Entry& entry = entries_[at];
  switch (entry.step) {
    case Step::kMakeFolder:
      folders_[entry.file] = std::string(entry.bytes);
      name_changes_.push_back({at, folder_of(entry.bytes)});
      return;
    case Step::kCreate:
      files_[entry.file];
      name_changes_.push_back({at, folder_of(entry.bytes)});
      return;
    case Step::kRename:
    case Step::kUnlink:
      name_changes_.push_back({at, folder_of(entry.bytes.substr(0, entry.bytes.find('\0')))});
      return;
    case Step::kWrite:
    case Step::kTruncate:
    case Step::kAllocate:
      files_[entry.file].changes.push_back({.entry = at});
      return;
    case Step::kSyncEnd:
    case Step::kSyncFailed: {
      const bool failed = entry.step == Step::kSyncFailed;
      const auto folder = folders_.find(entry.file);
      if (entry.file == kRootFile || folder != folders_.end()) {
        if (!failed) {
          sync_folder(entry.file == kRootFile ? "" : folder->second, entry.at);
        }
      } else {
        sync_file(entry.file, entry.at, failed);
      }
      return;
    }
    case Step::kPowerLoss:
      files_.clear();
      folders_.clear();
      names_.clear();
      name_changes_.clear();
      return;
    case Step::kPowered:
      settle_everything();
      return;
    default:
      return;
  }
}

void DiskModel::settle_everything() {
  for (auto& [number, file] : files_) {
    for (const Change& change : file.changes) {
      change_bytes(entries_[change.entry], file.durable, kWhole);
    }
    file.changes.clear();
  }
  for (const NameChange& change : name_changes_) {
    change_names(entries_[change.entry], names_);
  }
  name_changes_.clear();
}

void DiskModel::sync_file(std::uint32_t number, std::size_t begin, bool failed) {
  File& file = files_[number];
  for (Change& change : file.changes) {
    if (change.entry < begin) {
      change.is_doubtful = change.is_doubtful || (failed && !change.is_synced);
      change.is_synced = change.is_synced || (!failed && !change.is_doubtful);
    }
  }
  auto change = file.changes.begin();
  for (; change != file.changes.end() && change->is_synced; ++change) {
    change_bytes(entries_[change->entry], file.durable, kWhole);
  }
  file.changes.erase(file.changes.begin(), change);
}

void DiskModel::sync_folder(const std::string& folder, std::size_t begin) {
  std::erase_if(name_changes_, [&](const NameChange& change) {
    const bool is_synced = change.entry < begin && change.folder == folder;
    if (is_synced) {
      change_names(entries_[change.entry], names_);
    }
    return is_synced;
  });
}

void DiskModel::change_bytes(const Entry& entry, std::string& bytes, std::size_t at_most) {
  const auto at = static_cast<std::size_t>(entry.at);
  if (entry.step == Step::kTruncate) {
    bytes.resize(at);
  } else if (entry.step == Step::kAllocate) {
    bytes.resize(std::max(bytes.size(), at));
  } else {
    const std::string_view written = entry.bytes.substr(0, at_most);
    bytes.resize(std::max(bytes.size(), at + written.size()));
    bytes.replace(at, written.size(), written);
  }
}

void DiskModel::change_names(const Entry& entry,
                             std::map<std::string, std::uint32_t>& names) const {
  const std::size_t middle = entry.bytes.find('\0');
  const std::string name(entry.bytes.substr(0, middle));
  const auto old = names.find(name);
  switch (entry.step) {
    case Step::kRename:
      if (old != names.end() && old->second == entry.file) {
        names.erase(old);
      }
      names[std::string(entry.bytes.substr(middle + 1))] = entry.file;
      return;
    case Step::kUnlink:
      if (old != names.end() && old->second == entry.file) {
        names.erase(old);
      }
      return;
    default:
      names[name] = entry.file;
  }
}

std::string DiskModel::content(const File& file, Loss loss, sim::Rng& rng) const {
  std::string before = file.durable;
  const auto is_kept_doubt = [&] {
    return loss == Loss::kNone || (loss != Loss::kAll && rng.per_mille(500));
  };
  std::vector<std::size_t> open;  // changes that no sync was asked for yet
  for (const Change& change : file.changes) {
    if (change.is_synced || (change.is_doubtful && is_kept_doubt())) {
      change_bytes(entries_[change.entry], before, kWhole);
    } else if (!change.is_doubtful) {
      open.push_back(change.entry);
    }
  }
  if (open.empty() || loss == Loss::kAll) {
    return before;
  }
  if (loss == Loss::kPrefix) {
    const std::size_t whole = rng.below(open.size() + 1);
    for (std::size_t i = 0; i < whole; ++i) {
      change_bytes(entries_[open[i]], before, kWhole);
    }
    if (whole < open.size() && entries_[open[whole]].step == Step::kWrite) {
      const std::size_t bytes = rng.below(entries_[open[whole]].bytes.size());
      if (bytes > 0) {
        change_bytes(entries_[open[whole]], before, bytes);
      }
    }
    return before;
  }
  std::string after = before;
  for (const std::size_t entry : open) {
    change_bytes(entries_[entry], after, kWhole);
  }
  if (loss == Loss::kNone) {
    return after;
  }
  return torn(before, after, loss == Loss::kSectors ? 512 : 4096, rng);
}

Image DiskModel::image(Loss loss, sim::Rng& rng) const {
  const auto drawn = [&] {
    return loss == Loss::kMixed ? static_cast<Loss>(rng.below(kLosses - 1)) : loss;
  };
  std::map<std::string, std::uint32_t> names = names_;
  std::map<std::string, std::pair<Loss, std::size_t>> of_folder;  // how, and how many in a prefix
  for (const NameChange& change : name_changes_) {
    auto [at, is_new] = of_folder.try_emplace(change.folder, drawn(), 0);
    if (is_new) {
      at->second.second = rng.below(name_changes_.size() + 1);
    }
    auto& [how, left] = at->second;
    const bool stays = how == Loss::kNone || (how == Loss::kPrefix && left > 0) ||
                       ((how == Loss::kSectors || how == Loss::kPages) && rng.per_mille(500));
    left -= left > 0 ? 1 : 0;
    if (stays) {
      change_names(entries_[change.entry], names);
    }
  }
  Image image;
  for (const auto& [path, number] : names) {  // a folder's name sorts before what lies in it
    const std::string folder = folder_of(path);
    const bool is_reachable =
        folder.empty() || std::ranges::find(image.folders, folder) != image.folders.end();
    if (!is_reachable) {
      continue;
    }
    if (folders_.contains(number)) {
      image.folders.push_back(path);
    } else if (const auto file = files_.find(number); file != files_.end()) {
      image.files[path] = content(file->second, drawn(), rng);
    }
  }
  return image;
}

}  // namespace weir::power
