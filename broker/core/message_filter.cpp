#include "broker/core/message_filter.hpp"

#include "broker/core/rebuilt_batch.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace weir::core {
namespace {

bool has_header(const proto::RecordView& record, std::string_view name, std::string_view value) {
  return std::ranges::any_of(record.headers, [&](const proto::Header& header) {
    return header.key == name && header.value.value_or(std::string_view()) == value;
  });
}

bool died_in(const proto::RecordView& record, const MessageFilter& filter) {
  const std::string_view text = header_of(record, kHeaderDeadTime);
  proto::TimeMs time = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), time);
  return !text.empty() && read.ec == std::errc() && time >= filter.died_after &&
         (filter.died_before == 0 || time < filter.died_before);
}

}  // namespace

proto::Result<> check(const MessageFilter& filter) {
  using proto::Errc;
  if (filter.header.empty() && !filter.header_value.empty()) {
    return proto::fail(Errc::kInvalidArgument, "the value of a header needs the header's name");
  }
  if (filter.died_after < 0 || filter.died_before < 0) {
    return proto::fail(Errc::kInvalidArgument, "a time of death cannot be negative");
  }
  if (!filter.message_id.empty() && !proto::parse_message_id(filter.message_id)) {
    return proto::fail(Errc::kInvalidArgument, "this is no id of a message");
  }
  const std::size_t text_bytes =
      filter.reason.size() + filter.header.size() + filter.header_value.size() + filter.key.size();
  if (text_bytes > kMaxFilterBytes) {
    return proto::fail(Errc::kLimitExceeded, "a filter may have at most " +
                                                 std::to_string(kMaxFilterBytes) +
                                                 " bytes of reason, header and key");
  }
  return {};
}

bool takes(const MessageFilter& filter, const proto::RecordView& record,
           const proto::MessagePlace& place) {
  return (filter.reason.empty() || header_of(record, kHeaderDeadReason) == filter.reason) &&
         (filter.header.empty() || has_header(record, filter.header, filter.header_value)) &&
         (filter.key.empty() || record.key == filter.key) &&
         ((filter.died_after == 0 && filter.died_before == 0) || died_in(record, filter)) &&
         (filter.message_id.empty() || id_of(record, place) == filter.message_id);
}

std::string id_of(const proto::RecordView& record, const proto::MessagePlace& place) {
  const std::string_view own = header_of(record, kHeaderId);
  return own.empty() ? proto::message_id(place.incarnation, place.object, place.offset)
                     : std::string(own);
}

}  // namespace weir::core
