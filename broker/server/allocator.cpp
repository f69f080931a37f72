// How the broker's allocator, jemalloc, is to work; MALLOC_CONF in the environment overrides it.

#include <jemalloc/jemalloc.h>

// Arenas are what keeps free memory: four serve the few threads that allocate as fast as one for
// each. What is free goes back to the system within two seconds, by a thread of the allocator's
// own, so that neither a burst's memory stays nor a shard's turn pays for its return.
const char* malloc_conf = "narenas:4,dirty_decay_ms:2000,muzzy_decay_ms:0,background_thread:true";
