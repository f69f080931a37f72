#pragma once

#include "client/core/reader_machine.hpp"
#include "proto/result.hpp"
#include "weir/admin.hpp"
#include "weir/delay.hpp"
#include "weir/options.hpp"
#include "weir/redrive.hpp"
#include "weir/v1/protocol.pb.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// Between the protocol's messages and the library's own types.
namespace weir::sdk {

using WirePositions = google::protobuf::RepeatedPtrField<v1::PartitionPosition>;

[[nodiscard]] std::vector<PartitionPosition> to_positions(const WirePositions& positions);
[[nodiscard]] QueueDescription to_description(const v1::QueueInfo& queue);
[[nodiscard]] TopicDescription to_description(const v1::TopicInfo& topic);
[[nodiscard]] NamespaceDescription to_description(const v1::NamespaceInfo& name_space);
[[nodiscard]] NamespacePage to_page(const v1::NamespaceList& list);
[[nodiscard]] ClientDescription to_description(const v1::ClientInfo& client);
[[nodiscard]] ClientPage to_page(const v1::ClientList& list);
/// MALFORMED when a record is none.
[[nodiscard]] proto::Result<PeekPage> to_page(const v1::Peeked& peeked);
/// MALFORMED when a record is none, or an id.
[[nodiscard]] proto::Result<DelayedPage> to_page(const v1::DelayedList& list);
[[nodiscard]] QueueUpdate to_update(const v1::QueueUpdate& update);
[[nodiscard]] ConfigReload to_reload(const v1::ConfigReload& reload);
[[nodiscard]] RedriveDescription to_description(const v1::RedriveInfo& redrive);
[[nodiscard]] RedrivePage to_page(const v1::RedriveList& list);
[[nodiscard]] QueuePage to_page(const v1::QueueList& list);
[[nodiscard]] TopicPage to_page(const v1::TopicList& list);

/// Without one it is the queue's.
template <class Wire>
void set_lease(Wire& wire, std::optional<std::chrono::milliseconds> lease) {
  if (lease) {
    wire.set_lease_ms(static_cast<std::uint64_t>(lease->count()));
  }
}
void fill(v1::StartPosition& wire, const StartPosition& position);
void fill(v1::PartitionStart& wire, const PartitionStart& start);
void fill(v1::QueueSettings& wire, const QueueSettings& settings);
void fill(v1::TopicSettings& wire, const TopicSettings& settings);
void fill(v1::UpdateQueue& wire, const QueueChanges& changes);
void fill(v1::PeekQueue& wire, const PeekOptions& options);
void fill(v1::StartRedrive& wire, const RedriveOptions& options);
void fill(v1::ListPage& wire, const ListOptions& options);
void fill(v1::SubscribeTopic& wire, std::string_view topic, const ReaderMachine::Request& request);

}  // namespace weir::sdk
