#include "broker/cli/caution.hpp"

#include "broker/cli/output.hpp"

#include <cerrno>
#include <unistd.h>

namespace weir::cli {
namespace {

/// Yes for "y" and "yes" in any case; no for anything else, and for the end of the input.
bool is_yes(int in) {
  std::string answer;
  char letter = 0;
  for (;;) {
    const ssize_t got = ::read(in, &letter, 1);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got != 1 || letter == '\n') {
      break;
    }
    answer += static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  }
  return answer == "y" || answer == "yes";
}

}  // namespace

void add_caution(CLI::App& command, Caution& caution) {
  command.add_flag("-y,--yes", caution.yes, "Do not ask (needed where nobody can be asked)");
  command.add_flag("--dry-run", caution.dry_run, "Say what would happen, and do nothing");
  add_output_option(command, caution.form);
}

Asking standard_asking() {
  return {::isatty(STDIN_FILENO) == 1, STDIN_FILENO, STDERR_FILENO};
}

std::optional<ExitCode> hold_back(const Caution& caution, std::string_view what,
                                  const std::string& json, const Asking& asking) {
  if (caution.dry_run) {
    return show(caution.form, Look{.table = "dry run: " + std::string(what) + "\n", .json = json},
                "");
  }
  if (caution.yes) {
    return std::nullopt;
  }
  if (!asking.may_ask) {
    print_error_line("weir: nothing was done; with --yes " + std::string(what));
    return ExitCode::kBadUsage;
  }
  // A question that cannot be shown is answered by nobody, and so with no.
  if (write_all(asking.out, std::string(what) + ". Go on? [y/N] ") == 0 && is_yes(asking.in)) {
    return std::nullopt;
  }
  print_error_line("weir: nothing was done");
  return ExitCode::kRefused;
}

}  // namespace weir::cli
