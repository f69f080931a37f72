#include "bench/load/references.hpp"

#include "bench/load/payload.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "storage/key_codec.hpp"

#include <array>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::bench {
namespace {

using proto::Errc;
using proto::fail;
using storage::Family;
using storage::KeyKind;

constexpr std::uint64_t kPrefilledBytes = std::uint64_t{64} << 20U;
// Encoded sizes of the small rows beside the message: the queue's counters, the producer's window
// of five batches, the commit point.
constexpr std::size_t kQueueStateBytes = 30;
constexpr std::size_t kWindowBytes = 105;
constexpr std::size_t kCommitBytes = 29;

bool send_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void echo_until_closed(int descriptor) {
  std::array<char, 65536> piece{};
  for (ssize_t got = 0; (got = recv(descriptor, piece.data(), piece.size(), 0)) > 0;) {
    if (!send_all(descriptor, {piece.data(), static_cast<std::size_t>(got)})) {
      return;
    }
  }
}

void set_no_delay(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

RowsOfOneSend::RowsOfOneSend(std::size_t payload_bytes) {
  Payload payload(payload_bytes);
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  proto::RecordInput record;
  record.value = payload.make(0, 0);
  builder.add(record);
  stored_ = builder.finish({}, proto::Compression::kNone);
}

storage::WriteBatch RowsOfOneSend::make(std::uint64_t number) const {
  storage::WriteBatch rows;
  const auto offset = static_cast<proto::Offset>(number);
  rows.put(Family::kLog, storage::batch_key(KeyKind::kBatch, 1, 0, offset), stored_);
  rows.put(Family::kState, storage::object_key(KeyKind::kQueueState, 1),
           std::string(kQueueStateBytes, 's'));
  rows.put(Family::kState, storage::producer_window_key(proto::ProducerId{1}, proto::LogId{1}),
           std::string(kWindowBytes, 'w'));
  rows.put(Family::kState, storage::meta_key(storage::MetaRow::kCommit),
           std::string(kCommitBytes, 'c'));
  return rows;
}

std::size_t RowsOfOneSend::bytes() const {
  return make(0).bytes();
}

proto::Result<GrowingFile> GrowingFile::make(const std::filesystem::path& path) {
  proto::Result<storage::File> file =
      storage::File::open(path.string(), storage::File::Mode::kCreate);
  if (!file) {
    return file.error();
  }
  return GrowingFile(std::move(*file));
}

proto::Result<> GrowingFile::write(std::string_view bytes) {
  if (proto::Result<> written = file_.write_at(end_, bytes); !written) {
    return written;
  }
  end_ += bytes.size();
  return file_.sync();
}

proto::Result<PrefilledFile> PrefilledFile::make(const std::filesystem::path& path) {
  proto::Result<storage::File> file =
      storage::File::open(path.string(), storage::File::Mode::kCreate);
  if (!file) {
    return file.error();
  }
  const std::string piece(std::size_t{1} << 20U, 'x');
  for (std::uint64_t at = 0; at < kPrefilledBytes; at += piece.size()) {
    if (proto::Result<> written = file->write_at(at, piece); !written) {
      return written.error();
    }
  }
  if (proto::Result<> synced = file->sync(); !synced) {
    return synced.error();
  }
  return PrefilledFile(std::move(*file));
}

proto::Result<> PrefilledFile::write(std::string_view bytes) {
  if (at_ + bytes.size() > kPrefilledBytes) {
    at_ = 0;
  }
  if (proto::Result<> written = file_.write_at(at_, bytes); !written) {
    return written;
  }
  at_ += bytes.size();
  return file_.sync();
}

proto::Result<std::unique_ptr<PingPong>> PingPong::make() {
  std::unique_ptr<PingPong> pair(new PingPong());
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  const bool is_listening = listening >= 0 && bind(listening, raw, size) == 0 &&
                            listen(listening, 1) == 0 && getsockname(listening, raw, &size) == 0;
  if (is_listening) {
    pair->near_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pair->near_ >= 0 && connect(pair->near_, raw, size) == 0) {
      pair->far_ = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    }
  }
  if (listening >= 0) {
    close(listening);
  }
  if (pair->far_ < 0) {
    return fail(Errc::kInternal, "no loopback connection for the reference");
  }
  set_no_delay(pair->near_);
  set_no_delay(pair->far_);
  pair->echo_ = std::thread(echo_until_closed, pair->far_);
  return pair;
}

PingPong::~PingPong() {
  if (near_ >= 0) {
    shutdown(near_, SHUT_RDWR);
  }
  if (echo_.joinable()) {
    echo_.join();
  }
  for (const int descriptor : {near_, far_}) {
    if (descriptor >= 0) {
      close(descriptor);
    }
  }
}

proto::Result<> PingPong::exchange(std::string_view bytes) {
  back_.resize(bytes.size());
  bool is_fine = send_all(near_, bytes);
  for (std::size_t got = 0; is_fine && got < bytes.size();) {
    const ssize_t more = recv(near_, back_.data() + got, bytes.size() - got, 0);
    is_fine = more > 0;
    got += is_fine ? static_cast<std::size_t>(more) : 0;
  }
  return is_fine ? proto::Result<>()
                 : proto::Result<>(fail(Errc::kInternal, "the loopback connection broke"));
}

}  // namespace weir::bench
