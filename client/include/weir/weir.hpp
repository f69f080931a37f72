#pragma once

// All of the client library.
#include "weir/admin.hpp"
#include "weir/client.hpp"
#include "weir/consumer.hpp"
#include "weir/delay.hpp"
#include "weir/error.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/message.hpp"
#include "weir/message_filter.hpp"
#include "weir/options.hpp"
#include "weir/producer.hpp"
#include "weir/redrive.hpp"
#include "weir/result.hpp"
#include "weir/topic_reader.hpp"
#include "weir/version.hpp"
#include "weir/worker_pool.hpp"
