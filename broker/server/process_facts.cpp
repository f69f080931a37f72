#include "broker/server/process_facts.hpp"

#include "broker/server/text_file.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <time.h>
#include <unistd.h>

namespace weir::server {
namespace {

// Fields of /proc/self/stat as proc(5) counts them; the program's name, field 2, may hold spaces.
constexpr int kFieldBehindName = 3;
constexpr int kUserTicks = 14;
constexpr int kSystemTicks = 15;
constexpr int kStartTicks = 22;
constexpr int kResidentPages = 24;

double boot_time_seconds() {
  using std::chrono::duration;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return duration<double>(now).count() - static_cast<double>(since_boot.tv_sec) -
         static_cast<double>(since_boot.tv_nsec) / 1e9;
}

std::uint64_t number_of(const std::string& field) {
  return std::strtoull(field.c_str(), nullptr, 10);
}

std::uint64_t count_open_fds() {
  std::error_code failed;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", failed), end; !failed && at != end;
       at.increment(failed)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // the one that looks
}

}  // namespace

http::MetricsFacts::Process read_process_facts() {
  http::MetricsFacts::Process facts;
  const auto stat = read_text_file("/proc/self/stat");
  const std::size_t name_end = stat ? stat->rfind(')') : std::string::npos;
  if (name_end != std::string::npos) {
    const auto ticks_a_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    std::istringstream fields(stat->substr(name_end + 1));
    std::string field;
    for (int number = kFieldBehindName; fields >> field && number <= kResidentPages; ++number) {
      if (number == kUserTicks || number == kSystemTicks) {
        facts.cpu_seconds += static_cast<double>(number_of(field)) / ticks_a_second;
      } else if (number == kStartTicks) {
        facts.start_time_seconds =
            boot_time_seconds() + static_cast<double>(number_of(field)) / ticks_a_second;
      } else if (number == kResidentPages) {
        facts.resident_memory_bytes =
            number_of(field) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
      }
    }
  }
  facts.open_fds = count_open_fds();
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    facts.max_fds = files.rlim_cur;
  }
  return facts;
}

}  // namespace weir::server
