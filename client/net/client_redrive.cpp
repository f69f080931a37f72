#include "client/net/client_calls.hpp"
#include "client/session/wire_convert.hpp"
#include "weir/client.hpp"

#include <string>
#include <utility>

// Calls about the way back of messages that nobody could handle.
namespace weir {
namespace {

using sdk::check_queue;
using sdk::wait;

Result<RedriveDescription> redrive_of(const Result<v1::Response>& response) {
  return sdk::content_of<RedriveDescription>(response, &v1::Response::has_redrive, [&] {
    return sdk::to_description(response->redrive());
  });
}

Result<RedrivePage> redrive_page_of(const Result<v1::Response>& response) {
  return sdk::content_of<RedrivePage>(response, &v1::Response::has_redrive_list,
                                      [&] { return sdk::to_page(response->redrive_list()); });
}

}  // namespace

Result<RedriveDescription> Client::start_redrive(std::string_view name,
                                                 const RedriveOptions& options,
                                                 const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_start_redrive(name, options, call); });
}

Future<RedriveDescription> Client::async_start_redrive(std::string_view name,
                                                       const RedriveOptions& options,
                                                       const CallOptions& call) {
  Result<> checked = check_queue(name);
  if (checked && !options.target().empty()) {
    checked = check_queue(options.target());
  }
  if (!checked) {
    return Future<RedriveDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_start_redrive()->set_name(std::string(name));
  sdk::fill(*request.mutable_start_redrive(), options);
  return sdk::ask<RedriveDescription>(engine_, std::move(request), call, true, redrive_of);
}

Result<RedriveDescription> Client::cancel_redrive(std::string_view name, const CallOptions& call) {
  return wait(*engine_, call, true, [&] { return async_cancel_redrive(name, call); });
}

Future<RedriveDescription> Client::async_cancel_redrive(std::string_view name,
                                                        const CallOptions& call) {
  if (Result<> checked = check_queue(name); !checked) {
    return Future<RedriveDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_cancel_redrive()->set_name(std::string(name));
  return sdk::ask<RedriveDescription>(engine_, std::move(request), call, true, redrive_of);
}

Result<RedrivePage> Client::list_redrives(const ListOptions& options, const CallOptions& call) {
  return wait(*engine_, call, false, [&] { return async_list_redrives(options, call); });
}

Future<RedrivePage> Client::async_list_redrives(const ListOptions& options,
                                                const CallOptions& call) {
  v1::Request request;
  sdk::fill(*request.mutable_list_redrives()->mutable_page(), options);
  return sdk::ask<RedrivePage>(engine_, std::move(request), call, false, redrive_page_of);
}

}  // namespace weir
