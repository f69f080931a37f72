#include "broker/cli/cli.hpp"
#include "broker/server/restore.hpp"
#include "broker/server/serve.hpp"
#include "broker/server/verify.hpp"

#include <string>
#include <vector>

int main(int argc, char** argv) {
  return weir::cli::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
                        {{"serve", weir::server::serve_main},
                         {"restore", weir::server::restore_main},
                         {"verify", weir::server::verify_main}});
}
