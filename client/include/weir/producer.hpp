#pragma once

#include "weir/export.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/message.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir {

namespace sdk {
class ProducerFront;
}  // namespace sdk

/// Called exactly once for a message that was taken, on the client's I/O thread; must neither block
/// nor throw. It may send, close and destroy. The result is valid during the call. Errors:
///   UNKNOWN_OUTCOME    the time ran out, or the application stopped the send, after the message
///                      had left: it may have been stored, or may still be
///   DEADLINE_EXCEEDED  the time ran out before: it was not stored and will not be
///   CANCELLED          the application stopped the send, or the producer or client was closed,
///                      before it left: it was not stored and will not be
///   anything else      the broker refused it: not stored
using SendCallback = UniqueFunction<void(const Result<SendReceipt>&)>;

/// Sends to one queue or one topic. Messages are gathered into batches without waiting: what is
/// there leaves at once while fewer than five batches are unconfirmed, and more gathers while five
/// are. Each message is stored at most once however often the library retries, and messages of one
/// partition keep the order of their send() calls.
///
/// Thread-safety: every function may be called from any thread, callbacks included, at any time.
/// The object is a handle: copies name the same producer. It closes with its client, or when the
/// last handle is gone and what was taken has been confirmed or has failed.
class WEIR_API Producer {
 public:
  /// Takes the message and answers through `callback`. While the buffer is full it blocks until
  /// there is room or the call is over (default: the send timeout); on the I/O thread it never
  /// blocks. When an error is returned the message was not taken and the callback is not called:
  ///   OVERLOADED         no room (only on the I/O thread)
  ///   DEADLINE_EXCEEDED  no room until the time was up
  ///   MESSAGE_TOO_LARGE, LIMIT_EXCEEDED, PARTITION_NOT_FOUND, INVALID_ARGUMENT
  ///   CANCELLED          closed, or stopped
  [[nodiscard]] Result<> send(const MessageView& message, SendCallback callback,
                              const CallOptions& call = CallOptions());
  [[nodiscard]] Result<> send(const Message& message, SendCallback callback,
                              const CallOptions& call = CallOptions());

  /// As send(), but never blocks: OVERLOADED when there is no room.
  [[nodiscard]] Result<> try_send(const MessageView& message, SendCallback callback,
                                  const CallOptions& call = CallOptions());
  [[nodiscard]] Result<> try_send(const Message& message, SendCallback callback,
                                  const CallOptions& call = CallOptions());

  /// As try_send(), with a future of what the callback would be told, or of why the message was not
  /// taken: OVERLOADED when there is no room. Never blocks; keep as many futures as messages may be
  /// under way, and wait for the oldest.
  [[nodiscard]] Future<SendReceipt> async_send(const MessageView& message,
                                               const CallOptions& call = CallOptions());
  [[nodiscard]] Future<SendReceipt> async_send(const Message& message,
                                               const CallOptions& call = CallOptions());

  /// Sends one message and waits until it is stored, as long as the call may take (default: the
  /// send timeout). INVALID_ARGUMENT on the I/O thread, where nothing may wait.
  [[nodiscard]] Result<SendReceipt> send(const MessageView& message,
                                         const CallOptions& call = CallOptions());
  [[nodiscard]] Result<SendReceipt> send(const Message& message,
                                         const CallOptions& call = CallOptions());

  /// Waits until each message taken so far is confirmed or has failed. DEADLINE_EXCEEDED when that
  /// takes longer (default: the send timeout), CANCELLED when the wait was stopped: the messages go
  /// on. INVALID_ARGUMENT on the I/O thread.
  [[nodiscard]] Result<> flush(const CallOptions& call = CallOptions());
  /// The same without waiting, also on the I/O thread.
  [[nodiscard]] Future<> async_flush(const CallOptions& call = CallOptions());

  /// Takes nothing more; what was taken is still sent. Idempotent, never blocks.
  void close();

  /// Messages and bytes that were taken and are not answered yet.
  [[nodiscard]] std::size_t buffered_messages() const;
  [[nodiscard]] std::size_t buffered_bytes() const;
  /// Of the topic; 1 for a queue.
  [[nodiscard]] std::uint32_t partitions() const;

  /// For the library: producers come from Client.
  explicit Producer(std::shared_ptr<sdk::ProducerFront> front);

 private:
  std::shared_ptr<sdk::ProducerFront> front_;
};

}  // namespace weir
