"""What the rule scripts share: the files of the tree, and the modules as their CMake calls state them."""
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

SKIPPED_FOLDERS = {"build", "node_modules", "__pycache__"}
KEPT_DOT_NAMES = {".ci", ".github", ".clang-format", ".clang-tidy", ".gitignore", ".npmrc"}
LISTS = {"HEADERS", "SOURCES", "DEPENDS", "LIBRARIES"}
WORDS = {"DISCIPLINE", "NAME", "EXPORTS", "UNDEFINED", "LINK_AS"}


@dataclass
class Module:
    """One heapwright_module(), heapwright_program() or heapwright_preload() call."""
    path: str                 # trace/record, or apps/cli
    folder: Path              # where its CMakeLists.txt lies
    kind: str                 # module, program or preload
    discipline: str = "hosted"
    headers: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    depends: list = field(default_factory=list)

    def files(self):
        """Its hand-written files; generated ones are named by a variable."""
        return [self.folder / name for name in self.headers + self.sources if "$" not in name]


def files(root, *suffixes):
    """Every file of the tree, build folders and hidden ones left out, in a fixed order."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and (f[0] != "." or f in KEPT_DOT_NAMES))
        for name in sorted(names):
            if (name[0] != "." or name in KEPT_DOT_NAMES) and (not suffixes or name.endswith(suffixes)):
                found.append(Path(folder) / name)
    return found


def modules(root):
    """All modules, programs and preload libraries, in the order of their folders."""
    root = Path(root)
    found = []
    for lists in [f for part in ("src/heapwright", "apps") for f in files(root / part, "CMakeLists.txt")]:
        text = re.sub(r"#.*", "", lists.read_text())
        for kind, words in re.findall(r"\bheapwright_(module|program|preload)\s*\(([^()]*)\)", text):
            path, *rest = words.split()
            module = Module(path, lists.parent, kind, "in-process" if kind == "preload" else "hosted")
            key = None
            for word in rest:
                if word in LISTS or word in WORDS:
                    key = word
                elif key == "DISCIPLINE":
                    module.discipline = word
                elif key in ("HEADERS", "SOURCES", "DEPENDS"):
                    getattr(module, key.lower()).append(word)
            if kind != "module":
                # Only a library's headers are installed, so only they need to be listed.
                module.headers = [path.relative_to(module.folder).as_posix() for path in files(module.folder, ".hpp")]
            found.append(module)
    return found


def includes(path):
    """(line number, header) of each angle include, comments left out."""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
        if match:
            yield number, match.group(1)


def run(rule):
    """The main function of a rule script: rule(root) gives complaints; any makes the exit status 1."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    complaints = list(rule(root))
    for complaint in complaints:
        print(complaint)
    name = Path(sys.argv[0]).name
    print(f"{name}: {len(complaints)} complaints" if complaints else f"{name}: nothing to complain of")
    return 1 if complaints else 0
