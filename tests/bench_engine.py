"""Measure the engine beside two others: `python tests/bench_engine.py [--write] [ENGINE]`.

Each engine runs in its own process, on one core, and gets hops of 80 ms as from a microphone. With
`--write`, the table in docs/cost.md and two rows of one in README.md are replaced. The engines take
turns, and the cheapest round of each counts: other programs can slow a round down, but not speed it
up.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from array import array
from dataclasses import replace
from pathlib import Path

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(ROOT))

from support import page  # noqa: E402 -- numpy reads the settings above, if an engine loads it

from wakeword_daemon.clock import HOP, SAMPLE_RATE  # noqa: E402
from wakeword_daemon.engine.streams import running_step  # noqa: E402

ROUNDS = 4
SECONDS = 60  # of audio, processed again and again
BUDGET = 1.0  # seconds of CPU time after which an engine has run often enough
WORDS = 6
COLD_HOPS = 25


def ours():
    from wakeword_daemon.engine import Detector, read_model  # noqa: PLC0415 -- timed
    from wakeword_daemon.resources import shipped_models  # noqa: PLC0415

    detector = Detector([read_model(shipped_models()["jarvis"])])
    return detector.push


def six():
    from wakeword_daemon.engine import Detector, read_model  # noqa: PLC0415 -- timed
    from wakeword_daemon.resources import shipped_models  # noqa: PLC0415

    models = [read_model(path) for path in shipped_models().values()]
    while len(models) < WORDS:  # as many as ship, and copies under other names
        again = models[len(models) % len(shipped_models())]
        card = replace(again.card, name=f"{again.name}_{len(models)}")
        models.append(replace(again, card=card))
    detector = Detector(models[:WORDS])
    return detector.push


def by_numpy(start):
    """Return what starts the same with the step in numpy."""

    def begin():
        from wakeword_daemon.engine import native  # noqa: PLC0415 -- timed

        native.native_step = lambda: None
        return start()

    return begin


def micro():
    from pymicro_wakeword import (  # noqa: PLC0415 -- timed
        MicroWakeWord,
        MicroWakeWordFeatures,
        Model,
    )

    word, frontend = MicroWakeWord.from_builtin(Model.HEY_JARVIS), MicroWakeWordFeatures()

    def push(hop):
        for features in frontend.process_streaming(hop.tobytes()):
            word.process_streaming(features)

    return push


def open_():
    import numpy as np  # noqa: PLC0415 -- timed
    import openwakeword  # noqa: PLC0415 -- timed

    model = openwakeword.Model([openwakeword.models["alexa"]["model_path"]])
    return lambda hop: model.predict(np.asarray(hop))


ENGINES = {
    "ours": ("wakeword", ours),
    "six": ("wakeword, 6 words", six),
    "numpy": ("wakeword, step in numpy", by_numpy(ours)),
    "numpy-six": ("wakeword, 6 words in numpy", by_numpy(six)),
    "micro": ("pymicro-wakeword", micro),
    "open": ("openWakeWord", open_),
}


def measure(engine, begun):
    """Return the engine's figures; `begun` is when its process was started."""
    _, start = ENGINES[engine]
    push = start()
    push(memoryview(array("h", bytes(2 * HOP))))
    figures = {"start": time.time() - begun}
    chance = random.Random(0)  # noqa: S311 -- noise
    noise = memoryview(
        array("h", (round(chance.gauss(0, 1000)) for _ in range(SECONDS * SAMPLE_RATE)))
    )
    hops = [noise[at : at + HOP] for at in range(0, len(noise), HOP)]
    costs = []
    while sum(costs) * SECONDS < BUDGET:
        before = time.process_time()
        for hop in hops:
            push(hop)
        costs.append((time.process_time() - before) / SECONDS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - noise.nbytes / 2**20
    return figures | {"cpu": min(costs), "peak": peak, "cold": cold(push, noise)}


def cold(push, noise):
    """Return the seconds of CPU time that a hop takes in the daemon.

    There each hop follows a sleep, and the capture that fetches the audio from the microphone. It
    is the daemon's own capture; only the microphone is made up.
    """
    import numpy as np  # noqa: PLC0415 -- adds to the memory, which is measured before
    import pytest  # noqa: PLC0415
    from support.virtualmic import VirtualMicrophone  # noqa: PLC0415

    from wakeword_daemon.audio.capture import Capture, CaptureSettings  # noqa: PLC0415
    from wakeword_daemon.audio.ring import RingBuffer  # noqa: PLC0415

    class Microphone(VirtualMicrophone):
        def _sleep(self, seconds):
            time.sleep(seconds)
            super()._sleep(seconds)

    costs = []

    def on_audio(pcm):
        before = time.process_time()
        push(pcm)
        costs.append(time.process_time() - before)
        return False

    microphone = Microphone(np.array(noise[: COLD_HOPS * HOP]), HOP, HOP)
    capture = Capture(CaptureSettings(), RingBuffer(1.0), lambda _: None, on_audio)
    with pytest.MonkeyPatch.context() as patch:
        microphone.plug(patch)
        capture.start()
        assert microphone.gone.wait(60), "the capture failed"
        capture.stop()
    return statistics.median(costs)


def run(engine):
    """Measure an engine in a process of its own; None if it cannot be run."""
    done = subprocess.run(
        [sys.executable, __file__, engine, "--started", str(time.time())],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.splitlines() or ["no reason given"])[-1]
        print(f"{engine} did not run: {reason} (pip install --group bench)", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def main(*, write):
    rounds = {name: [run(name)] for name in ENGINES}
    found = {name: runs for name, runs in rounds.items() if runs[0]}
    for _ in range(ROUNDS - 1):
        for name, runs in found.items():
            runs.append(run(name))
    best = {
        name: {figure: min(one[figure] for one in runs) for figure in runs[0]}
        for name, runs in found.items()
    }
    rows = [
        (
            ENGINES[name][0],
            f"{figures['cpu'] * 1e3:.2f}",
            f"{figures['cpu'] / best['ours']['cpu']:.1f}",
            f"{figures['cold'] * 1e6:.0f}",
            f"{figures['peak']:.0f}",
            f"{figures['start']:.2f}",
        )
        for name, figures in best.items()
    ]
    header = (
        "engine",
        "ms of CPU a second of audio",
        "times wakeword",
        "µs a hop in the daemon",
        "peak memory, MiB",
        "start, s",
    )
    lines = [
        "",
        f"Our step is the one in {running_step()}, except where the table says numpy. First the",
        "hops are processed without a pause, then as in the daemon: every 80 ms, after a sleep in",
        "which other programs fill the caches, and after the capture that fetches the audio. The",
        f"lowest of {ROUNDS} rounds is shown. {page.load()}",
        "",
        *page.table(header, rows),
        "",
    ]
    print("\n".join(lines))
    if write:
        page.write(ROOT / "docs" / "cost.md", "engine", lines)
        if best.keys() >= {"ours", "micro", "open"}:
            engines = [best[name] for name in ("ours", "micro", "open")]
            cpu = [f"{figures['cpu'] * 1e3:.2g} ms" for figures in engines]
            memory = [f"{figures['peak']:.0f} MiB" for figures in engines]
            page.write_row(ROOT / "README.md", "CPU for a second of audio", cpu)
            page.write_row(ROOT / "README.md", "memory of the engine's process", memory)


if __name__ == "__main__":
    parser = page.command(__doc__)
    parser.add_argument(
        "engine", nargs="?", choices=ENGINES, help="print its figures alone, as JSON"
    )
    parser.add_argument("--started", type=float, default=time.time(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        print(json.dumps(measure(given.engine, given.started)))
    else:
        main(write=given.write)
