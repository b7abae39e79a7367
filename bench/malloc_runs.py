"""Runs one program before one allocator and says what it took: the ground of bench/malloc.py and its parts."""
from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import BUILD, Command, tool  # noqa: E402

WORKLOADS = BUILD / "bench" / "workloads"
TOOLS = BUILD / "bench" / "tools"
OWN = "heapwright"
DEBIAN = Path("/usr/lib/x86_64-linux-gnu")
PEERS = {"mimalloc": "libmimalloc.so.2", "jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4", "tbbmalloc": "libtbbmalloc_proxy.so.2"}
REPORT = struct.Struct("<ciiQQQQQQQ")  # apps/launch/launch_report.hpp: the byte of the beginning, then the report
LIMIT_S = 180


@dataclass(frozen=True)
class Allocator:
    name: str
    library: Path
    settings: tuple[tuple[str, str], ...] = ()  # of the environment, beside the preload


@dataclass
class Result:
    """What one run took. `proof` has to be the same under every allocator."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    proof: str
    failure: str = ""
    idle_mib: float | None = None


def libc() -> Path:
    """The C library itself, preloaded too: a program that is linked with another malloc (redis-server) then uses glibc's."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if re.search(r"/libc\.so\.6$|/libc-2\.\d+\.so$", line):
            return Path(line.split()[-1])
    sys.exit("heapwright: this python does not use glibc; run the bench with Debian's /usr/bin/python3")


def known_allocators() -> dict[str, Path]:
    """By name: glibc, ours, Debian's, then those of HEAPWRIGHT_PEERS=a.so:b.so by the names of their files."""
    known = {"glibc": libc(), OWN: BUILD / "lib" / "libheapwright.so"}
    known |= {name: DEBIAN / file for name, file in PEERS.items()}
    for word in filter(None, os.environ.get("HEAPWRIGHT_PEERS", "").split(":")):
        known[name_of(Path(word), known)] = Path(word).resolve()
        if not Path(word).exists():
            sys.exit(f"heapwright: no library '{word}', which HEAPWRIGHT_PEERS names; give the paths of .so files")
    return known


def name_of(library: Path, taken) -> str:
    """libfoo.so.2 is foo; where that name is taken, its folder or a number tells it from the other."""
    name = library.name.split(".so")[0].removeprefix("lib")
    folder = library.resolve().parent.name
    candidates = [name, f"{name}-{folder}", *(f"{name}-{folder}-{number}" for number in range(2, 100))]
    return next(candidate for candidate in candidates if candidate not in taken)


def chosen_allocators(words: str) -> list[Allocator]:
    """Those that are named by name or path, or all that this machine has. A missing one that was asked for ends the bench."""
    known = known_allocators()
    chosen: list[Allocator] = []
    for word in filter(None, words.split(",")):
        taken = {one.name for one in chosen}
        name, path = (word, known[word]) if word in known else (name_of(Path(word), taken), Path(word).resolve())
        if not path.exists():
            sys.exit(f"heapwright: no allocator '{word}': there is no file '{path}'; known are {', '.join(known)} and the path of any .so")
        chosen.append(Allocator(name, path))
    for name, path in ({} if chosen else known).items():
        if path.exists():
            chosen.append(Allocator(name, path))
        else:
            print(f"not measured: {name} (no {path})", file=sys.stderr)
    return chosen


