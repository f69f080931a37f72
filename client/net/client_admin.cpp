#include "client/net/client_calls.hpp"
#include "client/session/backup.hpp"
#include "client/session/wire_convert.hpp"
#include "weir/client.hpp"

#include <algorithm>
#include <string>
#include <utility>

// Calls that administer: what is created, described, listed, changed and deleted.
namespace weir {
namespace {

using sdk::check_queue;
using sdk::check_topic;
using sdk::wait;

Result<QueueDescription> queue_of(const Result<v1::Response>& response) {
  return sdk::content_of<QueueDescription>(response, &v1::Response::has_queue,
                                           [&] { return sdk::to_description(response->queue()); });
}

Result<TopicDescription> topic_of(const Result<v1::Response>& response) {
  return sdk::content_of<TopicDescription>(response, &v1::Response::has_topic,
                                           [&] { return sdk::to_description(response->topic()); });
}

Result<std::vector<PartitionPosition>> positions_of(const Result<v1::Response>& response,
                                                    const std::vector<std::uint32_t>& asked) {
  using Positions = std::vector<PartitionPosition>;
  const auto convert = [&]() -> Result<Positions> {
    Positions positions = sdk::to_positions(response->offsets().positions());
    if (!std::ranges::equal(positions, asked, {}, &PartitionPosition::partition)) {
      return Error(ErrorCode::kMalformed, "the broker's answer is about other partitions");
    }
    return positions;
  };
  return sdk::content_of<Positions>(response, &v1::Response::has_offsets, convert);
}

Result<QueueUpdate> queue_update_of(const Result<v1::Response>& response) {
  return sdk::content_of<QueueUpdate>(response, &v1::Response::has_queue_update,
                                      [&] { return sdk::to_update(response->queue_update()); });
}

Result<QueuePage> queue_page_of(const Result<v1::Response>& response) {
  return sdk::content_of<QueuePage>(response, &v1::Response::has_queue_list,
                                    [&] { return sdk::to_page(response->queue_list()); });
}

Result<TopicPage> topic_page_of(const Result<v1::Response>& response) {
  return sdk::content_of<TopicPage>(response, &v1::Response::has_topic_list,
                                    [&] { return sdk::to_page(response->topic_list()); });
}

}  // namespace

Result<QueueDescription> Client::create_queue(std::string_view name, const QueueSettings& settings,
                                              const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_create_queue(name, settings, call); });
}

Future<QueueDescription> Client::async_create_queue(std::string_view name,
                                                    const QueueSettings& settings,
                                                    const CallOptions& call) {
  if (Result<> checked = check_queue(name); !checked) {
    return Future<QueueDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_create_queue()->set_name(std::string(name));
  sdk::fill(*request.mutable_create_queue()->mutable_settings(), settings);
  return sdk::ask<QueueDescription>(engine_, std::move(request), call, true, queue_of);
}

Result<QueueDescription> Client::describe_queue(std::string_view name, const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_describe_queue(name, call); });
}

Future<QueueDescription> Client::async_describe_queue(std::string_view name,
                                                      const CallOptions& call) {
  if (Result<> checked = check_queue(name); !checked) {
    return Future<QueueDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_describe_queue()->set_name(std::string(name));
  return sdk::ask<QueueDescription>(engine_, std::move(request), call, false, queue_of);
}

Result<QueueUpdate> Client::update_queue(std::string_view name, const QueueChanges& changes,
                                         const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_update_queue(name, changes, call); });
}

Future<QueueUpdate> Client::async_update_queue(std::string_view name, const QueueChanges& changes,
                                               const CallOptions& call) {
  if (Result<> checked = check_queue(name); !checked) {
    return Future<QueueUpdate>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_update_queue()->set_name(std::string(name));
  sdk::fill(*request.mutable_update_queue(), changes);
  return sdk::ask<QueueUpdate>(engine_, std::move(request), call, true, queue_update_of);
}

Result<QueueDescription> Client::purge_queue(std::string_view name, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_purge_queue(name, call); });
}

Future<QueueDescription> Client::async_purge_queue(std::string_view name, const CallOptions& call) {
  if (Result<> checked = check_queue(name); !checked) {
    return Future<QueueDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_purge_queue()->set_name(std::string(name));
  return sdk::ask<QueueDescription>(engine_, std::move(request), call, true, queue_of);
}

Result<QueueDescription> Client::delete_queue(std::string_view name, const DeleteOptions& options,
                                              const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_delete_queue(name, options, call); });
}

