#pragma once

// The client library is built with hidden visibility; what is marked here is its surface.
#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif
