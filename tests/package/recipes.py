"""The header and the recipes of package managers are of this version and repository, and can be read.
tests/package/recipes.py ROOT VERSION"""

import ast
import json
import pathlib
import re
import sys

root, version = pathlib.Path(sys.argv[1]), sys.argv[2]
packaging = root / "client" / "packaging"
homepage = re.search(r'HOMEPAGE_URL "([^"]+)"', (root / "CMakeLists.txt").read_text()).group(1)

header = (root / "client" / "include" / "weir" / "version.hpp").read_text()
numbers = re.findall(r"#define WEIR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
assert ".".join(numbers) == version, f"version.hpp says {numbers}"

port = json.loads((packaging / "vcpkg" / "weir" / "vcpkg.json").read_text())
assert port["version"] == version, f"the port is of version {port['version']}"
assert port["homepage"] == homepage
portfile = (packaging / "vcpkg" / "weir" / "portfile.cmake").read_text()
assert homepage.endswith("/" + re.search(r"REPO (\S+)", portfile).group(1))

recipe = (packaging / "conan" / "conanfile.py").read_text()
names = {}
for item in ast.walk(ast.parse(recipe)):
    if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
        if isinstance(item.value, ast.Constant):
            names[item.targets[0].id] = item.value.value
assert names["name"] == "weir"
assert names["url"] == names["homepage"] == homepage
# The version is read from CMakeLists.txt; these words of the recipe must find it there.
pattern = re.search(r're\.search\(r"([^"]+)"', recipe).group(1)
assert re.search(pattern, (root / "CMakeLists.txt").read_text()).group(1) == version
for exported in re.search(r"for pattern in \(([^)]+)\)", recipe).group(1).split(","):
    assert list(root.glob(exported.strip(' "'))), f"the recipe exports {exported}, which is not there"
