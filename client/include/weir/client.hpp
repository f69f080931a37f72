#pragma once

#include "weir/admin.hpp"
#include "weir/consumer.hpp"
#include "weir/delay.hpp"
#include "weir/export.hpp"
#include "weir/future.hpp"
#include "weir/options.hpp"
#include "weir/producer.hpp"
#include "weir/redrive.hpp"
#include "weir/result.hpp"
#include "weir/topic_reader.hpp"
#include "weir/worker_pool.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

namespace sdk {
class Engine;
}  // namespace sdk

/// One connection to a broker that multiplexes everything, and one I/O thread that serves it. It
/// keeps itself alive with heartbeats, reconnects by itself with growing pauses, turning through
/// the hosts of its address, and restores producers, subscriptions and readers.
///
/// Thread-safety: every function may be called from any thread; those that wait refuse with
/// INVALID_ARGUMENT on the I/O thread (that is: inside callbacks), close() excepted.
///
/// A call that waits has a twin async_… with the same promises that gives a Future instead, never
/// waits itself, and may be made on the I/O thread. Who drops the future drops what it would have
/// given: a client, a subscription or a pool that nobody took out is closed, and its messages go
/// back. Both take the time of their CallOptions (default: the overall timeout) and fail with
///   CONNECT_FAILED     no broker could be reached in that time
///   DEADLINE_EXCEEDED  no answer in that time, and nothing was changed
///   UNKNOWN_OUTCOME    no answer in that time, or the call was stopped before it came, and
///                      something may have been changed
///   CANCELLED          the call was stopped, or the client closed, and nothing was changed
/// or with the broker's refusal. Retriable refusals are retried within the time.
class WEIR_API Client {
 public:
  using Milliseconds = std::chrono::milliseconds;

  /// Connects and waits for that. Each host is tried once. INVALID_ARGUMENT for a bad address,
  /// UNSUPPORTED for weirs:// (TLS), CONNECT_FAILED, or what the broker refuses the session with.
  [[nodiscard]] static Result<Client> connect(ClientOptions options,
                                              const CallOptions& call = CallOptions());
  [[nodiscard]] static Future<Client> async_connect(ClientOptions options,
                                                    const CallOptions& call = CallOptions());
  /// Returns at once and connects in the background for as long as it takes: only the address is
  /// checked.
  [[nodiscard]] static Result<Client> create(ClientOptions options);

