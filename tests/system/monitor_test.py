"""The monitor inside real programs: Prometheus and curl look at it, servers fork and exec around it, its places fail."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest
import urllib.request
from pathlib import Path

from run_support import HEAPWRIGHT, LIB, PYTHON, RunTest, environment, free_port, wait_for

SLEEPER = "import sys\nprint('up', flush=True)\nsys.stdin.read()"
HOARDER = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
blocks = [libc.malloc(2000) for _ in range(60000)]
for at, block in enumerate(blocks):
    if at % {kept}:
        libc.free(ctypes.c_void_p(block))
print('up', flush=True)
sys.stdin.read()
"""


def get(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode()


def figure(page: str, name: str) -> float:
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(name + " "))


class Monitor(RunTest):
    def run_with(self, text: str, *words: str, **options) -> subprocess.Popen:
        program = self.begin(HEAPWRIGHT, "run", "-c", self.config(text), "--", *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, **options)
        self.assertEqual(program.stdout.readline(), b"up\n")
        return program

    def finish(self, program: subprocess.Popen) -> list:
        """Ends it; the lines of its stderr."""
        _, errors = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 0, errors)
        return errors.decode().splitlines()

    def test_a_real_prometheus_scrapes_the_page(self) -> None:
        port, web = free_port(), free_port()
        self.run_with(f"[monitor]\nhttp_port = {port}\n", PYTHON, "-c", SLEEPER)
        wait_for("the page", lambda: "# EOF" in get(port))
        (self.folder / "prometheus.yml").write_text(
            f"scrape_configs:\n- job_name: program\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n")
        program = shutil.which("prometheus")
        self.assertIsNotNone(program, "install Debian's package prometheus")
        self.begin(program, f"--config.file={self.folder / 'prometheus.yml'}", f"--storage.tsdb.path={self.folder / 'data'}",
                   f"--web.listen-address=127.0.0.1:{web}", cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def query(expression: str) -> list:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{web}/api/v1/query?query={expression}", timeout=10) as answer:
                    return json.load(answer)["data"]["result"]
            except (OSError, http.client.HTTPException):
                return []
        up = wait_for("a scrape", lambda: [result for result in query("up") if result["value"][1] == "1"])
        self.assertEqual(up[0]["metric"]["instance"], f"127.0.0.1:{port}")
        for name in ("heapwright_allocated_bytes", "heapwright_process_resident_bytes", "heapwright_fragmentation_ratio", "heapwright_given_back_bytes_total",
                     "heapwright_measurements_total", "heapwright_info"):
            with self.subTest(metric=name):
                self.assertTrue(wait_for(name, lambda name=name: query(name)))
        self.assertEqual(query("heapwright_info")[0]["metric"]["version"], get(port).split('version="')[1].split('"')[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/api/v1/targets", timeout=10) as answer:
            target = json.load(answer)["data"]["activeTargets"][0]
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/api/v1/metadata?metric=heapwright_allocated_bytes", timeout=10) as answer:
            told = json.load(answer)["data"]["heapwright_allocated_bytes"][0]
        self.assertEqual((told["type"], told["unit"]), ("gauge", "bytes"))

    def test_files_and_the_socket_say_the_same(self) -> None:
        program = self.run_with(f'[fragmentation]\nanalysis_interval = "20ms"\n[monitor]\nmetrics_file = "{self.folder}/m.prom"\n'
                                f'json_file = "{self.folder}/%p.json"\nsocket = "{self.folder}/s"\n', PYTHON, "-c", SLEEPER)
        path = self.folder / f"{program.pid}.json"
        wait_for("a second measurement", lambda: path.exists() and json.loads(path.read_text())["monitor"]["measurements"] > 1)
        self.assertTrue((self.folder / "m.prom").read_text().endswith("# EOF\n"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.folder / "s"))
            client.sendall(b"GET /metrics.json HTTP/1.1\r\n\r\n")
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        figures = json.loads(answer.split(b"\r\n\r\n")[1])
        self.assertGreater(figures["process"]["resident_bytes"], 1 << 20)
        self.assertGreaterEqual(figures["process"]["peak_resident_bytes"], figures["process"]["resident_bytes"])
        # node_exporter's collector of text files knows the words of the older format only, and refuses a file for any other.
        types = re.findall(r"^# TYPE \S+ (\S+)$", (self.folder / "m.prom").read_text(), re.M)
        self.assertEqual(set(types), {"gauge", "counter"})
        self.assertGreater(figures["heap"]["allocated_bytes"], 10000)
        self.assertEqual(self.finish(program), [])
        self.assertFalse((self.folder / "s").exists())
        self.assertEqual(sorted(path.name for path in self.folder.glob("*.new")), [])

    def test_memory_is_given_back_when_the_threshold_is_crossed(self) -> None:
        port = free_port()
        config = f'[heap]\ngive_back = false\n[fragmentation]\nanalysis_interval = "20ms"\ndefragmentation_threshold = "60%%"\n' \
                 f'monitor_enabled = true\nenable_auto_defragmentation = %s\n[monitor]\nhttp_port = {port}\n'
        residents = {}
        for wanted in ("false", "true"):
            program = self.run_with(config % wanted, PYTHON, "-c", HOARDER.format(kept=20000))
            wait_for("the threshold", lambda: figure(get(port), "heapwright_fragmentation_exceeded_total") > 0)
            if wanted == "true":
                wait_for("giving back", lambda: figure(get(port), "heapwright_defragmented_bytes_total") > 50 << 20)
                most = residents["false"] - (50 << 20)
                wait_for("the memory to be gone", lambda most=most: figure(get(port), "heapwright_process_resident_bytes") < most)
            page = get(port)
            residents[wanted] = figure(page, "heapwright_process_resident_bytes")
            self.assertEqual(figure(page, "heapwright_defragmentations_total") > 0, wanted == "true")
            self.finish(program)

    def test_a_port_that_is_taken_is_one_line_and_is_had_once_it_is_free(self) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            program = self.run_with(f'[fragmentation]\nanalysis_interval = "20ms"\n[monitor]\nhttp_port = {port}\n', PYTHON, "-c", SLEEPER)
            line = program.stderr.readline().decode()
            self.assertEqual(line, f"heapwright: the monitor cannot listen to 127.0.0.1:{port}: it is taken; name another place in [monitor]; it goes on, and tries again\n")
        self.assertIn("# EOF", wait_for("the port", lambda: self.page_or_nothing(port)))
        self.assertEqual(self.finish(program), [])

    @staticmethod
    def page_or_nothing(port: int) -> str:
        try:
            return get(port)
        except OSError:
            return ""

    def test_a_full_disk_is_one_line(self) -> None:
        program = self.run_with('[fragmentation]\nanalysis_interval = "20ms"\n[monitor]\nmetrics_file = "/dev/full/x"\njson_file = "/proc/none"\n', PYTHON, "-c", SLEEPER)
        lines = [program.stderr.readline().decode(), program.stderr.readline().decode()]
        self.assertIn("the monitor cannot write /dev/full/x: ", lines[0])
        self.assertIn("the monitor cannot write /proc/none: ", lines[1])
        self.assertEqual(self.finish(program), [])
        if os.geteuid() != 0:
            return
        disk = self.folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(disk)], check=False, capture_output=True).returncode != 0:
            return  # this container may not mount
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=False)
        program = self.run_with(f'[fragmentation]\nanalysis_interval = "20ms"\n[monitor]\nmetrics_file = "{disk}/m"\n', PYTHON, "-c", SLEEPER)
        self.assertEqual(program.stderr.readline().decode(),
                         f"heapwright: the monitor cannot write {disk}/m: the disk is full; free some space; it goes on, and tries again\n")
        self.assertEqual(self.finish(program), [])
        self.assertEqual(list(disk.iterdir()), [])

    def test_a_server_that_forks_closes_and_execs_keeps_its_monitor_to_itself(self) -> None:
        port = free_port()
        text = f'[monitor]\nhttp_port = {port}\njson_file = "{self.folder}/%p.json"\nprogram = "{os.path.basename(os.path.realpath(PYTHON))}"\n'
        forking = """
import os, subprocess, sys
os.closerange(3, 100)            # as daemons do
children = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        x = [bytearray(1000) for _ in range(1000)]
        os._exit(0)
    children.append(os.waitpid(child, 0)[1])
assert not any(children), children
subprocess.run(['/bin/sh', '-c', 'ls / >/dev/null; echo x | cat >/dev/null'], check=True)
print('up', flush=True)
sys.stdin.read()
"""
        program = self.run_with(text, PYTHON, "-c", forking)
        self.assertIn("# EOF", wait_for("the page", lambda: self.page_or_nothing(port)))
        self.assertEqual(self.finish(program), [])
        self.assertEqual([path.name for path in self.folder.glob("*.json")], [f"{program.pid}.json"])

    def test_children_have_a_monitor_when_it_is_asked_for(self) -> None:
        text = f'[monitor]\njson_file = "{self.folder}/%p.json"\nhttp_port = {free_port()}\nin_children = true\n'
        forking = "import os, sys\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\nprint('up', flush=True)\nsys.stdin.read()"
        program = self.run_with(text, PYTHON, "-c", forking)
        self.assertEqual(self.finish(program), [])
        self.assertEqual(len(list(self.folder.glob("*.json"))), 2)

    def test_whoever_does_not_read_what_he_asked_for_does_not_stop_it(self) -> None:
        port = free_port()
        program = self.run_with(f"[monitor]\nhttp_port = {port}\n", PYTHON, "-c", SLEEPER)
        wait_for("the page", lambda: self.page_or_nothing(port))
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        self.assertIn("# EOF", get(port))
        for connection in silent:
            connection.close()
        self.assertEqual(self.finish(program), [])

    def test_a_signal_and_stdin_of_the_program_stay_its_own(self) -> None:
        program = self.begin(PYTHON, "-c", "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(4))\nprint('up', flush=True)\nwhile True: signal.pause()",
                             stdout=subprocess.PIPE, more={"LD_PRELOAD": str(LIB / "libheapwright.so"), "HEAPWRIGHT_CONFIG": self.config("[fragmentation]\nmonitor_enabled = true\n")})
        self.assertEqual(program.stdout.readline(), b"up\n")
        tasks = [Path(task, "comm").read_text().strip() for task in Path(f"/proc/{program.pid}/task").iterdir()]
        self.assertEqual(len(tasks), 2)
        self.assertIn("heapwright-mon", tasks)
        program.send_signal(signal.SIGTERM)
        self.assertEqual(program.wait(timeout=60), 4)
        self.assertEqual(subprocess.run(["/bin/true"], env=environment(), check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
