#!/usr/bin/env python3
"""Files stay short and say what they are for: at most 400 lines, a first sentence, #pragma once, a README per module."""
import re
import sys

import rules

LINES_MAX = 400
LINES_MAX_TOOL = 120
README_LINES = range(8, 61)


def first_comment(lines):
    """Whether the file begins with a comment that is a sentence."""
    return bool(lines) and lines[0].startswith("// ") and len(lines[0].split()) >= 3


def check_code(path, lines):
    if len(lines) > LINES_MAX:
        yield f"{path}: {len(lines)} lines, more than {LINES_MAX}; split it by subject"
    # A source is told of by the header beside it, a test by the sentences that name its cases.
    told = path.suffix == ".cpp" and (path.with_suffix(".hpp").exists() or path.stem.endswith("_test"))
    if path.suffix in (".hpp", ".cpp") and not told and not first_comment(lines):
        yield f"{path}:1: the first line is no comment that says what the file is for"
    if path.suffix == ".hpp" and not any(line.strip() == "#pragma once" for line in lines):
        yield f"{path}: no #pragma once"
    for number, line in enumerate(lines, 1):
        if line.rstrip("\n") != line.rstrip("\n").rstrip():
            yield f"{path}:{number}: blanks at the end of the line"
        if "\t" in line:
            yield f"{path}:{number}: a tab"


def check_readme(module):
    readme = module.folder / "README.md"
    if not readme.exists():
        yield f"{module.folder}: no README.md"
        return
    text = readme.read_text()
    count = len(text.splitlines())
    if count not in README_LINES:
        yield f"{readme}: {count} lines, not {README_LINES.start} to {README_LINES.stop - 1}"
    if module.kind == "module":
        for word in ("Stands on:", "Discipline:"):
            if word not in text:
                yield f"{readme}: does not say '{word}'"
        own = [name for name in module.headers if "/" not in name and "$" not in name]
        missing = [name for name in own if name.removesuffix(".hpp") not in text]
        if 2 * len(missing) > len(own):
            yield f"{readme}: does not mention {', '.join(missing)}"


def rule(root):
    for path in rules.files(root, ".hpp", ".cpp", ".ts", ".mjs", ".cmake"):
        if path.name.endswith(".d.ts"):
            continue
        yield from check_code(path, path.read_text(errors="replace").splitlines())
    for path in rules.files(root / "tools", ".py"):
        count = len(path.read_text().splitlines())
        if count > LINES_MAX_TOOL:
            yield f"{path}: {count} lines, more than {LINES_MAX_TOOL} for a tool"
    for path in rules.files(root, ".py"):
        lines = path.read_text().splitlines()
        if not re.search(r'^"""\S', "\n".join(lines[:2]), re.M):
            yield f"{path}:1: no first sentence that says what the file is for"
        if len(lines) > LINES_MAX:
            yield f"{path}: {len(lines)} lines, more than {LINES_MAX}; split it by subject"
    for module in rules.modules(root):
        yield from check_readme(module)


if __name__ == "__main__":
    sys.exit(rules.run(rule))
