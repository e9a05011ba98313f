"""Measure the engine beside microWakeWord, on the same audio: `python tests/bench_engine.py`.

Each runs in a process of its own, on one core, fed with hops of 80 ms as a microphone would. Say
which with an argument, `ours` or `micro`, to get its figures alone as JSON.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 -- it reads the settings above

from wakeword_daemon.clock import HOP, SAMPLE_RATE  # noqa: E402

REPEATS = 5
SECONDS = 60


def ours():
    from wakeword_daemon.engine import Detector, load_model  # noqa: PLC0415 -- timed
    from wakeword_daemon.resources import shipped_models  # noqa: PLC0415

    detector = Detector([load_model(shipped_models()["jarvis"])])
    return detector.push


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


def measure(engine, begun):
    """Return the engine's figures; `begun` is when its process was started."""
    push = {"ours": ours, "micro": micro}[engine]()
    rng = np.random.default_rng(0)
    hops = rng.normal(0, 1000, (SECONDS * SAMPLE_RATE // HOP, HOP)).astype(np.int16)
    push(hops[0])
    figures = {"start": time.time() - begun}
    costs = []
    for _ in range(REPEATS):
        before = time.process_time()
        for hop in hops:
            push(hop)
        costs.append((time.process_time() - before) / SECONDS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - hops.nbytes / 2**20
    return figures | {"cpu": sorted(costs)[REPEATS // 2], "peak": peak}


def run(engine):
    done = subprocess.run(
        [sys.executable, __file__, engine, str(time.time())],
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


def main():
    own = run("ours")
    rows = {"wakeword": own}
    try:
        rows["pymicro-wakeword"] = run("micro")
    except subprocess.CalledProcessError:
        print("pymicro-wakeword is not there to compare with (pip install --group bench)")
    print("engine alone      CPU a second of audio   peak memory   start")
    for name, figures in rows.items():
        print(
            f"{name:17} {figures['cpu'] * 1e3:7.2f} ms ({figures['cpu'] / own['cpu']:4.1f} x)"
            f"        {figures['peak']:5.1f} MiB    {figures['start']:.2f} s"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], float(sys.argv[2]))))
    else:
        main()
