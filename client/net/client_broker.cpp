#include "client/net/client_calls.hpp"
#include "client/session/wire_convert.hpp"
#include "weir/client.hpp"

#include <string>
#include <utility>

// Calls about the broker as a whole: its namespaces, connections and settings; and looks at
// messages.
namespace weir {
namespace {

Result<NamespaceDescription> namespace_of(const Result<v1::Response>& response) {
  return sdk::content_of<NamespaceDescription>(response, &v1::Response::has_name_space, [&] {
    return sdk::to_description(response->name_space());
  });
}

Result<NamespacePage> namespace_page_of(const Result<v1::Response>& response) {
  return sdk::content_of<NamespacePage>(response, &v1::Response::has_namespace_list,
                                        [&] { return sdk::to_page(response->namespace_list()); });
}

Result<ClientDescription> client_of(const Result<v1::Response>& response) {
  return sdk::content_of<ClientDescription>(
      response, &v1::Response::has_client, [&] { return sdk::to_description(response->client()); });
}

Result<ClientPage> client_page_of(const Result<v1::Response>& response) {
  return sdk::content_of<ClientPage>(response, &v1::Response::has_client_list,
                                     [&] { return sdk::to_page(response->client_list()); });
}

Result<ConfigReload> reload_of(const Result<v1::Response>& response) {
  return sdk::content_of<ConfigReload>(response, &v1::Response::has_config_reload,
                                       [&] { return sdk::to_reload(response->config_reload()); });
}

Result<PeekPage> peek_page_of(const Result<v1::Response>& response) {
  return sdk::content_of<PeekPage>(response, &v1::Response::has_peeked, [&] {
    return sdk::to_public(sdk::to_page(response->peeked()));
  });
}

}  // namespace

Result<NamespaceDescription> Client::create_namespace(std::string_view name,
                                                      const CallOptions& call) {
  return sdk::wait(*engine_, call, true, [&] { return async_create_namespace(name, call); });
}

Future<NamespaceDescription> Client::async_create_namespace(std::string_view name,
                                                            const CallOptions& call) {
  if (Result<> checked = sdk::check_namespace(name); !checked) {
    return Future<NamespaceDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_create_namespace()->set_name(std::string(name));
  return sdk::ask<NamespaceDescription>(engine_, std::move(request), call, true, namespace_of);
}

Result<NamespaceDescription> Client::describe_namespace(std::string_view name,
                                                        const CallOptions& call) {
  return sdk::wait(*engine_, call, false, [&] { return async_describe_namespace(name, call); });
}

Future<NamespaceDescription> Client::async_describe_namespace(std::string_view name,
                                                              const CallOptions& call) {
  if (Result<> checked = sdk::check_namespace(name); !checked) {
    return Future<NamespaceDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_describe_namespace()->set_name(std::string(name));
  return sdk::ask<NamespaceDescription>(engine_, std::move(request), call, false, namespace_of);
}

Result<NamespaceDescription> Client::delete_namespace(std::string_view name,
                                                      const CallOptions& call) {
  return sdk::wait(*engine_, call, true, [&] { return async_delete_namespace(name, call); });
}

Future<NamespaceDescription> Client::async_delete_namespace(std::string_view name,
                                                            const CallOptions& call) {
  if (Result<> checked = sdk::check_namespace(name); !checked) {
    return Future<NamespaceDescription>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_delete_namespace()->set_name(std::string(name));
  return sdk::ask<NamespaceDescription>(engine_, std::move(request), call, true, namespace_of);
}

Result<NamespacePage> Client::list_namespaces(const ListOptions& options, const CallOptions& call) {
  return sdk::wait(*engine_, call, false, [&] { return async_list_namespaces(options, call); });
}

Future<NamespacePage> Client::async_list_namespaces(const ListOptions& options,
                                                    const CallOptions& call) {
  v1::Request request;
  sdk::fill(*request.mutable_list_namespaces()->mutable_page(), options);
  return sdk::ask<NamespacePage>(engine_, std::move(request), call, false, namespace_page_of);
}

Result<ClientPage> Client::list_clients(const ListOptions& options, const CallOptions& call) {
  return sdk::wait(*engine_, call, false, [&] { return async_list_clients(options, call); });
}

Future<ClientPage> Client::async_list_clients(const ListOptions& options, const CallOptions& call) {
  v1::Request request;
  sdk::fill(*request.mutable_list_clients()->mutable_page(), options);
  return sdk::ask<ClientPage>(engine_, std::move(request), call, false, client_page_of);
}

Result<ClientDescription> Client::kick_client(std::uint64_t session, const CallOptions& call) {
  return sdk::wait(*engine_, call, true, [&] { return async_kick_client(session, call); });
}

Future<ClientDescription> Client::async_kick_client(std::uint64_t session,
                                                    const CallOptions& call) {
  v1::Request request;
  request.mutable_kick_client()->set_session(session);
  return sdk::ask<ClientDescription>(engine_, std::move(request), call, true, client_of);
}

Result<ConfigReload> Client::reload_config(const CallOptions& call) {
  return sdk::wait(*engine_, call, true, [&] { return async_reload_config(call); });
}

Future<ConfigReload> Client::async_reload_config(const CallOptions& call) {
  v1::Request request;
  request.mutable_reload_config();
  return sdk::ask<ConfigReload>(engine_, std::move(request), call, true, reload_of);
}

Result<PeekPage> Client::peek_queue(std::string_view name, const PeekOptions& options,
                                    const CallOptions& call) {
  return sdk::wait(*engine_, call, false, [&] { return async_peek_queue(name, options, call); });
}

Future<PeekPage> Client::async_peek_queue(std::string_view name, const PeekOptions& options,
                                          const CallOptions& call) {
  if (Result<> checked = sdk::check_queue(name); !checked) {
    return Future<PeekPage>(std::move(checked).error());
  }
  v1::Request request;
  request.mutable_peek_queue()->set_queue(std::string(name));
  sdk::fill(*request.mutable_peek_queue(), options);
  return sdk::ask<PeekPage>(engine_, std::move(request), call, false, peek_page_of);
}

}  // namespace weir
