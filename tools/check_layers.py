#!/usr/bin/env python3
"""Includes go down only: each one is covered by the DEPENDS of its module's CMake call, and DEPENDS by the table below.

Also: no include of a front door or of another module's detail/, no quoted include, no file that the call does not list.
"""
import re
import sys
from pathlib import Path

import rules

# What a module may depend on; a trailing /* means every module below, {lower} what stands before it in the floor order.
ALLOWED = [
    ("base", []),
    ("os", ["base"]),
    ("trace", ["base", "os"]),
    ("trace/stack", ["base", "os", "trace"]),
    ("trace/record", ["base", "os", "trace", "trace/stack"]),
    ("trace/read", ["base", "os", "trace"]),
    ("config", ["base", "os"]),
    ("config/file", ["base", "os", "config"]),
    ("runtime", ["base", "os", "config", "alloc/*"]),
    ("runtime/configured", ["base", "os", "config", "alloc/*", "own/*", "runtime"]),
    ("alloc/heap", ["base", "os", "config", "alloc/{lower}"]),
    ("alloc/adapt", ["base", "os", "alloc/*", "trace"]),
    ("graph", ["base"]),
    ("graph/file", ["base", "os", "graph"]),
    ("own/*", ["base", "os", "alloc/*", "own/{lower}"]),
    ("alloc/*", ["base", "os", "alloc/{lower}"]),
    ("study/replay*", ["base", "os", "trace", "trace/read", "config", "config/file", "alloc/*", "study/{lower}"]),
    ("study/*", ["base", "os", "trace", "trace/read", "config", "config/file", "study/{lower}"]),
    ("apps/preload_*", ["base", "os", "config", "runtime", "trace", "trace/stack", "trace/record", "alloc/*"]),
    ("apps/replay_worker", ["base", "os", "trace", "alloc/*", "study/replay/plan"]),
    ("apps/*", ["*"]),
]


def matches(path, pattern):
    return path == pattern or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def may_depend(path, below, order):
    patterns = next((allowed for name, allowed in ALLOWED if matches(path, name)), [])
    for pattern in patterns:
        if pattern.endswith("{lower}"):
            lower = path in order and below in order and order.index(below) < order.index(path)
            if lower and below.startswith(pattern[:-len("{lower}")]):
                return True
        elif matches(below, pattern):
            return True
    return False


def floor_order(root):
    lists = root / "src/heapwright/CMakeLists.txt"
    return " ".join(re.findall(r"heapwright_add_folders\(\.([^)]*)\)", lists.read_text())).split() if lists.exists() else []


def owner_of(header, paths):
    """The module that `heapwright/a/b/c.hpp` belongs to, None for a front door or a stranger."""
    inner = header.removeprefix("heapwright/")
    owners = [path for path in paths if inner.startswith(path + "/")]
    return max(owners, key=len, default=None)


def check_call(module, order):
    for below in module.depends:
        if not may_depend(module.path, below, order):
            yield f"{module.folder}/CMakeLists.txt: {module.path} may not depend on {below}"
    if module.kind == "module" and module.path not in order:
        yield f"{module.folder}/CMakeLists.txt: {module.path} is not in the floor order of src/heapwright/CMakeLists.txt"


def check_includes(module, path, paths):
    for number, header in rules.includes(path):
        if not header.startswith("heapwright/"):
            among_programs = header.startswith("apps/") and module.kind != "module"   # what two programs say to each other
            if header.startswith(("apps/", "tests/", "bench/")) and not among_programs:
                yield f"{path}:{number}: <{header}> is nobody's business here"
            continue
        owner = owner_of(header, paths)
        if header.endswith(".h") and module.path.startswith("apps/preload"):
            continue   # what C programs call it by: it includes that to keep its word
        if owner is None:
            yield f"{path}:{number}: <{header}> is a front door, which is for users only, or does not exist"
        elif owner != module.path and "/detail/" in header:
            yield f"{path}:{number}: <{header}> is the private room of {owner}"
        elif owner != module.path and owner not in module.depends:
            yield f"{path}:{number}: <{header}> belongs to {owner}, which {module.path} does not name under DEPENDS"
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        quoted = re.match(r'\s*#\s*include\s*"([^"/]+)"', line)
        if quoted and module.kind != "module" and (path.parent / quoted.group(1)).exists():
            continue  # a program's own file, which has no path below src
        if re.match(r'\s*#\s*include\s*"', line):
            yield f"{path}:{number}: quoted include; write the full path in angle brackets"


def check_listing(root, modules):
    listed = {path.resolve() for module in modules for path in module.files()}
    for path in rules.files(root / "src/heapwright", ".hpp", ".cpp") + rules.files(root / "apps", ".hpp", ".cpp"):
        if path.resolve() not in listed and path.parent != root / "src/heapwright":
            yield f"{path}: no CMake call lists this file"
    for path in sorted(p for p in listed if not p.exists()):
        yield f"{path}: listed, but not there"


def rule(root):
    modules = rules.modules(root)
    order = floor_order(root)
    paths = [module.path for module in modules if module.kind == "module"]
    for module in modules:
        yield from check_call(module, order)
        for path in module.files():
            if path.exists() and path.suffix in (".hpp", ".cpp"):
                yield from check_includes(module, path, paths)
    yield from check_listing(root, modules)


if __name__ == "__main__":
    sys.exit(rules.run(rule))
