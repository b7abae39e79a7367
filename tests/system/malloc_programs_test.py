"""Real programs say the same, with the same exit status, on heapwright's malloc as on glibc's."""
import shutil
import socket
import subprocess
import time
import unittest
from pathlib import Path

from malloc_support import HEAP, MALLOCS, PROVED, MallocTest, environment, run

# A second malloc is a second turn of all this; the compilers' longest work is done once.
OPTIMISATION = "-O2" if "glibc" in PROVED else "-O1"
CPP_SOURCE = """
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>
template <int N> struct Deep { static int sum(int x) { return Deep<N - 1>::sum(x + N); } };
template <> struct Deep<0> { static int sum(int x) { return x; } };
int main() {
    std::map<std::string, std::vector<std::shared_ptr<std::string>>> words;
    for (int i = 0; i < 20000; ++i) words[std::to_string(i % 997)].push_back(std::make_shared<std::string>(i % 300, 'a'));
    std::size_t sum = 0;
    for (const auto& [key, list] : words) for (const auto& text : list) sum += text->size() * key.size();
    std::cout << sum << ' ' << Deep<200>::sum(1) << ' ' << std::regex_match("heap-42", std::regex("[a-z]+-\\\\d+")) << '\\n';
}
"""
SQL = """
create table t(id integer primary key, name text, weight real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
insert into t select i, 'name ' || (i * 7919 % 10007), i * 0.5 from n;
create index by_name on t(name);
select count(*), sum(weight), min(name), max(name) from t;
select name, count(*) c from t group by name order by c desc, name limit 5;
delete from t where id % 3 = 0;
select count(*), length(group_concat(name)) from t where weight < 20000;
vacuum;
pragma integrity_check;
"""
PYTHON = """
import collections, gc, json, hashlib, re, threading
data = {str(i): [i, str(i) * (i % 50), {'x': (i, i * 2)}] for i in range(30000)}
text = json.dumps(data, sort_keys=True)
print(hashlib.sha256(text.encode()).hexdigest(), len(json.loads(text)))
print(collections.Counter(re.findall(r'\\d', text)).most_common(3))
def grow(out, k):
    rows = [bytes([k]) * (i % 3000) for i in range(20000)]
    out[k] = sum(map(len, rows))
out = {}
threads = [threading.Thread(target=grow, args=(out, k)) for k in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(out.items()))
import sys
try:
    bytearray(1 << 50)
except MemoryError:
    print('no memory, as there should be')
sys.exit(3)
"""
PERL = """
my %h; for my $i (1..80000) { $h{"k" . ($i * 7919 % 30011)} .= "x" x ($i % 17); }
my $sum = 0; for my $k (sort keys %h) { $sum = ($sum * 31 + length($h{$k}) + length($k)) % 1000003; }
my $text = join(",", map { $_ * 3 } 1..50000); my $n = () = $text =~ /3+/g;
print "$sum $n ", length($text), "\\n"; exit 4;
"""
LUA = """
local t = {} for i = 1, 200000 do t[#t + 1] = tostring(i) .. string.rep("y", i % 40) end
local s = table.concat(t, ";") local n = 0 for w in s:gmatch("%d+") do n = (n * 7 + #w) % 1000003 end
local parts = {} for i = 1, 300 do parts[i] = setmetatable({}, {__gc = function() end}) end collectgarbage()
print(#s, n, collectgarbage("count") > 0) os.exit(5, true)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Programs(MallocTest):
    def setUp(self) -> None:
        super().setUp()
        self.check_served()

    def folder_for(self, malloc: str) -> Path:
        """A fresh folder of the same path for both, because programs print and store paths."""
        folder = self.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def check_same(self, *words: str, prepare=None, status: int = 0) -> str:
        said = {}
        for malloc in MALLOCS:
            folder = self.folder_for(malloc)
            if prepare is not None:
                prepare(folder)
            done = run(malloc, *words, cwd=folder)
            said[malloc] = (done.returncode, done.stdout, done.stderr)
        self.assertEqual(said["glibc"][0], status, said["glibc"][2][:2000])
        self.check_equal(said["heapwright"], said["glibc"])
        return said["glibc"][1].decode()

    def test_sqlite3(self) -> None:
        self.assertIn("ok", self.check_same("/usr/bin/sqlite3", "base.db", SQL))

    def test_python3(self) -> None:
        self.check_same("/usr/bin/python3", "-X", "dev", "-c", PYTHON, status=3)
        # Every allocation of the interpreter by malloc, instead of pools of its own.
        said = {malloc: run(malloc, "/usr/bin/python3", "-c", PYTHON, more={"PYTHONMALLOC": "malloc"}).stdout for malloc in MALLOCS}
        self.check_equal(said["heapwright"], said["glibc"])

    def test_perl(self) -> None:
        self.check_same("/usr/bin/perl", "-e", PERL, status=4)

    def test_lua(self) -> None:
        self.check_same("/usr/bin/lua5.4", "-e", LUA, status=5)

    def test_compilers_make_the_same_code(self) -> None:
        for compiler in ("/usr/bin/g++", "/usr/bin/clang-19"):
            with self.subTest(compiler):
                made = {}
                for malloc in MALLOCS:
                    folder = self.folder_for(malloc)
                    (folder / "program.cpp").write_text(CPP_SOURCE)
                    done = run(malloc, compiler, "-std=c++20", OPTIMISATION, "-c", "program.cpp", "-o", "program.o", cwd=folder)
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""), malloc)
                    made[malloc] = (folder / "program.o").read_bytes()
                self.check_equal(made["heapwright"], made["glibc"], compiler)

    def test_a_compiler_complains_the_same(self) -> None:
        def prepare(folder: Path) -> None:
            (folder / "wrong.cpp").write_text("#include <vector>\nint main() { std::vector<int> v; v.push_back(\"no\"); return x; }\n")
        self.check_same("/usr/bin/g++", "-c", "wrong.cpp", prepare=prepare, status=1)

    def test_a_program_made_by_a_compiler(self) -> None:
        source = self.folder / "program.cpp"
        source.write_text(CPP_SOURCE)
        program = str(self.folder / "program")
        subprocess.run(["g++", "-std=c++20", "-O1", str(source), "-o", program], check=True)
        self.assertEqual(self.check_same(program).split()[1:], ["20101", "1"])

    def test_git(self) -> None:
        fixed = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                 for what, value in (("NAME", "n"), ("EMAIL", "e@e"), ("DATE", "2026-01-01T00:00:00Z"))}
        said = {}
        for malloc in MALLOCS:
            folder = self.folder_for(malloc)
            for number in range(300):
                (folder / f"file{number}").write_text(f"line {number}\n" * (number * 7 % 500))
            said[malloc] = []
            for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"], ["log", "--stat"], ["gc", "-q"],
                          ["fsck"], ["grep", "-c", "line 7"], ["diff", "--no-index", "file1", "file299"], ["show", "no-such-thing"]):
                done = run(malloc, "/usr/bin/git", *words, cwd=folder, more={**fixed, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"})
                said[malloc].append((words, done.returncode, done.stdout, done.stderr))
        self.check_equal(said["heapwright"], said["glibc"])

    def test_a_shell_with_pipes(self) -> None:
        script = "for i in $(seq 1 200); do echo $i $((i * i % 17)); done | sort -k2n -k1n | awk '{s += $1 * NR} END {print s, NR}'; exit 6"
        self.check_same("/bin/bash", "-c", script, status=6)

    def test_archives(self) -> None:
        def prepare(folder: Path) -> None:
            for number in range(50):
                (folder / f"file{number}").write_text("text to pack " * (number * 100))
        script = "tar --sort=name --mtime=@0 --owner=0 --group=0 -c file* | xz -T2 | xz -d | gzip -n9 | sha256sum"
        self.check_same("/bin/bash", "-c", script, prepare=prepare)


class Redis(MallocTest):
    def start(self, malloc: str, port: int) -> subprocess.Popen:
        # io-threads: blocks cross threads.
        folder = self.folder / malloc
        folder.mkdir()
        server = subprocess.Popen(["/usr/bin/redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--io-threads", "2",
                                   "--enable-debug-command", "yes", "--dir", str(folder), "--daemonize", "no"], env=environment(malloc), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(self.end, server)
        deadline = time.monotonic() + 30
        while self.ask(port, "ping").strip() != "PONG":
            self.assertIsNone(server.poll(), "the server ended")
            self.assertLess(time.monotonic(), deadline)
        return server

    def end(self, server: subprocess.Popen) -> None:
        if server.poll() is None:
            server.kill()
        server.communicate()

    def ask(self, port: int, *words: str, stdin: str | None = None, malloc: str = "glibc") -> str:
        done = subprocess.run(["/usr/bin/redis-cli", "-p", str(port), *words], env=environment(malloc), input=stdin or "",
                              capture_output=True, text=True, check=False, timeout=120)
        return done.stdout

    def session(self, malloc: str) -> list:
        port = free_port()
        server = self.start(malloc, port)
        if malloc == "heapwright":
            self.assertIn(Path(HEAP).name, Path(f"/proc/{server.pid}/maps").read_text())
        commands = [f"set key:{n} {'v' * (n * 37 % 2000)}" for n in range(4000)]
        commands += [f"lpush list:{n % 50} element{n}" for n in range(4000)] + [f"zadd board {n * 7919 % 1009} member{n}" for n in range(2000)]
        commands += [f"append key:{n} {'w' * (n % 300)}" for n in range(0, 4000, 3)] + [f"del key:{n}" for n in range(0, 4000, 2)]
        said = [self.ask(port, stdin="\n".join(commands) + "\n", malloc=malloc)]
        for words in (["dbsize"], ["strlen", "key:1001"], ["lrange", "list:7", "0", "-1"], ["zrange", "board", "0", "20", "withscores"],
                      ["debug", "digest"], ["nonsense"], ["memory", "purge"]):
            said.append(self.ask(port, *words, malloc=malloc))
        bench = subprocess.run(["/usr/bin/redis-benchmark", "-p", str(port), "-n", "4000", "-c", "20", "-d", "300", "-q", "-t", "set,get,lpush,sadd",
                                "--threads", "2"], env=environment(malloc), capture_output=True, text=True, check=False, timeout=200)
        self.assertEqual(bench.returncode, 0, bench.stderr)
        self.assertEqual(bench.stdout.count("requests per second"), 4)
        said.append(self.ask(port, "save", malloc=malloc))  # a snapshot; bgsave would be a fork
        said.append(self.ask(port, "bgsave", malloc=malloc))
        self.ask(port, "shutdown", "nosave", malloc=malloc)
        self.assertEqual(server.wait(30), 0)
        return said

    def test_a_session_with_redis(self) -> None:
        self.check_equal(self.session("heapwright"), self.session("glibc"))


if __name__ == "__main__":
    unittest.main()
