"""Plans for programs and libraries whose functions are known by name: what `heapwright advise` finds by a recording."""
import re
import subprocess
from functools import cache
from pathlib import Path

CALL = re.compile(r"\scall\s+[0-9a-f]+ <([^>+]+)>")


def build_id(path: str) -> str:
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", notes)[1]


@cache
def calls_of(path: str) -> dict:
    """{function: {function that it calls: [offset behind the call]}}"""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True).stdout
    calls, function, called = {}, "", None
    for line in text.splitlines():
        if begin := re.match(r"([0-9a-f]+) <(.+)>:$", line):
            function, called = begin[2], None
        elif instruction := re.match(r"\s+([0-9a-f]+):", line):
            if called is not None:
                calls.setdefault(function, {}).setdefault(called, []).append(int(instruction[1], 16))
            met = CALL.search(line)
            called = met[1].removesuffix("@plt") if met else None
    return calls


def returns(path: str, *functions: str) -> list:
    """Offsets of the return addresses, the innermost first, of `functions`: each is called by the next."""
    found = [calls_of(path)[caller][callee] for callee, caller in zip(functions, functions[1:])]
    assert all(len(offsets) == 1 for offsets in found), (functions, found)
    return [offsets[0] for offsets in found]


def site(path: str, place: str, *functions: str, name: str = "", **more) -> str:
    """An entry for `functions`, the innermost first: malloc or another of its family, who calls it, and so on."""
    fields = {"module": f'"{build_id(path)}"', "file": f'"{Path(path).name}"', "returns": str(returns(path, *functions)),
              "place": f'"{place}"', **({"name": f'"{name}"'} if name else {}), **more}
    return "[[site]]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())


def site_through(place: str, name: str, *frames: tuple) -> str:
    """An entry whose frames, the innermost first, are of several modules: (path, function that is called, its caller)."""
    found = [(path, *returns(path, called, caller)) for path, called, caller in frames]
    home = frames[0][0]
    own = [offset for path, offset in found if path == home]
    callers = [f"{build_id(path)}+{offset:#x} {Path(path).name}" for path, offset in found[len(own):]]
    return (f'[[site]]\nname = "{name}"\nmodule = "{build_id(home)}"\nfile = "{Path(home).name}"\nreturns = {own}\n'
            f'callers = {callers}\nplace = "{place}"\n').replace("'", '"')


def every_site(path: str, places: list) -> str:
    """An entry for each call of the malloc family in a program of which nothing else is known, in turns of the places."""
    offsets = sorted({offset for called in calls_of(path).values() for name, found in called.items()
                      if name in ("malloc", "calloc", "realloc", "_Znwm", "posix_memalign") for offset in found})
    assert offsets, path
    module, file = build_id(path), Path(path).name
    return "".join(f'[[site]]\nname = "{place}"\nmodule = "{module}"\nfile = "{file}"\nreturns = [{offset}]\nplace = "{place}"\n'
                   for offset, place in zip(offsets, places * len(offsets)))
