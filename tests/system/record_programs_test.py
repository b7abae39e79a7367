"""Real programs of the system behave under the recorder as without it, and their traces are whole."""
import os
import shutil
import socket
import subprocess
import time
import unittest

from record_support import RecordTest, Summary

SQL = "create table t(a integer primary key, b text);\n" + "begin;\n" + "".join(
    f"insert into t values({number}, 'text {number * 7919 % 10007}');\n" for number in range(5000)) + (
    "commit;\ncreate index i on t(b);\nselect count(*), sum(length(b)) from t;\nselect b from t order by b limit 3;\n")
PYTHON = """
import json, re, threading
data = {str(number): [number, str(number) * 3, {"a": number}] for number in range(4000)}
text = json.dumps(data)
assert json.loads(text) == data
words = sorted(set(re.findall(r"[0-9]+", text)))
results = []
threads = [threading.Thread(target=lambda: results.append(len([str(n) for n in range(3000)]))) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(words), len(text), results)
"""
CXX = """
#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <vector>
template <int N> int f(std::map<int, std::vector<std::string>>& m) { m[N].push_back("x"); return N + f<N - 1>(m); }
template <> int f<0>(std::map<int, std::vector<std::string>>&) { return 0; }
int main() { std::map<int, std::vector<std::string>> m; std::regex r("a(b*)c"); return f<30>(m) + std::regex_match("abc", r) - 466; }
"""


def needs(name: str):
    return unittest.skipUnless(shutil.which(name, path="/usr/bin:/bin"), f"{name} is not installed")


class Programs(RecordTest):
    def check_clean(self, summary: Summary, least_events: int) -> None:
        self.assertGreaterEqual(summary["events"], least_events)
        self.assertEqual(summary["unknown_releases"], 0, summary)
        self.assertEqual(summary["wrong_claims"], 0)

    def test_true(self):
        self.check_same_behaviour(["/bin/true"])

    def test_false_and_ls(self):
        self.check_same_behaviour(["/bin/false"])
        self.tearDown()
        self.setUp()
        self.check_clean(self.check_same_behaviour(["/bin/ls", "-l", "/usr/include"]), 100)

    @needs("sqlite3")
    def test_sqlite(self):
        summary = self.check_same_behaviour(["/usr/bin/sqlite3", ":memory:"], SQL.encode())
        self.check_clean(summary, 50000)
        self.assertLess(float(summary["bytes_per_event"]), 2.5)
        self.assertEqual(summary["with_stack"], summary["requests"])

    def test_python(self):
        for allocator in ("malloc", "pymalloc"):
            with self.subTest(allocator=allocator):
                self.tearDown()
                self.setUp()
                summary = self.check_same_behaviour(["/usr/bin/python3", "-c", PYTHON], more={"PYTHONMALLOC": allocator})
                self.check_clean(summary, 1000)

    @needs("perl")
    def test_perl(self):
        script = 'my %h; $h{$_ % 1000} .= "x$_" for 1..50000; my @k = sort keys %h; print scalar(@k), " ", length($h{7}), "\\n";'
        self.check_clean(self.check_same_behaviour(["/usr/bin/perl", "-e", script]), 1000)

    @needs("lua5.4")
    def test_lua(self):
        script = 'local t={} for i=1,50000 do t[i]={i,tostring(i)} end collectgarbage() print(#t, t[777][2])'
        self.check_clean(self.check_same_behaviour(["/usr/bin/lua5.4", "-e", script]), 50000)

    @needs("g++")
    def test_compiler_with_its_children(self):
        (self.folder / "t.cpp").write_text(CXX)
        plain = self.run_plain(["/usr/bin/g++", "-O1", "t.cpp", "-o", "plain"])
        self.assertEqual(plain.returncode, 0, plain.stderr)
        recorded = self.run_recorded(["/usr/bin/g++", "-O1", "t.cpp", "-o", "recorded"])
        self.assertEqual((recorded.returncode, recorded.stderr), (0, b""))
        self.assertEqual((self.folder / "plain").read_bytes(), (self.folder / "recorded").read_bytes())
        found = self.traces()
        for summary in found:
            self.check_sound(summary)
        names = {os.path.basename(summary["info.program"]) for summary in found}
        self.assertTrue({"cc1plus", "collect2"} <= names, names)
        compiler = next(summary for summary in found if summary["info.program"].endswith("cc1plus"))
        self.check_clean(compiler, 100000)
        self.assertLess(float(compiler["bytes_per_event"]), 2.5)

    @needs("make")
    def test_make_with_jobs(self):
        rules = "all: " + " ".join(f"o{number}" for number in range(24)) + "\n"
        rules += "".join(f"o{number}:\n\t@/bin/echo {number} | /usr/bin/sort > $@\n" for number in range(24))
        (self.folder / "Makefile").write_text(rules)
        recorded = self.run_recorded(["/usr/bin/make", "-j4"])
        self.assertEqual((recorded.returncode, recorded.stderr), (0, b""))
        for number in range(24):
            self.assertEqual((self.folder / f"o{number}").read_text(), f"{number}\n")
        found = self.traces()
        for summary in found:
            self.check_sound(summary)
        names = [os.path.basename(summary["info.program"]) for summary in found]
        self.assertEqual(names.count("sort"), 24)
        self.assertEqual(names.count("make"), 1)

    @needs("redis-server")
    def test_redis(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(["/usr/bin/redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(self.folder)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment(first=0), cwd=self.folder)
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                ping = subprocess.run(["/usr/bin/redis-cli", "-p", str(port), "ping"], capture_output=True, check=False)
                if ping.stdout == b"PONG\n":
                    break
            load = subprocess.run(["/usr/bin/redis-benchmark", "-p", str(port), "-q", "-n", "3000", "-t", "set,get,lpush,hset", "-r", "1000"],
                                  capture_output=True, check=False, timeout=200)
            self.assertEqual(load.returncode, 0, load.stderr)
            subprocess.run(["/usr/bin/redis-cli", "-p", str(port), "shutdown", "nosave"], check=False, capture_output=True)
            self.assertEqual(server.wait(60), 0)
            self.assertEqual(server.stderr.read(), b"")
        finally:
            server.kill()
            server.wait()
            server.stderr.close()
        summary = self.traces()[0]
        self.check_sound(summary)
        self.assertGreater(summary["events"], 5000)
        self.assertIn("jemalloc", summary["info.allocator"])


if __name__ == "__main__":
    unittest.main()
