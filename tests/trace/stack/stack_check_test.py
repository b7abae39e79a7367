"""Every stack that programs allocate from, taken by StackCapture and by libgcc's unwinder: none may differ.

HEAPWRIGHT_STACK_REPORT=FILE appends the counts as a table, which is how docs/design/stack_capture.md got its own.
"""
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BUILD = Path(os.environ["HEAPWRIGHT_BUILD"]) / "tests"
NAMES = ("events wrong shorter longer walked_frames walks broken_splices whole_walks compared_frames nodes pcs "
         "broken_invariants stack_switches").split()
CC1PLUS = subprocess.run(["g++", "-print-prog-name=cc1plus"], capture_output=True, text=True, check=False).stdout.strip()
SQL = ("create table t(a, b, c text); with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) "
       "insert into t select x, x * 7 % 1000, hex(x) from n; create index i on t(b); "
       "select b, count(*), group_concat(a) from t group by b order by 2 limit 5; "
       "select t.a, u.b from t join t u on t.a = u.b where t.c like '%3%' limit 10;")
PYTHON = """
import json, re, threading, zlib
def deep(n): return [] if n == 0 else [deep(n - 1), str(n)]
for i in range(30): deep(90)
text = json.dumps({str(i): [i] * 3 for i in range(5000)})
assert len(json.loads(text)) == 5000
re.sub("[0-9]+", lambda match: match.group()[::-1], text)
threads = [threading.Thread(target=lambda: [zlib.compress(text[:i * 10].encode()) for i in range(50)]) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
PERL = """my %x; for my $i (1..5000) { $x{"k$i"} = [1..($i % 7)]; } sub r { my ($n) = @_; return $n <= 0 ? [] : [r($n - 1), $n]; }
no warnings; for (1..10) { r(150); } my $t = join(",", map { s/k(\\d)/z$1/r } sort keys %x); eval { die { a => 1 } }; print length $t;"""
LUA = """local t = {} for i = 1, 20000 do t[#t + 1] = ("k"):rep(i % 50) .. i end
print(#table.concat(t), pcall(function() error({}) end), select(2, ("abc"):gsub(".", function(c) return c .. c end)))
local c = coroutine.wrap(function() for i = 1, 100 do coroutine.yield(("x"):rep(i * 10)) end end) for i = 1, 50 do c() end"""
CXX = """
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <vector>
template <int N> int f(std::map<int, std::vector<std::string>>& m) { m[N].push_back("x"); return N + f<N - 1>(m); }
template <> int f<0>(std::map<int, std::vector<std::string>>&) { return 0; }
int main() { std::map<int, std::vector<std::string>> m; std::regex r("a(b*)c"); return f<30>(m) + std::regex_match("abc", r); }
"""


class StackCheck(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="heapwright-stack-"))

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **more):
        return {**os.environ, "LD_PRELOAD": str(BUILD / "libheapwright-stack-check.so"),
                "HEAPWRIGHT_STACK_CHECK": str(self.folder), **more}

    def counts(self):
        total = dict.fromkeys(NAMES, 0)
        for path in self.folder.glob("*.count"):
            data = path.read_bytes()
            if len(data) >= 8 * len(NAMES):
                for name, value in zip(NAMES, struct.unpack_from(f"{len(NAMES)}Q", data)):
                    total[name] += value
        return total

    def check(self, name, least_events):
        counts = self.counts()
        if report := os.environ.get("HEAPWRIGHT_STACK_REPORT"):
            with open(report, "a", encoding="utf-8") as file:
                print(f"| {name} | " + " | ".join(str(counts[key]) for key in NAMES[:-2]) + " |", file=file)
        log = "\n".join(path.read_text(errors="replace")[:3000] for path in self.folder.glob("*.log"))
        self.assertGreaterEqual(counts["events"], least_events)
        self.assertEqual(counts["wrong"], 0, log)
        self.assertEqual(counts["shorter"], 0, log)
        self.assertEqual(counts["broken_invariants"], 0)

    def run_checked(self, name, command, least_events, text="", **more):
        done = subprocess.run(command, input=text, env=self.environment(**more), cwd=self.folder, text=True, capture_output=True,
                              check=False, timeout=500)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.check(name, least_events)

    def test_torture(self):
        for program in sorted(BUILD.glob("stack_torture_*")):
            for seed in ("1", os.environ.get("HEAPWRIGHT_SEED", str(time.time_ns() % 100000))):
                with self.subTest(program=program.name, seed=seed):
                    self.run_checked(f"{program.name} {seed}", [str(program), seed], 5000)
                    self.tearDown()
                    self.setUp()

    def test_true(self):
        self.run_checked("true", ["/bin/true"], 0)

    def test_ls(self):
        self.run_checked("ls", ["/bin/ls", "-l", "/usr/include"], 200)

    @unittest.skipUnless(shutil.which("sqlite3"), "sqlite3 is not installed")
    def test_sqlite(self):
        self.run_checked("sqlite3", ["sqlite3", ":memory:"], 20000, SQL)

    def test_python(self):
        self.run_checked("python3", ["/usr/bin/python3", "-c", PYTHON], 50000, PYTHONMALLOC="malloc")

    @unittest.skipUnless(shutil.which("perl"), "perl is not installed")
    def test_perl(self):
        self.run_checked("perl", ["perl", "-e", PERL], 10000)

    @unittest.skipUnless(shutil.which("lua5.4"), "lua5.4 is not installed")
    def test_lua(self):
        self.run_checked("lua", ["lua5.4", "-e", LUA], 20000)

    @unittest.skipUnless(CC1PLUS and os.path.isabs(CC1PLUS), "cc1plus is not installed")
    def test_compiler(self):
        source = self.folder / "source.cpp"
        source.write_text(CXX)
        self.run_checked("cc1plus", [CC1PLUS, "-quiet", "-O1", "-D_GNU_SOURCE", "-imultiarch", "x86_64-linux-gnu", str(source),
                                     "-o", "/dev/null"], 200000)

    @unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
    def test_redis(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(["redis-server", "--port", str(port), "--save", "", "--daemonize", "no"], cwd=self.folder,
                                  env=self.environment(), stdout=subprocess.DEVNULL)
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                for number in range(2000):
                    client.sendall(f"SET key:{number} {'v' * (number % 300)}\r\nLPUSH list {number}\r\nHSET hash f{number} {number}\r\n"
                                   f"ZADD sorted {number} m{number}\r\n".encode())
                client.sendall(b"EVAL \"local t = {} for i = 1, 500 do t[i] = tostring(i) end return table.concat(t)\" 0\r\nSHUTDOWN NOSAVE\r\n")
                while client.recv(65536):
                    pass
        finally:
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        self.check("redis-server", 1000)


if __name__ == "__main__":
    unittest.main()
