"""A phrase of which people say only the end is begun by synthetic voices."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from support.recordings import manifest_corpus, tone, word, write

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.modelfile import NO_SELF_TEST, Model
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.lab.models import describe
from wakeword_daemon.training import supply
from wakeword_daemon.training.data import kokoro, speech
from wakeword_daemon.training.data.beginnings import beginning_of
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.synthesis import Utterance, Voice
from wakeword_daemon.training.fit.export import folded_weights
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.measure import comparison
from wakeword_daemon.training.measure.conditions import CLEAN

pytestmark = pytest.mark.torch

HERTZ = {"train": 2000, "val": 3000}
BEGINNING = (0.2, 0.5)
"""Seconds of a synthetic take in which the beginning is said."""


class Spoken(NamedTuple):
    """A job that is done."""

    takes: list[Utterance]

    def make(self):
        return self.takes


@pytest.fixture
def corpus(tmp_path):
    return read_corpus(manifest_corpus(tmp_path / "recordings"))


@pytest.fixture
def voices(monkeypatch, tmp_path):
    """Let Kokoro say the beginning as a tone: at 2 kHz to train with, at 3 kHz to measure with."""

    def job(phrase, beginning, count, cache, _seed, *, held_out):
        split = "val" if held_out else "train"
        takes = []
        for number in range(min(3, count)):
            path = tmp_path / "spoken" / split / f"{number}.wav"
            if not path.exists():
                quiet = np.zeros(round(BEGINNING[0] * SAMPLE_RATE))
                write(path, np.concatenate([quiet, tone(1, 1, 0.3, HERTZ[split]) * 0.1, quiet]))
            takes.append(Utterance(path, phrase, Voice("kokoro", f"{number}"), BEGINNING))
        assert (phrase, beginning, cache) == ("big sweep", "big", tmp_path)
        return Spoken(takes)

    monkeypatch.setattr(kokoro, "lacking", lambda *_: "")
    monkeypatch.setattr(speech, "beginning_job", job)


@pytest.mark.usefixtures("voices")
def test_people_say_the_end_and_voices_the_beginning(corpus, tmp_path):
    given = supply.supply("big_sweep", "big sweep", corpus, None, tmp_path, synthetic=True, seed=7)
    assert given.beginning.text == "big"
    assert (given.judges, given.left_out) == ([], ())
    assert [len(job.takes) for job in given.jobs] == [3, 3]
    whole = given.corpus("big_sweep", "big sweep", tmp_path)
    assert [r for r in whole.recordings if r.word != "big_sweep"] == list(corpus.recordings)
    ends = [r for r in corpus.recordings if r.word == "sweep"]
    takes = [r for r in whole.recordings if r.word == "big_sweep"]
    assert [(r.speaker, r.split, r.source) for r in takes] == [
        (r.speaker, r.split, r.source) for r in ends
    ]
    for take, end in zip(takes, ends, strict=True):
        pcm, recorded = files.read(take.path), files.read(end.path)
        more = (len(pcm) - len(recorded)) / SAMPLE_RATE
        assert 0.3 <= more <= 0.38
        start = np.flatnonzero(np.abs(pcm) > 1000)[0]
        said = pcm[start : start + 4096].astype(float)
        spectrum = np.abs(np.fft.rfft(said * np.hanning(len(said))))
        loudest = np.argmax(spectrum) * SAMPLE_RATE / len(said)
        assert loudest == pytest.approx(HERTZ[take.split], rel=0.02)
        spoken = pcm[start + round(0.39 * SAMPLE_RATE) :][: round(0.3 * SAMPLE_RATE)]
        louder = np.sqrt(np.mean(said**2) / np.mean(spoken.astype(float) ** 2))
        assert 0.5 < louder < 2


@pytest.mark.usefixtures("voices")
def test_ones_own_takes_of_the_phrase_are_used_too(corpus, tmp_path):
    for number in range(5):
        write(tmp_path / "own" / f"{number}.wav", word(np.random.default_rng(number), 150))
    given = supply.supply(
        "big_sweep", "big sweep", corpus, tmp_path / "own", tmp_path, synthetic=True, seed=7
    )
    takes = given.corpus("big_sweep", "big sweep", tmp_path).recordings
    sources = Counter(r.source for r in takes if r.word == "big_sweep")
    assert sources == {"tones": 50, "own takes": 5}


@pytest.mark.usefixtures("voices")
def test_they_are_made_once(corpus, tmp_path):
    def takes():
        begun = beginning_of("big sweep", corpus, tmp_path, 7)
        return begun.whole_takes(corpus, "big_sweep", tmp_path)

    made = takes()
    before = {r.path: r.path.stat().st_mtime_ns for r in made}
    assert takes() == made
    assert {r.path: r.path.stat().st_mtime_ns for r in made} == before
    assert len({r.path.parent for r in made}) == 1


@pytest.mark.usefixtures("voices")
def test_a_model_of_the_phrase_is_measured_on_them(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "measurable", lambda: ([CLEAN], []))
    network = TorchCRNN()
    model = Model(describe("big_sweep", network, 0.5), folded_weights(network), NO_SELF_TEST)
    (measured,) = comparison.evaluate({"big_sweep": model}, corpus.root, tmp_path)
    ends = [r for r in corpus.in_split("val") if r.word == "sweep"]
    assert len(measured.reports[CLEAN.name].takes) == len(ends)


@pytest.mark.usefixtures("voices")
def test_a_beginning_that_is_not_found_is_said(corpus, tmp_path):
    begun = beginning_of("big sweep", corpus, tmp_path, 7)
    takes = begun.said["val"].takes
    takes[:] = [replace(one, word_span=None) for one in takes]
    with pytest.raises(TrainingError, match="does not tell where “big” is"):
        begun.whole_takes(corpus, "big_sweep", tmp_path)


@pytest.mark.parametrize(
    ("phrase", "lacking"), [("sweep", ""), ("big broom", ""), ("big sweep", "npm is missing")]
)
@pytest.mark.usefixtures("voices")
def test_other_phrases_are_left_to_the_voices(corpus, monkeypatch, phrase, lacking):
    monkeypatch.setattr(kokoro, "lacking", lambda *_: lacking)
    assert beginning_of(phrase, corpus, Path("cache"), 7) is None
