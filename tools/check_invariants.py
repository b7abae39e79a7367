#!/usr/bin/env python3
"""Invariants are stated, executed and referred to by the same names.

A class states them in a comment (`///   A1  the cursor stays in its block`); broken_invariant() returns a sentence that
begins with the name ("A1: ..."); documents and tests refer to them as [arena/A1], with the module's last folder's name.
"""
import re
import sys

import rules

STATED = re.compile(r"^\s*//[/!]?\s{2,}([A-Z]{1,3}\d{1,2})\s{2,}\S")
EXECUTED = re.compile(r'"([A-Z]{1,3}\d{1,2}): ')
REFERRED = re.compile(r"\[([a-z_]+(?:/[a-z_]+)*)/([A-Z]{1,3}\d{1,2})\]")


def rule(root):
    stated = {}     # last folder's name, and whole path -> names
    for module in rules.modules(root):
        names, executed = {}, {}
        for path in module.files():
            if not path.exists():
                continue
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                for name in STATED.findall(line):
                    names.setdefault(name, f"{path}:{number}")
                for name in EXECUTED.findall(line):
                    executed.setdefault(name, f"{path}:{number}")
        for name, place in executed.items():
            if name not in names:
                yield f"{place}: invariant {name} is executed but not stated in {module.path}"
        for name, place in names.items():
            if name not in executed:
                yield f"{place}: invariant {name} is stated but never executed in {module.path}"
        for key in (module.path, module.path.rpartition("/")[2]):
            stated.setdefault(key, set()).update(names)
    for path in rules.files(root, ".md", ".hpp", ".cpp", ".py"):
        if path.parent.name in ("rules", "tools"):
            continue  # they speak of the notation itself
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            for module, name in REFERRED.findall(line):
                if name not in stated.get(module, ()):
                    yield f"{path}:{number}: [{module}/{name}] names no invariant"


if __name__ == "__main__":
    sys.exit(rules.run(rule))
