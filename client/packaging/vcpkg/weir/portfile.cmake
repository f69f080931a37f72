# The client library alone; the kind, static or shared, is the triplet's.
vcpkg_from_github(
  OUT_SOURCE_PATH SOURCE_PATH
  REPO weir-mq/weir
  REF v${VERSION}
  SHA512 0 # of the release's archive: vcpkg prints it when it has fetched that
  HEAD_REF main)

vcpkg_find_acquire_program(PKGCONFIG)
vcpkg_cmake_configure(
  SOURCE_PATH ${SOURCE_PATH}
  OPTIONS
    -DWEIR_BUILD_BROKER=OFF
    -DWEIR_WERROR=OFF
    -DPKG_CONFIG_EXECUTABLE=${PKGCONFIG})
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/weir)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/debug/include ${CURRENT_PACKAGES_DIR}/debug/share)
file(INSTALL ${CMAKE_CURRENT_LIST_DIR}/usage DESTINATION ${CURRENT_PACKAGES_DIR}/share/${PORT})
vcpkg_install_copyright(FILE_LIST ${SOURCE_PATH}/LICENSE)
