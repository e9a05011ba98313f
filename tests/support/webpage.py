"""`wakeword page` as a process, and what HTTP gets from it."""

import http.client
import json
import subprocess
import urllib.parse

from support.daemon import PATIENCE, WAKEWORD

from wakeword_daemon.clips.clip import Clip
from wakeword_daemon.clips.folder import ClipFolder
from wakeword_daemon.clock import seconds


class WebPage:
    """`wakeword page --port 0 ARGUMENTS…`, as a context manager.

    Its token lies below `home`, in a state folder of its own.
    """

    def __init__(self, home, *arguments, command=WAKEWORD):
        self._command = (*command, "page", "--port", "0", *map(str, arguments))
        self._home = home

    def __enter__(self):
        self.process = subprocess.Popen(
            ["env", f"XDG_STATE_HOME={self._home}", *self._command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()
        assert self.url, self.process.stderr.read()
        self.port = urllib.parse.urlsplit(self.url).port
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)

    @property
    def token(self):
        return (self._home / "wakeword/page-token").read_text().strip()

    @property
    def origin(self):
        return {"Origin": f"http://127.0.0.1:{self.port}"}

    def ask(self, method, path, body=None, headers=None):
        """Return the status, the headers and the body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, sent, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def post(self, path, body=None, method="POST"):
        """Ask as the page itself does; return the status and the decoded answer."""
        status, _, content = self.ask(method, path, body, self.origin)
        return status, json.loads(content)

    def read(self, path):
        """Return what a GET is answered with."""
        status, _, content = self.ask("GET", path)
        assert status == 200, content
        return json.loads(content)

    def live(self):
        """Yield the live events, each with its type and data; closing the iterator hangs up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", "/api/events")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        try:
            for line in answer:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    yield event["type"], event["data"]
        finally:
            answer.close()
            connection.close()


def two_clips(path, detected, nearly):
    """Keep two clips, a detection and a near miss a minute later; return their folder."""
    folder = ClipFolder(path)
    for number, (kind, pcm) in enumerate((("detection", detected), ("near-miss", nearly))):
        clip = Clip(
            word="jarvis",
            kind=kind,
            score=0.7 - 0.4 * number,
            threshold=0.5,
            model="",
            wall_time=1.7e9 + 60 * number,
            at=seconds(len(pcm)) / 2,
            seconds=seconds(len(pcm)),
        )
        folder.add(clip, pcm)
    return folder
