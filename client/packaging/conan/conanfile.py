"""The C++ client library as a package of Conan 2, from the tree that this recipe lies in:
conan create client/packaging/conan"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load
from conan.tools.gnu import PkgConfigDeps

ROOT = os.path.join("..", "..", "..")


class WeirConan(ConanFile):
    name = "weir"
    description = "C++ client of the message broker Weir: durable queues and retained topics on one log"
    license = "Apache-2.0"
    url = "https://github.com/weir-mq/weir"
    homepage = "https://github.com/weir-mq/weir"
    topics = ("messaging", "queue", "log", "broker")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, ROOT, "CMakeLists.txt"))
        self.version = re.search(r"project\(weir VERSION ([0-9.]+)", text).group(1)

    def export_sources(self):
        root = os.path.join(self.recipe_folder, ROOT)
        for pattern in ("CMakeLists.txt", "LICENSE", "client/*", "proto/*"):
            copy(self, pattern, src=root, dst=self.export_sources_folder)

    def requirements(self):
        self.requires("boost/[>=1.81 <2]", options={"header_only": True})
        self.requires("protobuf/[>=3.21 <4]")
        self.requires("lz4/[>=1.9 <2]")
        self.requires("zstd/[>=1.5 <2]")

    def build_requirements(self):
        self.tool_requires("cmake/[>=3.25]")
        self.tool_requires("protobuf/<host_version>")
        self.tool_requires("pkgconf/[>=2]")

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["WEIR_BUILD_BROKER"] = False
        toolchain.cache_variables["WEIR_WERROR"] = False
        toolchain.generate()
        CMakeDeps(self).generate()
        PkgConfigDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.libs = ["weir"]
        self.cpp_info.set_property("cmake_file_name", "weir")
        self.cpp_info.set_property("cmake_target_name", "weir::client")
        self.cpp_info.set_property("pkg_config_name", "weir")
        self.cpp_info.requires = ["boost::headers", "protobuf::libprotobuf", "lz4::lz4", "zstd::zstdlib"]
        if self.settings.os == "Linux":
            self.cpp_info.system_libs = ["pthread"]
