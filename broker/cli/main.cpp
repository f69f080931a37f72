#include "broker/cli/cli.hpp"
#include "broker/server/restore.hpp"
#include "broker/server/serve.hpp"
#include "broker/server/verify.hpp"

#include <functional>
#include <string>
#include <vector>

namespace {

// `weir config check` is `weir serve --check-config`, with the same settings from the same places.
std::function<int(const std::vector<std::string>&)> serve_with(const char* flag) {
  return [flag](std::vector<std::string> args) {
    args.emplace_back(flag);
    return weir::server::serve_main(args);
  };
}

}  // namespace

int main(int argc, char** argv) {
  return weir::cli::run(
      std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
      {{"serve", {weir::server::serve_main, weir::server::serve_flags}},
       {"config check", {serve_with("--check-config"), weir::server::serve_flags}},
       {"config print", {serve_with("--print-config"), weir::server::serve_flags}},
       {"restore", {weir::server::restore_main}},
       {"verify", {weir::server::verify_main}}});
}