  Client(Client&& other) noexcept;
  /// Closes what was held before.
  Client& operator=(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// close().
  ~Client();

  /// Lets unconfirmed sends and acks finish, at most `drain` (default: the drain timeout), then
  /// ends the connection; what is unconfirmed then is answered CANCELLED or UNKNOWN_OUTCOME. After
  /// it returns no callback runs. Called on the I/O thread it only starts all that and returns at
  /// once. Idempotent; concurrent calls all wait.
  void close();
  void close(Milliseconds drain);
  /// The same, told as the last thing that the I/O thread does: behind every callback. Always
  /// succeeds.
  [[nodiscard]] Future<> async_close();
  [[nodiscard]] Future<> async_close(Milliseconds drain);

  [[nodiscard]] bool connected() const;

  /// Succeeds when the queue exists with equal settings; ALREADY_EXISTS tells the difference.
  [[nodiscard]] Result<QueueDescription> create_queue(
      std::string_view name, const QueueSettings& settings = QueueSettings(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueueDescription> async_create_queue(
      std::string_view name, const QueueSettings& settings = QueueSettings(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Result<QueueDescription> describe_queue(std::string_view name,
                                                        const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueueDescription> async_describe_queue(
      std::string_view name, const CallOptions& call = CallOptions());
  /// Changes settings, pauses and resumes. Idempotent; tells the difference.
  [[nodiscard]] Result<QueueUpdate> update_queue(std::string_view name, const QueueChanges& changes,
                                                 const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueueUpdate> async_update_queue(std::string_view name,
                                                       const QueueChanges& changes,
                                                       const CallOptions& call = CallOptions());
  /// Everything that the queue holds is gone at once, however much that is: what waits, what is
  /// delayed or parked, and what consumers hold (to settle it then fails with RECEIPT_EXPIRED).
  /// Gives the queue as it was.
  [[nodiscard]] Result<QueueDescription> purge_queue(std::string_view name,
                                                     const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueueDescription> async_purge_queue(std::string_view name,
                                                           const CallOptions& call = CallOptions());
  /// Begins to move the messages of a dead-letter queue back, or to make a queue's parked messages
  /// ready again. The broker goes on with it by itself, also after a crash: list_redrives() tells
  /// how far it has come. What comes into the queue later is not part of it. No message is lost or
  /// doubled, its id stays and its order within the queue; attempts begin anew. Bounds of the queue
  /// that it goes to do not hold it back, nor a pause of its sends. IN_USE while another one of
  /// that queue runs.
  [[nodiscard]] Result<RedriveDescription> start_redrive(
      std::string_view name, const RedriveOptions& options = RedriveOptions(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<RedriveDescription> async_start_redrive(
      std::string_view name, const RedriveOptions& options = RedriveOptions(),
      const CallOptions& call = CallOptions());
  /// What was moved stays moved. Succeeds when it has ended already; INVALID_ARGUMENT when that
  /// queue never had one.
  [[nodiscard]] Result<RedriveDescription> cancel_redrive(std::string_view name,
                                                          const CallOptions& call = CallOptions());
  [[nodiscard]] Future<RedriveDescription> async_cancel_redrive(
      std::string_view name, const CallOptions& call = CallOptions());
  /// As list_queues(): the newest redrive of each queue that had one.
  [[nodiscard]] Result<RedrivePage> list_redrives(const ListOptions& options = ListOptions(),
                                                  const CallOptions& call = CallOptions());
  [[nodiscard]] Future<RedrivePage> async_list_redrives(const ListOptions& options = ListOptions(),
                                                        const CallOptions& call = CallOptions());
  /// What is put off in the queue, the next message that is due first: those that were sent with a
  /// delay, by themselves or by the queue's. Not those that a handler gave back with one, which
  /// peek_queue() shows.
  [[nodiscard]] Result<DelayedPage> list_delayed(std::string_view queue,
                                                 const DelayedOptions& options = DelayedOptions(),
                                                 const CallOptions& call = CallOptions());
  [[nodiscard]] Future<DelayedPage> async_list_delayed(
      std::string_view queue, const DelayedOptions& options = DelayedOptions(),
      const CallOptions& call = CallOptions());
  /// Up to 1000 messages that are put off are gone: nobody will get them. One outcome each, in
  /// their order; MESSAGE_NOT_FOUND for one that is ready, or was handed out, already.
  [[nodiscard]] Result<std::vector<Result<>>> cancel_delayed(
      std::string_view queue, std::span<const MessageId> messages,
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<std::vector<Result<>>> async_cancel_delayed(
      std::string_view queue, std::span<const MessageId> messages,
      const CallOptions& call = CallOptions());
  /// As cancel_delayed(), but they become ready so long from now; zero: at once. Their ids stay.
  [[nodiscard]] Result<std::vector<Result<>>> reschedule_delayed(
      std::string_view queue, std::span<const MessageId> messages, Milliseconds delay,
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<std::vector<Result<>>> async_reschedule_delayed(
      std::string_view queue, std::span<const MessageId> messages, Milliseconds delay,
      const CallOptions& call = CallOptions());
  /// The queue is gone with all its messages; its consumers end and its producers fail with
  /// QUEUE_NOT_FOUND. One that is created by its name afterwards is another queue. IN_USE while it
  /// is the dead-letter queue of others, unless the options say so. Gives the queue as it was.
  [[nodiscard]] Result<QueueDescription> delete_queue(
      std::string_view name, const DeleteOptions& options = DeleteOptions(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueueDescription> async_delete_queue(
      std::string_view name, const DeleteOptions& options = DeleteOptions(),
      const CallOptions& call = CallOptions());
  /// As create_queue().
  [[nodiscard]] Result<TopicDescription> create_topic(
      std::string_view name, const TopicSettings& settings = TopicSettings(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<TopicDescription> async_create_topic(
      std::string_view name, const TopicSettings& settings = TopicSettings(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Result<TopicDescription> describe_topic(std::string_view name,
                                                        const CallOptions& call = CallOptions());
  [[nodiscard]] Future<TopicDescription> async_describe_topic(
      std::string_view name, const CallOptions& call = CallOptions());
  /// Shows messages where they are: nothing is leased, counted or changed. What others do at the
  /// same time may or may not be seen.
  [[nodiscard]] Result<PeekPage> peek_queue(std::string_view name,
                                            const PeekOptions& options = PeekOptions(),
                                            const CallOptions& call = CallOptions());
  [[nodiscard]] Future<PeekPage> async_peek_queue(std::string_view name,
                                                  const PeekOptions& options = PeekOptions(),
                                                  const CallOptions& call = CallOptions());

  /// Namespaces keep the names of queues and topics apart. A client lives in the one that its
  /// address names. Succeeds when it exists.
  [[nodiscard]] Result<NamespaceDescription> create_namespace(
      std::string_view name, const CallOptions& call = CallOptions());
  [[nodiscard]] Future<NamespaceDescription> async_create_namespace(
      std::string_view name, const CallOptions& call = CallOptions());
  [[nodiscard]] Result<NamespaceDescription> describe_namespace(
      std::string_view name, const CallOptions& call = CallOptions());
  [[nodiscard]] Future<NamespaceDescription> async_describe_namespace(
      std::string_view name, const CallOptions& call = CallOptions());
  /// IN_USE unless it is empty; INVALID_ARGUMENT for the one called default. As it was.
  [[nodiscard]] Result<NamespaceDescription> delete_namespace(
      std::string_view name, const CallOptions& call = CallOptions());
  [[nodiscard]] Future<NamespaceDescription> async_delete_namespace(
      std::string_view name, const CallOptions& call = CallOptions());
  /// As list_queues(), of all namespaces.
  [[nodiscard]] Result<NamespacePage> list_namespaces(const ListOptions& options = ListOptions(),
                                                      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<NamespacePage> async_list_namespaces(
      const ListOptions& options = ListOptions(), const CallOptions& call = CallOptions());

  /// The connections of all namespaces whose services match.
  [[nodiscard]] Result<ClientPage> list_clients(const ListOptions& options = ListOptions(),
                                                const CallOptions& call = CallOptions());
  [[nodiscard]] Future<ClientPage> async_list_clients(const ListOptions& options = ListOptions(),
                                                      const CallOptions& call = CallOptions());
  /// Ends a connection; its client hears KICKED and, as this library does, connects again.
  /// INVALID_ARGUMENT when there is no such session. As it was.
  [[nodiscard]] Result<ClientDescription> kick_client(std::uint64_t session,
                                                      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<ClientDescription> async_kick_client(
      std::uint64_t session, const CallOptions& call = CallOptions());
  /// Has the broker read its config file again and take what it can take while it runs, all of it
  /// or nothing. INVALID_ARGUMENT, with the reason, when the file is refused, and nothing changes
  /// then; UNSUPPORTED when the broker was started without a file.
  [[nodiscard]] Result<ConfigReload> reload_config(const CallOptions& call = CallOptions());
  [[nodiscard]] Future<ConfigReload> async_reload_config(const CallOptions& call = CallOptions());

  /// The topic is gone with all its records; its readers and producers end with TOPIC_NOT_FOUND.
  /// Gives the topic as it was.
  [[nodiscard]] Result<TopicDescription> delete_topic(std::string_view name,
                                                      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<TopicDescription> async_delete_topic(
      std::string_view name, const CallOptions& call = CallOptions());
  /// One page of the queues of this connection's namespace: queues that exist from the first page
  /// to the last are listed once each, whatever else is created and deleted meanwhile.
  [[nodiscard]] Result<QueuePage> list_queues(const ListOptions& options = ListOptions(),
                                              const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueuePage> async_list_queues(const ListOptions& options = ListOptions(),
                                                    const CallOptions& call = CallOptions());
  /// As list_queues().
  [[nodiscard]] Result<TopicPage> list_topics(const ListOptions& options = ListOptions(),
                                              const CallOptions& call = CallOptions());
  [[nodiscard]] Future<TopicPage> async_list_topics(const ListOptions& options = ListOptions(),
                                                    const CallOptions& call = CallOptions());
  /// Where the given positions lie, in the order asked.
  [[nodiscard]] Result<std::vector<PartitionPosition>> list_offsets(
      std::string_view topic, const std::vector<PartitionStart>& partitions,
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<std::vector<PartitionPosition>> async_list_offsets(
      std::string_view topic, const std::vector<PartitionStart>& partitions,
      const CallOptions& call = CallOptions());

  /// Copies everything that the broker has stored, of all namespaces, as it is at one moment, while
  /// all goes on. A timeout of `call` is for each block of about 256 KiB, its deadline and stop for
  /// all of it. Ends early with the sink's error;
  /// LIMIT_EXCEEDED while another backup of this broker is under way; CANCELLED when the connection
  /// was lost on the way or the sink took too long: begin anew.
  [[nodiscard]] Result<BackupDescription> backup(BackupSink sink,
                                                 const CallOptions& call = CallOptions());
  [[nodiscard]] Result<BackupDescription> backup(BackupSink sink, BackupExpectation expectation,
                                                 const CallOptions& call = CallOptions());
  [[nodiscard]] Future<BackupDescription> async_backup(AsyncBackupSink sink,
                                                       const CallOptions& call = CallOptions());
  [[nodiscard]] Future<BackupDescription> async_backup(AsyncBackupSink sink,
                                                       BackupExpectation expectation,
                                                       const CallOptions& call = CallOptions());

  /// QUEUE_NOT_FOUND, TOPIC_NOT_FOUND: nothing is created in passing.
  [[nodiscard]] Result<Producer> queue_producer(std::string_view queue,
                                                const ProducerOptions& options = ProducerOptions(),
                                                const CallOptions& call = CallOptions());
  [[nodiscard]] Future<Producer> async_queue_producer(
      std::string_view queue, const ProducerOptions& options = ProducerOptions(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Result<Producer> topic_producer(std::string_view topic,
                                                const ProducerOptions& options = ProducerOptions(),
                                                const CallOptions& call = CallOptions());
  [[nodiscard]] Future<Producer> async_topic_producer(
      std::string_view topic, const ProducerOptions& options = ProducerOptions(),
      const CallOptions& call = CallOptions());

  /// Messages reach `handler`, or, in the form without one, QueueConsumer::next().
  [[nodiscard]] Result<QueueConsumer> subscribe(std::string_view queue,
                                                const ConsumerOptions& options,
                                                DeliveryHandler handler,
                                                const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueueConsumer> async_subscribe(std::string_view queue,
                                                      const ConsumerOptions& options,
                                                      DeliveryHandler handler,
                                                      const CallOptions& call = CallOptions());
  [[nodiscard]] Result<QueueConsumer> subscribe(std::string_view queue,
                                                const ConsumerOptions& options = ConsumerOptions(),
                                                const CallOptions& call = CallOptions());
  [[nodiscard]] Future<QueueConsumer> async_subscribe(
      std::string_view queue, const ConsumerOptions& options = ConsumerOptions(),
      const CallOptions& call = CallOptions());
  /// Handles a queue's messages on threads of their own, which inherit from the client's I/O thread
  /// (its signal mask, for one). INVALID_ARGUMENT for a concurrency out of its range. The pool
  /// should end before the client: what it drains then, it can confirm.
  [[nodiscard]] Result<WorkerPool> start_workers(std::string_view queue,
                                                 const WorkerPoolOptions& options,
                                                 WorkHandler handler,
                                                 const CallOptions& call = CallOptions());
  /// The pool takes its first message once it is taken out of the future.
  [[nodiscard]] Future<WorkerPool> async_start_workers(std::string_view queue,
                                                       const WorkerPoolOptions& options,
                                                       WorkHandler handler,
                                                       const CallOptions& call = CallOptions());

  /// Takes messages in one request. Each counts as one attempt when it is handed out. Empty when
  /// none came in the time that the options give. The call's time, by default that and the request
  /// timeout, should be longer: messages of an answer that comes too late stay leased.
  [[nodiscard]] Result<std::vector<Delivery>> receive(
      std::string_view queue, const ReceiveOptions& options = ReceiveOptions(),
      const CallOptions& call = CallOptions());
  [[nodiscard]] Future<std::vector<Delivery>> async_receive(
      std::string_view queue, const ReceiveOptions& options = ReceiveOptions(),
      const CallOptions& call = CallOptions());

  /// Settle one message by the text of Delivery::handle(), whichever connection it came over.
  /// RECEIPT_INVALID, RECEIPT_EXPIRED, NOT_IN_FLIGHT.
  [[nodiscard]] Result<> ack(std::string_view handle, const CallOptions& call = CallOptions());
  [[nodiscard]] Future<> async_ack(std::string_view handle,
                                   const CallOptions& call = CallOptions());
  [[nodiscard]] Result<> nack(std::string_view handle, Milliseconds delay,
                              const CallOptions& call = CallOptions());
  [[nodiscard]] Future<> async_nack(std::string_view handle, Milliseconds delay,
                                    const CallOptions& call = CallOptions());
  [[nodiscard]] Result<> release(std::string_view handle, const CallOptions& call = CallOptions());
  [[nodiscard]] Future<> async_release(std::string_view handle,
                                       const CallOptions& call = CallOptions());
  [[nodiscard]] Result<> settle(std::string_view handle, const Outcome& outcome,
                                const CallOptions& call = CallOptions());
  [[nodiscard]] Future<> async_settle(std::string_view handle, const Outcome& outcome,
                                      const CallOptions& call = CallOptions());
  [[nodiscard]] Result<> extend(std::string_view handle, Milliseconds lease,
                                const CallOptions& call = CallOptions());
  [[nodiscard]] Future<> async_extend(std::string_view handle, Milliseconds lease,
                                      const CallOptions& call = CallOptions());

  /// The most messages that one settle_many() takes.
  static constexpr std::size_t kMaxSettlements = 1'000;
  /// Settles many messages in one request, each for itself: one result a settlement, in their
  /// order; those that succeeded are durable. INVALID_ARGUMENT for more than kMaxSettlements.
  [[nodiscard]] Result<std::vector<Result<>>> settle_many(std::span<const Settlement> settlements,
                                                          const CallOptions& call = CallOptions());
  [[nodiscard]] Future<std::vector<Result<>>> async_settle_many(
      std::span<const Settlement> settlements, const CallOptions& call = CallOptions());
  /// The same for messages that are all done.
  [[nodiscard]] Result<std::vector<Result<>>> ack_many(std::span<const std::string> handles,
                                                       const CallOptions& call = CallOptions());
  [[nodiscard]] Future<std::vector<Result<>>> async_ack_many(
      std::span<const std::string> handles, const CallOptions& call = CallOptions());

  /// Records reach `handler`, or, in the form without one, TopicReader::next().
  [[nodiscard]] Result<TopicReader> read_topic(std::string_view topic, const ReaderOptions& options,
                                               RecordHandler handler,
                                               const CallOptions& call = CallOptions());
  [[nodiscard]] Future<TopicReader> async_read_topic(std::string_view topic,
                                                     const ReaderOptions& options,
                                                     RecordHandler handler,
                                                     const CallOptions& call = CallOptions());
  [[nodiscard]] Result<TopicReader> read_topic(std::string_view topic,
                                               const ReaderOptions& options = ReaderOptions(),
                                               const CallOptions& call = CallOptions());
  [[nodiscard]] Future<TopicReader> async_read_topic(std::string_view topic,
                                                     const ReaderOptions& options = ReaderOptions(),
                                                     const CallOptions& call = CallOptions());

 private:
  explicit Client(std::shared_ptr<sdk::Engine> engine);

  std::shared_ptr<sdk::Engine> engine_;
};

}  // namespace weir
