"""Takes a picture of `wakeword page` in a browser, as page.png beside this file.

`python docs/pictures/page.py` runs the real daemon on speech by flite in a room with some noise.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from support.browser import Browser  # noqa: E402
from support.daemon import Daemon, recording, until  # noqa: E402
from support.webpage import WebPage  # noqa: E402

from wakeword_daemon.clock import SAMPLE_RATE  # noqa: E402

SIZE = {"width": 1180, "height": 760}
CONFIG = """\
words: {jarvis: {}, alexa: {}}
clips: {keep: true, folder: clips, near_misses: 0.002}
"""


def speak(path: Path) -> None:
    """Write a minute of somebody who speaks now and then, above the hum of a room."""
    pause = (1.0, "other-slt", 2.0, "jarvis-slt", 3.0, "jarvis-rms", 2.5)
    recording(path, *(4 * pause))
    pcm, _ = soundfile.read(path, dtype="int16")
    hum = np.random.default_rng(1).normal(0, 30, len(pcm))
    swell = 1 + 0.5 * np.sin(np.arange(len(pcm)) * 2 * np.pi / (7 * SAMPLE_RATE))
    soundfile.write(path, (pcm + hum * swell).clip(-32768, 32767).astype(np.int16), SAMPLE_RATE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(CONFIG)
        speak(folder / "microphone.wav")
        options = ("--config", folder / "config.yaml")
        os.chdir(folder)  # so that the picture shows no path
        with Daemon(*options, "--input", "microphone.wav") as daemon:
            daemon.notified("READY")
            with (
                WebPage(folder, *options, "--socket", daemon.socket) as page,
                Browser(page.url, **SIZE) as browser,
            ):
                shown = "document.querySelectorAll('#heard tbody tr').length"
                until(lambda: browser.run(shown) >= 5, "five detections")  # noqa: PLR2004
                browser.picture(HERE / "page.png", whole=False)
