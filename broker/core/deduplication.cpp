#include "broker/core/deduplication.hpp"

#include "proto/assert.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/hex.hpp"

#include <algorithm>
#include <memory>
#include <openssl/evp.h>
#include <string>

namespace weir::core {
namespace {

using Digest = std::array<unsigned char, 32>;

/// SHA-256, so that nobody can make a message that is taken for another.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    WEIR_ASSERT(context_ != nullptr, "there is memory for a digest");
  }
  Digest of(std::string_view bytes) {
    Digest digest{};
    const bool is_made = EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1 &&
                         EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1 &&
                         EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1;
    WEIR_ASSERT(is_made, "SHA-256 is always there");
    return digest;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

DeduplicationId id_of(Sha256& sha256, std::string_view text) {
  const Digest digest = sha256.of(text);
  DeduplicationId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

/// As SQS: the SHA-256 of the value, in hexadecimal digits, is the id.
std::string text_of_content(Sha256& sha256, std::string_view value) {
  const Digest digest = sha256.of(value);
  std::string text;
  proto::append_hex(text, {reinterpret_cast<const char*>(digest.data()), digest.size()});
  return text;
}

}  // namespace

std::vector<std::optional<DeduplicationId>> deduplication_ids(const Queue& queue,
                                                              const SendBatch& send) {
  const bool by_content = queue.definition().settings.content_deduplication != 0;
  const std::vector<proto::RecordSpan>& named = send.columns.deduplication_ids;
  if (!queue.is_fifo() || (named.empty() && !by_content)) {
    return {};
  }
  const std::string_view batch = std::string_view(send.stored).substr(proto::kStoredHeaderBytes);
  std::vector<std::optional<DeduplicationId>> ids(send.columns.count());
  Sha256 sha256;
  for (std::uint32_t i = 0; i < send.columns.count(); ++i) {
    if (!named.empty() && named[i].bytes > 0) {
      ids[i] = id_of(sha256, batch.substr(named[i].position, named[i].bytes));
    } else if (by_content) {
      const auto record = proto::decode_record(batch.substr(send.columns.records[i].position));
      WEIR_ASSERT(record.has_value(), "a batch was checked when it came");
      const std::string_view value = record->record.value.value_or(std::string_view());
      ids[i] = id_of(sha256, text_of_content(sha256, value));
    }
  }
  return ids;
}

NeedIds need_all(const Queue& queue, const SendBatch& send) {
  NeedIds need{queue.id(), queue.counters().generation, queue.counters().deduplication_parts, {}};
  for (const std::optional<DeduplicationId>& id : send.ids) {
    if (id) {
      need.ids.push_back(*id);
    }
  }
  return need;
}

DeduplicationParts parts_at(const Queue& queue, proto::TimeMs now) {
  const std::vector<proto::TimeMs>& parts = queue.counters().deduplication_parts;
  const std::int64_t time = queue.definition().settings.deduplication_ms;
  DeduplicationParts at{now, now};
  // Two halves of the time and the one that begins: few to look into, and to let go of as a whole.
  if (!parts.empty() && now < parts.back() + std::max<std::int64_t>(time / 2, 1)) {
    at.current = parts.back();
  }
  at.first = at.current;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    // What came in it came before the part behind it began.
    if (*part != at.current && at.first + time <= now) {
      break;
    }
    at.first = *part;
  }
  return at;
}

}  // namespace weir::core
