"""A headless Chromium, driven through chromedriver by plain HTTP: no package beyond Python's own is needed."""
import base64
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name WebDriver gives to references
KEYS = {"left": "\ue012", "up": "\ue013", "right": "\ue014", "down": "\ue015", "enter": "\ue007", "escape": "\ue00c", "tab": "\ue004", "home": "\ue011", "end": "\ue010"}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1"]


class BrowserError(Exception):
    """What the driver answered in place of a result."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise BrowserError(f"none of {', '.join(names)} is installed; apt-get install chromium chromium-driver")


class Browser:
    """One window. Close it, or use it in a with statement."""

    def __init__(self, width=1440, height=900):
        self.folder = tempfile.TemporaryDirectory(prefix="heapwright-browser-", ignore_cleanup_errors=True)
        port = free_port()
        self.root = f"http://127.0.0.1:{port}"
        # A log file and not a pipe that nobody reads: chromedriver would stop when it is full.
        self.log = open(pathlib.Path(self.folder.name) / "driver.log", "w", encoding="utf-8")
        self.driver = subprocess.Popen([program("chromedriver"), f"--port={port}"], stdout=self.log, stderr=self.log)
        try:
            self._wait_for_driver()
            options = {
                "binary": program("chromium", "chromium-browser", "google-chrome"),
                "args": FLAGS + [f"--window-size={width},{height}", f"--user-data-dir={self.folder.name}/profile"],
            }
            capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            self.session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.close()
            raise

    def _wait_for_driver(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if self._call("GET", "/status")["ready"]:
                    return
            except OSError:
                time.sleep(0.05)
        raise BrowserError("chromedriver did not answer within 30 s")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise BrowserError(json.load(error)["value"]["message"]) from None

    def command(self, method, path, body=None):
        return self._call(method, self.session + path, body)

    def devtools(self, name, **parameters):
        return self.command("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def open(self, path):
        self.command("POST", "/url", {"url": pathlib.Path(path).resolve().as_uri()})

    def run(self, script, *arguments):
        """Runs JavaScript in the page; `return` gives the result."""
        return self.command("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition, seconds=20):
        """Waits until the JavaScript expression is true, and returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.run(f"return ({condition})")
            if value or time.monotonic() > deadline:
                if not value:
                    raise BrowserError(f"never became true: {condition}")
                return value
            time.sleep(0.02)

    def settle(self):
        """Waits until the page has drawn what it was asked for."""
        self.command("POST", "/execute/async", {"script": "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))", "args": []})

    def find(self, selector):
        return self.command("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        """A real click: scrolled into view, at the middle, failing when something covers it."""
        self._click(self.find(selector))

    def _click(self, reference):
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", {ELEMENT: reference})
        self.command("POST", f"/element/{reference}/click", {})
        self.settle()

    def click_text(self, selector, text):
        """Clicks the first element of the selector that has this text."""
        reference = self.run("return [...document.querySelectorAll(arguments[0])].find(e => e.textContent.trim() === arguments[1])", selector, text)
        if reference is None:
            raise BrowserError(f"no {selector} says '{text}'")
        self._click(reference[ELEMENT])

    def type(self, selector, text):
        self.run("const e = document.querySelector(arguments[0]); e.value = ''; e.dispatchEvent(new Event('input'))", selector)
        if text:
            self.command("POST", f"/element/{self.find(selector)}/value", {"text": text})
        self.settle()

    def key(self, *names):
        """Presses keys, by name or as themselves, one after the other."""
        presses = [{"type": kind, "value": KEYS.get(name, name)} for name in names for kind in ("keyDown", "keyUp")]
        self.command("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": presses}]})
        self.settle()

    def pointer(self, selector, *steps):
        """Moves the pointer over an element. Steps: (x, y) from its left top, "down", "up"."""
        box = self.run("const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center', behavior: 'instant'}); const b = e.getBoundingClientRect(); return [b.left, b.top]", selector)
        actions = []
        for step in steps:
            if step in ("down", "up"):
                actions.append({"type": "pointerDown" if step == "down" else "pointerUp", "button": 0})
            else:
                actions.append({"type": "pointerMove", "duration": 0, "x": round(box[0] + step[0]), "y": round(box[1] + step[1])})
        self.command("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}]})
        self.settle()

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.textContent", selector)

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)

    def resize(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.settle()

    def prefer(self, **features):
        """Sets media features, such as prefers_color_scheme="dark"."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])
        self.settle()

    def screenshot(self, path, whole=False):
        self.settle()
        answer = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **({"clip": self._whole()} if whole else {}))
        pathlib.Path(path).write_bytes(base64.b64decode(answer["data"]))

    def _whole(self):
        width, height = self.run("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        return {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}

    def console(self):
        """Console messages and uncaught errors since the last call."""
        return [entry["message"] for entry in self.command("POST", "/se/log", {"type": "browser"})]

    def requests(self):
        """The addresses that the page asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.command("POST", "/se/log", {"type": "performance"})]
        return [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]

    def close(self):
        if hasattr(self, "session"):
            try:
                self.command("DELETE", "")
            except (OSError, BrowserError):
                pass  # the browser is gone already
        self.driver.terminate()
        try:
            self.driver.wait(10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        self.log.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
