# Writes git_version.hpp when the commit has changed: cmake -DSOURCE=… -DOUT=… -P git_version.cmake
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=10
                OUTPUT_VARIABLE version ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE
                RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(version "an unknown version")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT
"#pragma once

namespace weir::sim {
inline constexpr char kGitVersion[] = \"@version@\";
}  // namespace weir::sim
" @ONLY)
