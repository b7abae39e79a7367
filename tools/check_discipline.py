#!/usr/bin/env python3
"""In-process floors include no header that allocates, locks or prints, and use no word that does."""
import re
import sys

import rules

FORBIDDEN = {
    "in-process": set("""mutex shared_mutex condition_variable thread future semaphore latch barrier string vector deque list forward_list
        map set unordered_map unordered_set queue stack iostream ostream istream fstream sstream iomanip ios locale regex functional
        memory_resource filesystem any variant valarray random stdexcept exception format print chrono codecvt stdio.h cstdio
        malloc.h""".split()),
}
FORBIDDEN["freestanding"] = FORBIDDEN["in-process"] | set("""cstdlib stdlib.h unistd.h fcntl.h pthread.h dlfcn.h errno.h cerrno signal.h csignal time.h ctime
    link.h sched.h""".split())
FORBIDDEN_FREESTANDING_PREFIXES = ("sys/", "linux/")

# Words whose use is wrong even without a header of their own.
WORDS = {
    r"\bthrow\b(?!\(\))": "throws",
    r"\b(?:dynamic_cast|typeid)\b": "needs run-time type information",
    r"\bstd::(?:string|vector|function|mutex|shared_ptr|make_unique|make_shared)\b": "allocates or locks",
    r"(?<![\w.>:])(?<!void )(?:malloc|calloc|realloc|free|printf|fprintf|abort|exit)\s*\(": "calls libc's allocator or stdio",
}

# What forwards to the allocator, or declares its family, has to name it.
EXEMPT = {
    r"(?<![\w.>:])(?<!void )(?:malloc|calloc|realloc|free|printf|fprintf|abort|exit)\s*\(": ("apps/",),
}


def without_comments(text):
    """Comments and string literals become blanks, lines stay where they are."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def check_file(module, path):
    forbidden = FORBIDDEN[module.discipline]
    for number, header in rules.includes(path):
        if header in forbidden or (module.discipline == "freestanding" and header.startswith(FORBIDDEN_FREESTANDING_PREFIXES)):
            yield f"{path}:{number}: <{header}> is not for {module.discipline} code"
    for number, line in enumerate(without_comments(path.read_text(errors="replace")).splitlines(), 1):
        for word, why in WORDS.items():
            match = re.search(word, line)
            if match and not any(module.path.startswith(prefix) for prefix in EXEMPT.get(word, ())):
                yield f"{path}:{number}: '{match.group(0).strip()}' {why}, which {module.discipline} code may not"


def rule(root):
    for module in rules.modules(root):
        if module.discipline == "hosted":
            continue
        for path in module.files():
            if path.exists() and "hosted" not in path.stem:
                yield from check_file(module, path)


if __name__ == "__main__":
    sys.exit(rules.run(rule))
