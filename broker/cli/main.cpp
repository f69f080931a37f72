#include "broker/cli/cli.hpp"
#include "broker/server/serve.hpp"

#include <string>
#include <vector>

int main(int argc, char** argv) {
  return weir::cli::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
                        weir::server::serve_main);
}