def build_programs() -> None:
    done = subprocess.run(["cmake", "--build", str(BUILD), "--target", "heapwright_bench_malloc"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}{done.stderr}\nheapwright: the workloads do not build in '{BUILD}'; run './dev build' first")


def clean_environment() -> dict[str, str]:
    """Without what would give one of the allocators other settings. HEAPWRIGHT_CONF stays, so that settings can be tried."""
    unwanted = re.compile(r"LD_PRELOAD$|MALLOC_|GLIBC_TUNABLES$|MIMALLOC_|TCMALLOC_|TBB_")
    return {name: value for name, value in os.environ.items() if not unwanted.match(name)}


class Launched:
    """A program that heapwright-launch started with a preload: its peak RSS is its own, not that of this script."""

    def __init__(self, command: Command, allocator: Allocator) -> None:
        self.output = tempfile.TemporaryFile()
        self.errors = tempfile.TemporaryFile()
        path = shutil.which(command.words[0]) or command.words[0]
        assignments = [f"{name}={value}" for name, value in {**command.environment, **dict(allocator.settings), "LD_PRELOAD": str(allocator.library)}.items()]
        self.reader, writer = os.pipe()
        with open(command.stdin or os.devnull, "rb") as source:
            self.child = subprocess.Popen([tool("heapwright-launch"), str(writer), *assignments, "--", path, *command.words], pass_fds=[writer],
                                          stdin=source, stdout=self.output, stderr=self.errors, env=clean_environment(), start_new_session=True)
        os.close(writer)

    def kill(self) -> None:
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def finish(self) -> tuple[Result, str]:
        """What the run took, and what the program printed."""
        failure = ""
        try:
            self.child.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            failure = f"did not end within {LIMIT_S} s"
        except BaseException:  # whoever interrupts the bench leaves nothing running
            self.kill()
            raise
        report = os.read(self.reader, REPORT.size)
        os.close(self.reader)
        self.output.seek(0)
        text = self.output.read()
        self.errors.seek(0)
        complaint = self.errors.read().decode(errors="replace").strip().splitlines()
        self.output.close()
        self.errors.close()
        if len(report) != REPORT.size:
            return Result(0, 0, 0, "", failure or "was not measured"), ""
        _, start_errno, status, wall, user, system, peak, _, _, _ = REPORT.unpack(report)
        if start_errno:
            failure = os.strerror(start_errno)
        elif os.WIFSIGNALED(status):
            failure = f"crashed with signal {os.WTERMSIG(status)}"
        elif status != 0:
            failure = f"exit status {os.waitstatus_to_exitcode(status)}: {complaint[-1] if complaint else ''}"
        if not failure and any("cannot be preloaded" in line for line in complaint):
            failure = f"cannot be preloaded: {complaint[0]}"
        return Result(wall / 1e9, (user + system) / 1e9, peak / 2**20, hashlib.sha256(text).hexdigest()[:16], failure), text.decode(errors="replace")


def run_command(command: Command, allocator: Allocator, product: Path | None = None) -> Result:
    """Runs to the end. The proof is what the program printed, or the file that it produced."""
    if product is not None:
        product.unlink(missing_ok=True)
    result, _ = Launched(command, allocator).finish()
    if product is not None and not result.failure:
        result.proof = hashlib.sha256(product.read_bytes()).hexdigest()[:16]
    return result


def exact_peak_kib(words: list[str], allocator: Allocator) -> int:
    """Peak RSS of the first process, read while it ends: what wait4 tells later is wrong by up to 128 KiB a core."""
    trace_me, get_going, set_options, exec_and_exit, exit_event = 0, 7, 0x4200, 0x100040, 6
    libc_calls = ctypes.CDLL(None)
    libc_calls.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_RDWR)
        os.dup2(silence, 1)
        libc_calls.ptrace(trace_me, 0, None, None)
        os.execvpe(words[0], words, {**clean_environment(), "LD_PRELOAD": str(allocator.library)})
    os.waitpid(child, 0)
    libc_calls.ptrace(set_options, child, None, exec_and_exit)
    peak = passed_on = 0
    while True:
        libc_calls.ptrace(get_going, child, None, passed_on)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return peak
        passed_on = os.WSTOPSIG(status)
        if passed_on == signal.SIGTRAP:
            passed_on = 0
        if status >> 8 == signal.SIGTRAP | exit_event << 8:
            peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{child}/status").read_text(encoding="utf-8"))[1])


def run_workload(name: str, scale: float, allocator: Allocator) -> Result:
    """One of our own; what it slept is no time."""
    result, text = Launched(Command([str(WORKLOADS / name), str(scale)]), allocator).finish()
    said = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    result.proof = said.get("checksum", "")
    if not result.failure and not result.proof:
        result.failure = "printed no checksum"
    result.wall_s -= float(said.get("slept_s", 0))
    result.peak_mib = max(result.peak_mib, int(said.get("peak_kib", 0)) / 1024)
    if "idle_kib" in said:
        result.idle_mib = int(said["idle_kib"]) / 1024
    return result
