"""Measure alexa beside microWakeWord and openWakeWord.

    python tests/bench_accuracy.py DIR [FOLDS]

DIR holds recordings as `wakeword train` takes them. Measured is its validation split; or, where
FOLDS is the run folder of `wakeword train alexa --folds N`, the training speakers, whom ours hears
by the network of the fold that knows nothing of them. All three hear the same audio, in the clean,
in noise and in rooms. Every system's score is compared with every threshold, so that none is
judged by a default that suits another room. The others may take their time: a score counts until
the end of the stream, ours for 0.75 s.
"""

import functools
import os
import sys
from pathlib import Path

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from wakeword_daemon.clock import HOP, SAMPLE_RATE, samples
from wakeword_daemon.engine import read_model
from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.resources import find_model
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.takes import usable_takes
from wakeword_daemon.training.measure import evaluation, metrics, validation
from wakeword_daemon.training.measure.conditions import CONDITIONS

WORD = "alexa"
TOLD = (0.5, 1.0, 2.0)


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


def others_report(system, heard):
    """Return the stream metric of another system."""
    takes = []
    for stream, (start, _, speaker) in zip(heard.takes, heard.words, strict=True):
        scores = scores_of(system, stream)
        ends = HOP * np.arange(1, len(scores) + 1)
        stop = len(stream) - samples(metrics.WORD_TAIL)
        takes.append(metrics.Take(scores, ends, start, stop, speaker))
    rows = [scores_of(system, lane) for lane in heard.others]
    ends = HOP * np.arange(1, len(rows[0]) + 1)
    return evaluation.StreamReport(takes, rows, ends, heard.others.size / SAMPLE_RATE / 3600)


def our_report(path, speech, condition):
    model = read_model(path)
    network = CRNN(model.card.architecture, model.card.features, [model.weights])
    streams = evaluation.build_streams(speech, model.card.features, condition)
    return evaluation.measure(network, streams)


def parts(corpus, folds):
    """Return what to measure with, and beside each part the model of ours that does not know it."""
    groups = sorted(int(path.name) for path in folds.iterdir() if path.name.isdecimal())
    for group in groups:
        fold = corpus.fold(group - 1, len(groups))
        yield from validation_of(fold, folds / str(group) / f"{WORD}.safetensors")


def validation_of(corpus, path):
    takes, _ = usable_takes([r for r in corpus.recordings if r.word == WORD], FeatureSettings())
    _, noise = validation.divide_noise(corpus)
    halves = validation.halves(corpus, WORD, takes, noise, seed=0)
    return [(path, halves.dev), (path, halves.test)]


def main(folder, folds=None):
    corpus = read_corpus(Path(folder))
    measured = list(
        parts(corpus, Path(folds)) if folds else validation_of(corpus, find_model(WORD))
    )
    takes = sum(len(speech.takes) for _, speech in measured)
    print(f"{takes} takes, missed at so many false accepts an hour:")
    print(f"{'':28}" + "".join(f"   <= {target:4g}" for target in TOLD))
    for name, report in (
        ("wakeword", our_report),
        ("microWakeWord", lambda _, s, c: others_report(micro, evaluation.hear(s, c))),
        ("openWakeWord 0.4", lambda _, s, c: others_report(open_wake_word, evaluation.hear(s, c))),
    ):
        for condition in CONDITIONS:
            reports = [report(path, speech, condition) for path, speech in measured]
            found = functools.reduce(evaluation.StreamReport.joined, reports)
            cells = "".join(f"  {found.at(t).miss_rate:8.1%}" for t in TOLD)
            print(f"{condition.name:10} {name:16} {cells}   in {found.hours:.2f} h", flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
