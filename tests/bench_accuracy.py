"""Measure alexa beside microWakeWord and openWakeWord, under all conditions.

    python tests/bench_accuracy.py DIR [FOLDS] [--hours H] [--without-openwakeword]

DIR holds recordings as `wakeword train` takes them. Measured is its validation split; or, where
FOLDS is the run folder of `wakeword train alexa --folds N`, the training speakers, whom ours hears
by the network of the fold that knows nothing of them. All hear the same audio. Every system is told
at the threshold that keeps it within 0.5 false accepts an hour in the clean, in noise, in rooms and
through a headset together, so that none is judged by a default that suits another room. The others
may take their time: a score counts until 1.2 s after the word, ours for 0.75 s.
"""

import argparse
import functools
import os
import sys
from pathlib import Path

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from wakeword_daemon.clock import HOP, samples
from wakeword_daemon.engine.modelfile import read_model
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.resources import find_model
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.takes import usable_takes
from wakeword_daemon.training.measure import metrics
from wakeword_daemon.training.measure.comparison import measure_model
from wakeword_daemon.training.measure.conditions import measurable
from wakeword_daemon.training.measure.evaluation import StreamReport, render
from wakeword_daemon.training.measure.report import together
from wakeword_daemon.training.measure.validation import read_split

WORD = "alexa"
TARGET = 0.5
PATIENCE = 1.2 - metrics.WORD_TAIL
"""Seconds that the others may take longer than ours."""


def micro():
    """Return a function from 80 ms of a stream that has just begun to its score, thrice a hop."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model  # noqa: PLC0415

    word, features = MicroWakeWord.from_builtin(Model.ALEXA), MicroWakeWordFeatures()

    def push(hop):
        scores = [word.process_streaming_prob(f) for f in features.process_streaming(hop.tobytes())]
        return max((s for s in scores if s is not None), default=0.0)

    return push


def open_wake_word():
    """Return the same of openWakeWord."""
    from openwakeword import models  # noqa: PLC0415
    from openwakeword.model import Model  # noqa: PLC0415

    model = Model([models[WORD]["model_path"]])
    return lambda hop: max(model.predict(hop).values())


def scores_of(system, stream):
    push = system()
    hops = stream[: len(stream) // HOP * HOP].reshape(-1, HOP)
    return np.array([push(hop) for hop in hops], np.float32)


def others_report(system, audio):
    """Return the stream metric of another system."""
    takes = []
    for stream, word in zip(audio.takes, audio.words, strict=True):
        scores = scores_of(system, stream)
        ends = HOP * np.arange(1, len(scores) + 1)
        stop = word.stop + samples(PATIENCE)
        takes.append(
            metrics.ScoredTake(scores, ends, word.start, stop, word.speaker, word.said_before)
        )
    others = {s: [scores_of(system, pcm) for pcm in pcms] for s, pcms in audio.others.items()}
    longest = max((len(row) for rows in others.values() for row in rows), default=0)
    hours = {source: seconds / 3600 for source, seconds in audio.seconds.items()}
    return StreamReport(takes, others, HOP * np.arange(1, longest + 1), hours)


def parts(corpus, folds, hours):
    """Return what to measure with, and beside each part the model of ours that does not know it."""
    if folds is None:
        return [part(corpus, find_model(WORD), hours)]
    groups = sorted(int(path.name) for path in folds.iterdir() if path.name.isdecimal())
    return [
        part(corpus.fold(group - 1, len(groups)), folds / str(group) / f"{WORD}.safetensors", hours)
        for group in groups
    ]


def part(corpus, path, hours):
    mine = [r for r in corpus.in_split("val") if r.word == WORD]
    takes, _ = usable_takes(mine, FeatureSettings())
    return read_model(path), read_split(corpus, "val", hours).speech_set(WORD, takes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DIR")
    parser.add_argument("folds", type=Path, nargs="?", metavar="FOLDS")
    parser.add_argument("--hours", type=float, help="of other speech, at most")
    parser.add_argument("--without-openwakeword", action="store_true", help="it takes most of all")
    args = parser.parse_args()
    measured = parts(read_corpus(args.data), args.folds, args.hours)
    systems = {
        "wakeword": measure_model,
        "microWakeWord": lambda _, data, c: others_report(micro, render(data, c)),
    }
    if not args.without_openwakeword:
        systems["openWakeWord 0.4"] = lambda _, data, c: others_report(
            open_wake_word, render(data, c)
        )
    conditions, _ = measurable()
    columns = {}
    for name, report_on in systems.items():
        reports = {}
        for condition in conditions:
            found = [report_on(model, data, condition) for model, data in measured]
            reports[condition.name] = functools.reduce(StreamReport.joined, found)
            print(f"measured {name}, {condition.name}", file=sys.stderr, flush=True)
        columns[name] = reports, together(reports).at(TARGET).threshold
    takes = sum(len(data.takes) for _, data in measured)
    hours = sum(report.hours for report in columns["wakeword"][0].values())
    print(
        f"{takes} takes, other speech of {hours:.2f} h. Missed at <= {TARGET:g} false accepts/h:\n"
    )
    print("| condition | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for condition in conditions:
        cells = [
            f"{reports[condition.name].missed(threshold) / takes:.1%}"
            for reports, threshold in columns.values()
        ]
        print(f"| {condition.name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
