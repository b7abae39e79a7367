#!/usr/bin/env python3
"""A preload library defines exactly what its version script names, and asks for nothing that its list does not allow.

usage: check_symbols.py LIBRARY.so exports.map allowed_undefined.txt
"""
import fnmatch
import re
import subprocess
import sys
from pathlib import Path


def symbols(library, which):
    lines = subprocess.run(["nm", "-D", which, library], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line.strip() and " A " not in line}


def exported_by(script):
    """The names between `global:` and `local:` of a version script."""
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", Path(script).read_text(), flags=re.S)
    names = []
    for part in re.findall(r"global:(.*?)(?:local:|\})", text, flags=re.S):
        names += [name.strip().strip('"') for name in part.split(";") if name.strip()]
    return names


def allowed_by(listing):
    lines = [line.split("#")[0].strip() for line in Path(listing).read_text().splitlines()]
    return [line for line in lines if line]


def complaints(library, script, listing):
    exported, defined = exported_by(script), symbols(library, "--defined-only")
    allowed, undefined = allowed_by(listing), symbols(library, "--undefined-only")
    for name in sorted(defined):
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in exported):
            yield f"{library}: defines {name}, which {script} does not name"
    for pattern in exported:
        if not fnmatch.filter(defined, pattern):
            yield f"{library}: does not define {pattern}, which {script} names"
    for name in sorted(undefined):
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
            yield f"{library}: asks for {name}, which {listing} does not allow"
    for pattern in allowed:
        if not fnmatch.filter(undefined, pattern):
            yield f"{listing}: allows {pattern}, which {library} does not ask for"


if __name__ == "__main__":
    found = list(complaints(*sys.argv[1:4]))
    print("\n".join(found) if found else "check_symbols.py: nothing to complain of")
    sys.exit(1 if found else 0)
