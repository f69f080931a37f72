#include "storage/rocks/durable_names.hpp"

#include <string>

namespace weir::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class NamesBeforeCurrent final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  [[nodiscard]] const char* Name() const override { return "NamesBeforeCurrent"; }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    if (to.ends_with("/CURRENT")) {
      std::unique_ptr<rocksdb::FSDirectory> folder;
      IOStatus synced =
          target()->NewDirectory(to.substr(0, to.rfind('/')), options, &folder, debug);
      if (synced.ok()) {
        synced = folder->Fsync(options, debug);
      }
      if (!synced.ok()) {
        return synced;
      }
    }
    return target()->RenameFile(from, to, options, debug);
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> names_before_current(
    const std::shared_ptr<rocksdb::FileSystem>& base) {
  return std::make_shared<NamesBeforeCurrent>(base);
}

}  // namespace weir::storage
