#include "storage/rocks/table_check.hpp"

#include "storage/data_dir.hpp"

#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>

#include <cstddef>
#include <filesystem>
#include <system_error>

namespace weir::storage {
namespace {

bool is_intact(const std::string& path) {
  rocksdb::SstFileReader reader((rocksdb::Options()));
  return reader.Open(path).ok() && reader.VerifyChecksum().ok();
}

}  // namespace

std::string describe_tables(const std::string& database_path) {
  std::size_t intact = 0;
  std::string damaged;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(database_path, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() != ".sst") {
      continue;
    }
    if (is_intact(entry->path().string())) {
      ++intact;
    } else {
      damaged += (damaged.empty() ? "" : ", ") + entry->path().filename().string();
    }
  }
  return "Of the table files that are there, " + std::to_string(intact) + " are intact" +
         (damaged.empty() ? "" : " and these are damaged: " + damaged) +
         "; a broker reads all of them or none. " + std::string(kRestoreAdvice);
}

}  // namespace weir::storage
