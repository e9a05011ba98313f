"""The evidence for a word in the sounds that a network hears, and the file of that network."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import leaning_model, random_sounds
from support.recordings import cut, noise

from wakeword_daemon.engine import Detector, closerlook, sounds
from wakeword_daemon.engine.closerlook import LOW
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.modelfile import read_model, save_model
from wakeword_daemon.engine.numpy_stream import NumpyStream
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.engine.sounds import LONGEST, SOUNDS, SoundListener, evidence
from wakeword_daemon.engine.soundsfile import SoundsCard, read_sounds, save_sounds
from wakeword_daemon.engine.streams import running_step
from wakeword_daemon.errors import ModelError
from wakeword_daemon.training.measure.evaluation import score

FEATURES = FeatureSettings()
STEPS = 7


def collapsed(labels):
    """Return what a path says: without repetitions, then without what is no sound."""
    return tuple(label for label, _ in itertools.groupby(labels) if label)


def every_path(scores, word):
    """Return the evidence for a word by trying all paths: that of the word, then any other."""
    best = [max(step) for step in scores]
    found = -np.inf
    for start, stop in itertools.combinations(range(len(scores) + 1), 2):
        for labels in itertools.product(sorted({0, *word}), repeat=stop - start):
            if labels[0] and labels[-1] and collapsed(labels) == word:
                steps = range(start, stop)
                ratio = sum(scores[t][one] - best[t] for t, one in zip(steps, labels, strict=True))
                found = max(found, ratio)
    return found


few_scores = st.lists(
    st.lists(st.floats(-9, 9), min_size=4, max_size=4), min_size=1, max_size=STEPS
)


@settings(deadline=None, max_examples=60)
@given(few_scores, st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple))
def test_the_evidence_is_that_of_the_best_path(scores, word):
    expected = every_path(scores, word)
    found = evidence(scores, (tuple(SOUNDS[label - 1] for label in word),))
    if np.isinf(expected):  # there are too few steps
        assert found < -1e6
    else:
        assert found == pytest.approx(expected, abs=1e-9)


def test_of_several_ways_to_say_a_word_the_best_counts():
    scores = [[0.0] * (1 + len(SOUNDS)) for _ in range(2)]
    scores[0][1 + SOUNDS.index("k")] = 5.0
    scores[1][1 + SOUNDS.index("ae")] = 5.0
    assert evidence(scores, (("k", "ae"),)) == 0
    assert evidence(scores, (("b", "ae"),)) == -5
    assert evidence(scores, (("b", "ae"), ("k", "ae"))) == 0


def test_samples_and_frames_give_the_same_scores_with_either_step(monkeypatch):
    network, pcm = random_sounds(), noise(2)[: 400 + (LONGEST - 1) * 160]
    frames = LogMel(FEATURES).frames(pcm)
    listener = SoundListener(network)
    by_samples, by_frames = np.array(listener.hear(pcm)), np.array(listener.hear_frames(frames))
    assert by_samples.shape == (64, 1 + len(SOUNDS))
    # Backwards, a window begins one sample later.
    np.testing.assert_allclose(by_samples, by_frames, atol=0.05)
    monkeypatch.setattr(sounds, "new_stream", NumpyStream)
    in_numpy = np.array(SoundListener(network).hear_frames(frames))
    np.testing.assert_allclose(by_frames, in_numpy, atol=1e-3)
    assert running_step() == "C" or (by_frames == in_numpy).all()


def test_backwards_is_heard_backwards():
    network, frames = random_sounds(), LogMel(FEATURES).frames(noise(2)[: 400 + 197 * 160])
    forwards = np.array(SoundListener(network).hear_frames(frames))
    turned = sounds.SoundNetwork(network.backwards, network.forwards)
    back = np.array(SoundListener(turned).hear_frames(np.ascontiguousarray(frames[::-1])))
    np.testing.assert_allclose(back[::-1], forwards, atol=1e-4)


@pytest.fixture
def with_sounds(monkeypatch):
    """A network of sounds that was not trained, so that no word is heard in anything."""
    network = random_sounds()
    monkeypatch.setattr(closerlook, "english", lambda: network)
    return network


WAYS = (("k", "ae", "t"), ("b", "ae", "t"))


def scores_of(detector, pcm):
    return np.array([list(step.scores.values()) for step in detector.scores(pcm)])


@pytest.mark.usefixtures("with_sounds")
def test_a_word_whose_sounds_are_not_heard_has_a_lower_score():
    pcm = noise(4)
    without = scores_of(Detector([leaning_model(odds=2.0)]), pcm)[:, 0]
    lower = scores_of(Detector([leaning_model(odds=2.0, ways=WAYS)]), pcm)[:, 0]
    assert min(without) > 2 * LOW
    assert (lower < without).all()


@pytest.mark.usefixtures("with_sounds")
def test_only_words_that_say_their_sounds_are_compared_with_them():
    plain, spoken = leaning_model("plain", odds=1.0), leaning_model("spoken", odds=1.0, ways=WAYS)
    both = scores_of(Detector([plain, spoken]), noise(3))
    alone = scores_of(Detector([plain]), noise(3))
    np.testing.assert_allclose(both[:, 0], alone[:, 0], atol=1e-6)
    assert (both[:, 1] < both[:, 0]).all()


@pytest.mark.usefixtures("with_sounds")
@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=8))
def test_the_split_of_the_audio_does_not_matter(sizes):
    model, pcm = leaning_model(odds=0.0, ways=WAYS), noise(4)
    detector = Detector([model])
    parts = [step.scores["test"] for piece in cut(pcm, sizes) for step in detector.scores(piece)]
    np.testing.assert_allclose(parts, scores_of(Detector([model]), pcm)[:, 0], atol=1e-6)


@pytest.mark.usefixtures("with_sounds")
def test_models_are_measured_with_their_sounds():
    model, pcm = leaning_model(odds=0.0, ways=WAYS), noise(4)
    frames = LogMel(FEATURES).frames(pcm)
    measured, _ = score(model.network(), frames[None])
    np.testing.assert_allclose(measured[0], scores_of(Detector([model]), pcm)[:, 0], atol=0.02)


@pytest.mark.usefixtures("with_sounds")
def test_another_stream_or_a_reset_forgets_what_was_heard():
    model, pcm = leaning_model(odds=0.0, ways=WAYS), noise(2, seed=1)
    alone = scores_of(Detector([model]), pcm)
    detector = Detector([model])
    detector.push(noise(3))
    other = detector.fresh()
    np.testing.assert_array_equal(scores_of(other, pcm), alone)
    detector.reset()
    np.testing.assert_array_equal(scores_of(detector, pcm), alone)


def card_of(network):
    return SoundsCard(
        language="en", sounds=SOUNDS, features=FEATURES, architecture=network.forwards.architecture
    )


def test_the_file_of_the_network_holds_it(tmp_path):
    network, pcm = random_sounds(), noise(1)[: 400 + 96 * 160]
    save_sounds(tmp_path / "some.safetensors", card_of(network), network)
    read = read_sounds(tmp_path / "some.safetensors")
    assert SoundListener(read).hear(pcm) == SoundListener(network).hear(pcm)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.99])
def test_a_damaged_file_of_the_network_is_refused(tmp_path, part):
    network, file = random_sounds(), tmp_path / "some.safetensors"
    save_sounds(file, card_of(network), network)
    content = bytearray(file.read_bytes())
    content[int(part * len(content))] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError):
        read_sounds(file)


def test_other_files_are_no_network_of_sounds(tmp_path):
    file = tmp_path / "word.safetensors"
    save_model(file, leaning_model(odds=0.0))
    with pytest.raises(ModelError, match="not a model file"):
        read_sounds(file)
    with pytest.raises(ModelError, match="there is no model file"):
        read_sounds(tmp_path / "nothing.safetensors")


def test_a_model_file_says_how_its_word_is_said(tmp_path):
    save_model(tmp_path / "word.safetensors", leaning_model(odds=0.0, ways=WAYS))
    assert read_model(tmp_path / "word.safetensors").network().ways == WAYS


@pytest.mark.parametrize("ways", [(("k", "xx"),), ((),), (("k",),) * 17, (("k",) * 65,)])
def test_a_model_file_with_unknown_sounds_or_too_many_is_refused(tmp_path, ways):
    save_model(tmp_path / "word.safetensors", leaning_model(odds=0.0, ways=ways))
    with pytest.raises(ModelError, match="sounds"):
        read_model(tmp_path / "word.safetensors")
