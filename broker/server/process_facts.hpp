#pragma once

#include "broker/http/metrics_page.hpp"

namespace weir::server {

/// What the system says of this process, from /proc; zeros where it says nothing.
http::MetricsFacts::Process read_process_facts();

}  // namespace weir::server
