#pragma once

#include <cstdio>
#include <cstdlib>

// Checked in every build. Input from a peer or a disk never reaches one: only a fault of our own
// does, and going on after that would put what is stored at risk.
#define WEIR_ASSERT(condition, why)                                                              \
  do {                                                                                           \
    if (!(condition)) [[unlikely]] {                                                             \
      std::fprintf(stderr, "%s:%d: assertion failed: %s (%s)\n", __FILE__, __LINE__, #condition, \
                   why);                                                                         \
      std::abort();                                                                              \
    }                                                                                            \
  } while (false)
