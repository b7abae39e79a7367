#!/usr/bin/env python3
"""Nothing in the tree names the machine it was written on, a package mirror, or work that is left without saying where."""
import re
import sys

import rules

# Spelled in pieces, so that this file does not complain of itself.
WORDS = {
    "/" + r"work/": "a path of one machine",
    "/" + r"root/": "a path of one machine",
    r"/tmp/" + r"b-\w": "a path of one machine",
    r'"resolved":\s*"http' + r"": "a package host; set omit-lockfile-registry-resolved",
    r"https?://[\w.-]*(?:" + r"registry|mirror|artifactory|nexus)[\w.-]*": "a package host",
    r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b(?!\(#\d+\))": "work left over without the number of its issue",
    r"\bshared/(?:craft|architecture|mission|reference)": "a document that is not in the tree",
    r"<<<<" + r"<<<|>>>>" + r">>> ": "an unresolved merge",
}
BINARY = (".png", ".zst", ".gz", ".hwtrace", ".ico", ".woff2", ".bin", ".so", ".a", ".o")


def rule(root):
    patterns = [(re.compile(word), why) for word, why in WORDS.items()]
    for path in rules.files(root):
        if path.suffix in BINARY or "corpus" in path.parts or path.is_symlink():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            for pattern, why in patterns:
                match = pattern.search(line)
                if match:
                    yield f"{path}:{number}: '{match.group(0)}' is {why}"


if __name__ == "__main__":
    sys.exit(rules.run(rule))
