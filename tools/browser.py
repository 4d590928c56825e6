# SPDX-License-Identifier: BSD-2-Clause
"""Headless Chromium, driven through a pipe (its DevTools protocol: JSON between NULs on descriptors 3 and 4)."""
import base64
import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
DEADLINE = 150  # s, on a host that has other things to do, too
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-component-update", "--disable-sync",
           "--disable-background-networking", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe"]


class Browser:
    def __init__(self, process, to, out):
        self.process, self.to, self.out, self.pending, self.number, self.session = process, to, out, b"", 0, None
        self.events = []  # (method, parameters)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def receive(self, end):
        while b"\0" not in self.pending:
            if not select.select([self.out], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            data = os.read(self.out, 1 << 20)
            assert data, "the browser has ended"
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        end = time.monotonic() + DEADLINE
        while True:
            message = self.receive(end)
            if message.get("id") == self.number:
                assert "error" not in message, (method, message)
                return message["result"]
            if "method" in message:
                self.events.append((message["method"], message["params"]))

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            found = self.evaluate(expression)
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"never true: {expression}\n{self.evaluate('document.body.innerText')[:3000]}\n{self.complaints()}")

    def open(self, url, width=1280, height=900, dark=False):
        self.resize(width, height, dark)
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def resize(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def press(self, key, text=None):
        """A key: "Tab", "Enter", or a character."""
        text = {"Enter": "\r", "Tab": ""}.get(key, key) if text is None else text
        code = {"Enter": 13, "Tab": 9}.get(key, ord(key[0].upper()))
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def click(self, selector):
        x, y = self.evaluate(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); "
                             "return [r.left + r.width / 2, r.top + r.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path, whole=False):
        """kind by its name: .png, .webp"""
        kind = path.suffix[1:]
        shot = self.call("Page.captureScreenshot", format=kind, captureBeyondViewport=whole, **({"quality": 85} if kind == "webp" else {}))
        path.write_bytes(base64.b64decode(shot["data"]))

    def too_wide(self):
        """What reaches beyond the window's right edge; [] is good."""
        return self.evaluate("""document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '#' + e.id + '.' + e.className).slice(0, 10)""")

    def overlapping_texts(self, selector):
        """Pairs of texts of a drawing that lie on one another; [] is good."""
        return self.evaluate(f"""(() => {{ const t = [...document.querySelectorAll({json.dumps(selector)} + ' text')].filter(e => e.textContent.trim()).map(e => [e.textContent, e.getBoundingClientRect()]), bad = [];
            t.forEach(([s, a], i) => t.slice(i + 1).forEach(([u, b]) => {{
                if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2) bad.push([s, u]); }}));
            return bad; }})()""")

    def complaints(self):
        """What it has written to its console, and exceptions that nobody took."""
        return [(method, parameters) for method, parameters in self.events if method == "Runtime.exceptionThrown"
                or (method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning")) or (method == "Log.entryAdded" and parameters["entry"]["level"] == "error"
                    and parameters["entry"]["source"] != "network")]

    def requested(self):
        return {parameters["request"]["url"] for method, parameters in self.events if method == "Network.requestWillBeSent"}


@contextlib.contextmanager
def browser():
    """Debian's package; it is installed when it is missing."""
    subprocess.run([TOP / "tools/setup", "--also", "chromium"], check=True)
    to_read, to_write = os.pipe()
    out_read, out_write = os.pipe()

    def give():
        a, b = os.dup(to_read), os.dup(out_write)  # (either may be 3 or 4)
        os.dup2(a, 3)
        os.dup2(b, 4)
    with tempfile.TemporaryDirectory(prefix="bardo-browser-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(["chromium", f"--user-data-dir={folder}", *OPTIONS], preexec_fn=give, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=dict(os.environ, HOME=folder))
        os.close(to_read)
        os.close(out_write)
        try:
            found = Browser(process, to_write, out_read)
            yield found
            found.session = None
            found.call("Browser.close")
            process.wait(timeout=DEADLINE)
        finally:
            process.kill()
            process.wait()
            os.close(to_write)
            os.close(out_read)