Future<QueueDescription> Client::async_delete_queue(std::string_view name,
                                                    const DeleteOptions& options,
                                                    const CallOptions& call) {
  if (Result<> checked = check_queue(name); !checked) {
    return Future<QueueDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_delete_queue()->set_name(std::string(name));
  request.mutable_delete_queue()->set_force(options.force());
  return sdk::ask<QueueDescription>(engine_, std::move(request), call, true, queue_of);
}

Result<TopicDescription> Client::delete_topic(std::string_view name, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_delete_topic(name, call); });
}

Future<TopicDescription> Client::async_delete_topic(std::string_view name,
                                                    const CallOptions& call) {
  if (Result<> checked = check_topic(name); !checked) {
    return Future<TopicDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_delete_topic()->set_name(std::string(name));
  return sdk::ask<TopicDescription>(engine_, std::move(request), call, true, topic_of);
}

Result<TopicDescription> Client::create_topic(std::string_view name, const TopicSettings& settings,
                                              const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_create_topic(name, settings, call); });
}

Future<TopicDescription> Client::async_create_topic(std::string_view name,
                                                    const TopicSettings& settings,
                                                    const CallOptions& call) {
  if (Result<> checked = check_topic(name); !checked) {
    return Future<TopicDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_create_topic()->set_name(std::string(name));
  sdk::fill(*request.mutable_create_topic()->mutable_settings(), settings);
  return sdk::ask<TopicDescription>(engine_, std::move(request), call, true, topic_of);
}

Result<TopicDescription> Client::describe_topic(std::string_view name, const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_describe_topic(name, call); });
}

Future<TopicDescription> Client::async_describe_topic(std::string_view name,
                                                      const CallOptions& call) {
  if (Result<> checked = check_topic(name); !checked) {
    return Future<TopicDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_describe_topic()->set_name(std::string(name));
  return sdk::ask<TopicDescription>(engine_, std::move(request), call, false, topic_of);
}

Result<std::vector<PartitionPosition>> Client::list_offsets(
    std::string_view topic, const std::vector<PartitionStart>& partitions,
    const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_list_offsets(topic, partitions, call); });
}

Future<std::vector<PartitionPosition>> Client::async_list_offsets(
    std::string_view topic, const std::vector<PartitionStart>& partitions,
    const CallOptions& call) {
  using Positions = std::vector<PartitionPosition>;
  if (Result<> checked = check_topic(topic); !checked) {
    return Future<Positions>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_list_offsets()->set_topic(std::string(topic));
  std::vector<std::uint32_t> asked;
  for (const PartitionStart& start : partitions) {
    sdk::fill(*request.mutable_list_offsets()->add_partitions(), start);
    asked.push_back(start.partition);
  }
  return sdk::ask<Positions>(engine_, std::move(request), call, false,
                             [asked = std::move(asked)](const Result<v1::Response>& response) {
                               return positions_of(response, asked);
                             });
}

Result<BackupDescription> Client::backup(BackupSink sink, const CallOptions& call) {
  return backup(std::move(sink), [](std::uint64_t) {}, call);
}

Result<BackupDescription> Client::backup(BackupSink sink, BackupExpectation expectation,
                                         const CallOptions& call) {
  return sdk::read_backup(engine_, sink, std::move(expectation), call);
}

Future<BackupDescription> Client::async_backup(AsyncBackupSink sink, const CallOptions& call) {
  return async_backup(std::move(sink), [](std::uint64_t) {}, call);
}

Future<BackupDescription> Client::async_backup(AsyncBackupSink sink, BackupExpectation expectation,
                                               const CallOptions& call) {
  return sdk::async_read_backup(engine_, std::move(sink), std::move(expectation), call);
}

Result<QueuePage> Client::list_queues(const ListOptions& options, const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_list_queues(options, call); });
}

Future<QueuePage> Client::async_list_queues(const ListOptions& options, const CallOptions& call) {
  v1::Request request;
  sdk::fill(*request.mutable_list_queues()->mutable_page(), options);
  return sdk::ask<QueuePage>(engine_, std::move(request), call, false, queue_page_of);
}

Result<TopicPage> Client::list_topics(const ListOptions& options, const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_list_topics(options, call); });
}

Future<TopicPage> Client::async_list_topics(const ListOptions& options, const CallOptions& call) {
  v1::Request request;
  sdk::fill(*request.mutable_list_topics()->mutable_page(), options);
  return sdk::ask<TopicPage>(engine_, std::move(request), call, false, topic_page_of);
}

}  // namespace weir
