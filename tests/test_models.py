"""The shipped wake words: complete, documented and detected; no word fires for another."""

import re
from itertools import pairwise

import numpy as np
import pytest

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine import Detector, read_model
from wakeword_daemon.resources import shipped_models
from wakeword_daemon.training.data import synthesis

WORDS = ["alexa", "computer", "hey_jarvis", "jarvis", "smart_mirror", "snowboy", "view_glass"]
WITHIN = {"hey_jarvis": {"jarvis"}}
"""Words that are said within others."""
VOICES = [
    synthesis.Voice("espeak", "en-us"),
    synthesis.Voice("espeak", "en-gb+f2"),
    synthesis.Voice("flite", "slt"),
    synthesis.Voice("flite", "rms"),
]


@pytest.fixture(scope="module")
def models():
    return {name: read_model(path) for name, path in shipped_models().items()}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Every word by every voice that is installed, between two stretches of a quiet room."""
    folder = tmp_path_factory.mktemp("spoken")
    rng = np.random.default_rng(0)

    def say(word, voice):
        path = folder / f"{word}-{voice.engine}-{voice.name}.wav"
        synthesis.speak(word.replace("_", " "), voice, path)
        quiet = rng.normal(0, 4, (2, SAMPLE_RATE)).round().astype(np.int16)
        return np.concatenate([quiet[0], files.read(path), quiet[1]])

    voices = [voice for voice in VOICES if voice.engine in synthesis.engines()]
    return {word: [say(word, voice) for voice in voices] for word in WORDS}


def test_seven_words_ship(models):
    assert sorted(models) == WORDS


@pytest.mark.parametrize("word", WORDS)
def test_a_shipped_model_is_complete_and_documented(models, word):
    model = models[word]
    model.self_test()
    points = model.card.operating_points
    assert [p.target for p in points] == [0.1, 0.25, 0.5, 1.0, 2.0]
    assert all(a.threshold >= b.threshold for a, b in pairwise(points))
    assert all(a.miss_rate >= b.miss_rate for a, b in pairwise(points))
    assert model.card.hours > 1
    assert all(source.licence != "unknown" for source in model.card.sources)
    path = shipped_models()[word]
    card = path.with_suffix(".md").read_text()
    assert re.search(rf"wakeword train '?{word.replace('_', '[_ ]')}'? ", card)
    assert re.search(rf"!\[.*\]\({word}\.svg\)", card)
    assert path.with_suffix(".svg").read_text().startswith("<?xml")


@pytest.mark.skipif(not synthesis.engines(), reason="no speech synthesizer is installed")
@pytest.mark.parametrize("word", WORDS)
def test_a_shipped_word_fires_once_and_no_other_word_fires(models, spoken, word):
    heard = 0
    for pcm in spoken[word]:
        detections = Detector(list(models.values())).push(pcm)
        words = [d.word for d in detections]
        assert set(words) <= {word} | WITHIN.get(word, set())
        assert len(set(words)) == len(words)
        heard += word in words
    assert heard >= len(spoken[word]) / 2
