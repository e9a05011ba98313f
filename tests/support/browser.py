"""Chromium without a window, driven by its own DevTools protocol."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.daemon import PATIENCE, until
from websockets.sync.client import connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_KEYS = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Browser:
    """A page in a browser, as a context manager; skips the test where no Chromium is installed."""

    def __init__(self, url, *, width=1000, height=900, dark=False):
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            pytest.skip("no Chromium: apt install chromium")
        self._folder = Path(tempfile.mkdtemp(prefix="ww-chromium-", dir="/tmp"))
        self._process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",  # root may not have it
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--autoplay-policy=no-user-gesture-required",
                "--remote-debugging-port=0",
                f"--user-data-dir={self._folder}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self.faults = []
        """What went wrong in the page: exceptions, refused loads, what it logged."""
        try:
            self._connect()
            self.size(width, height)
            self.colours(dark=dark)
            self.go(url)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._process.kill()
        self._process.wait(PATIENCE)
        self._stack.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def go(self, url):
        """Open an address."""
        self.send("Page.navigate", url=url)
        self.holds("document.readyState === 'complete'")

    def send(self, method, **parameters):
        """Carry out a method of the DevTools protocol; return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE))
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def run(self, script):
        """Return the value of an expression in the page; a promise is awaited."""
        done = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def text(self, selector="body"):
        """Return what can be read in an element; nothing where it is hidden."""
        return self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " return e?.checkVisibility() ? e.innerText : '' })()"
        )

    def sees(self, text, selector="body"):
        """Wait until an element shows a text."""
        until(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def holds(self, script):
        """Wait until an expression in the page is true."""
        until(lambda: self.run(script), script)

    def click(self, selector):
        """Press the mouse where an element is."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        x, y = self.run(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key, times=1):
        """Press a key of the keyboard."""
        for _ in range(times):
            code = _KEYS.get(key)
            names = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            text = {"text": "\r"} if key == "Enter" else {}
            self.send("Input.dispatchKeyEvent", type="keyDown", **names, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", **names)

    def size(self, width, height):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def colours(self, *, dark):
        value = "dark" if dark else "light"
        features = [{"name": "prefers-color-scheme", "value": value}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def hide(self, *, hidden=True):
        """Let the page believe that its tab went behind another one, or came back."""
        self.run(
            f"""Object.defineProperty(document, "hidden", {{ value: {str(hidden).lower()},
                configurable: true }});
            document.dispatchEvent(new Event("visibilitychange"))"""
        )

    def said(self):
        """Return the role and name of everything that a screen reader finds, in order."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]

    def picture(self, path, *, whole=True):
        """Take a screenshot, of the whole page or of what fits the window."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"clip": size | {"scale": 1}} if whole else {}
        taken = self.send("Page.captureScreenshot", captureBeyondViewport=whole, **clip)
        Path(path).write_bytes(base64.b64decode(taken["data"]))

    def _connect(self):
        port = until(self._port, "the browser's start")
        address = f"ws://127.0.0.1:{port[0]}{port[1]}"
        with connect(address, max_size=None) as whole:
            whole.send(json.dumps({"id": 0, "method": "Target.getTargets"}))
            targets = json.loads(whole.recv(PATIENCE))["result"]["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self._socket = self._stack.enter_context(
            connect(f"ws://127.0.0.1:{port[0]}/devtools/page/{page}", max_size=None)
        )
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def _port(self):
        file = self._folder / "DevToolsActivePort"
        assert self._process.poll() is None, "Chromium did not start"
        lines = file.read_text().split() if file.exists() else []
        return lines if len(lines) == 2 else None

    def _note(self, message):
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.faults.append(message["params"]["exceptionDetails"]["exception"])
            case "Log.entryAdded":
                entry = message["params"]["entry"]
                # An answer that is an error is the page's to show.
                if entry["level"] != "verbose" and entry["source"] != "network":
                    self.faults.append(entry)
            case "Runtime.consoleAPICalled":
                self.faults.append(message["params"]["args"])
            case "Page.javascriptDialogOpening":
                # Answered at once, or the page waits; the answer comes with later messages.
                number = next(self._numbers)
                asked = {"id": number, "method": "Page.handleJavaScriptDialog"}
                self._socket.send(json.dumps(asked | {"params": {"accept": True}}))
