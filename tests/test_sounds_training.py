"""Training the network of speech sounds: texts, transcripts, sequences, and the network itself."""
# ruff: noqa: RUF001 -- letters of the IPA are meant

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.models import random_sounds

from wakeword_daemon.engine.modelfile import Origin, TrainingSource
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.engine.sounds import SOUNDS, SoundListener
from wakeword_daemon.engine.soundsfile import SoundsCard
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training import pronounced, sounds
from wakeword_daemon.training.data.endpoints import Span
from wakeword_daemon.training.data.melpower import Library
from wakeword_daemon.training.data.speechsounds import (
    accent_of,
    sounds_of,
    spoken,
    ways_to_say,
)
from wakeword_daemon.training.data.synthesis import Voice
from wakeword_daemon.training.data.transcripts import Passage, read_transcripts
from wakeword_daemon.training.fit import soundnetwork
from wakeword_daemon.training.fit.composition import TakeGroup, join_takes
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.soundnetwork import ARCHITECTURE, TorchSounds, loss
from wakeword_daemon.training.fit.soundsequences import (
    FRAMES,
    MEASURED_LEVEL,
    QUIET,
    SoundComposition,
    SoundSequenceMaker,
    Spoken,
)
from wakeword_daemon.training.sounds import (
    SoundsSettings,
    error_rate,
    train_sounds,
)
from wakeword_daemon.training.transcribe import HeardWord, parts

pytestmark = pytest.mark.torch

needs_espeak = pytest.mark.skipif(
    not shutil.which("espeak-ng"), reason="espeak-ng, which tells the sounds, is not installed"
)
FEATURES = FeatureSettings()
BANDS = 5
"""Mel bands that a sound fills in the tests' speech."""


@pytest.mark.parametrize(
    ("ipa", "expected"),
    [
        ("kəmpjˈuːɾɚ", "k ah m p y uw t er"),
        ("kəmpjˈuːtə", "k ah m p y uw t ah"),
        ("dʒˈɑːɹvɪs", "jh aa r v ih s"),
        ("hˈeɪ nˈəʊvə", "h ey n ow v ah"),
        ("tʃˈa:z", "ch aa z"),
        ("", ""),
        ("ʘ", ""),
    ],
)
def test_ipa_gives_the_sounds_of_english(ipa, expected):
    assert " ".join(sounds_of(ipa)) == expected


@needs_espeak
def test_a_word_may_be_said_in_more_than_one_way():
    computer = ways_to_say("computer")
    assert len(computer) == 2
    assert {way[-1] for way in computer} == {"er", "ah"}
    assert ways_to_say("hey nova") == (("h", "ey", "n", "ow", "v", "ah"),)


@needs_espeak
def test_each_text_has_its_own_sounds_however_long_it_is():
    long = "one two three, and then " * 40
    texts = ["yes", long, "what? no! never", "no"]
    found = spoken(texts, "en-us")
    assert len(found) == 4
    assert found[0] == ("y", "eh", "s")
    assert found[3] == ("n", "ow")
    assert len(found[1]) > 400


@pytest.mark.parametrize(
    ("voice", "accent"),
    [
        (Voice("espeak", "en-gb-x-rp+f2"), "en-gb-x-rp"),
        (Voice("espeak", "de+f2"), None),
        (Voice("kokoro", "en-gb/af_heart"), "en-gb"),
        (Voice("flite", "awb"), "en-gb-scotland"),
        (Voice("piper", "joe"), "en-us"),
    ],
)
def test_voices_speak_in_their_accents(voice, accent):
    assert accent_of(voice) == accent


def test_transcripts_are_read(tmp_path):
    file = tmp_path / "said.csv"
    file.write_text("path,start,stop,text\na/b.wav,0.5,2.25,turn it off\nc.wav,,,yes\n")
    assert read_transcripts(file, tmp_path) == [
        Passage(tmp_path / "a/b.wav", 0.5, 2.25, "turn it off"),
        Passage(tmp_path / "c.wav", None, None, "yes"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"path,text\na.wav,yes\n", "columns"),
        (b"path,start,stop,text\na.wav,soon,2,yes\n", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_other_files_are_no_transcripts(tmp_path, content, sentence):
    file = tmp_path / "said.csv"
    file.write_bytes(content)
    with pytest.raises(TrainingError, match=sentence):
        read_transcripts(file, tmp_path)
    with pytest.raises(TrainingError, match="cannot be read"):
        read_transcripts(tmp_path / "nothing.csv", tmp_path)


def words(*surely, seconds=0.5):
    return [
        HeardWord(f"w{n}", n * seconds, (n + 1) * seconds, sure) for n, sure in enumerate(surely)
    ]


def test_a_recording_is_cut_between_words():
    found = list(parts(words(*[1.0] * 20)))
    assert " ".join(text for _, _, text in found).split() == [f"w{n}" for n in range(20)]
    assert all(stop - start < 4.5 for start, stop, _ in found)
    assert found[0][0] == 0.0
    assert found[-1][1] == pytest.approx(10.12)
    assert [stop for _, stop, _ in found[:-1]] == [start for start, _, _ in found[1:]]


def test_what_was_not_surely_understood_is_left_out():
    assert not list(parts([]))
    assert not list(parts(words(*[0.7] * 4)))
    assert len(list(parts(words(0.4, *[1.0] * 19)))) == 2  # of three parts


def noise_library(count=3):
    rng = np.random.default_rng(5)
    return Library.join([rng.gamma(2, 0.5, (400, 40)).astype(np.float32)] * count, 40)


def tuneful(count, seed, share=1.0):
    """Speech of a language with four sounds, each of which fills some mel bands."""
    rng, pieces, sounds_said = np.random.default_rng(seed), [], []
    for _ in range(count):
        said = rng.integers(1, 5, rng.integers(2, 6))
        power = np.full((12 * len(said), 40), 1e-4, np.float32)
        for place, sound in enumerate(said):
            power[12 * place + 2 : 12 * place + 10, 8 * sound : 8 * sound + BANDS] = 0.2
        pieces.append(power)
        sounds_said.append(said.astype(np.int64))
    return Spoken("tunes", Library.join(pieces, 40), sounds_said, share)


def test_sequences_hold_whole_pieces_and_their_sounds():
    spoken_kinds = [tuneful(20, 0, 0.5), tuneful(20, 1, 0.5)]
    maker = SoundSequenceMaker(SoundComposition(spoken_kinds, noise_library(), None, FEATURES))
    log_mel, said = maker.batch(6, np.random.default_rng(0))
    again, same = maker.batch(6, np.random.default_rng(0))
    assert log_mel.shape == (6, FRAMES, 40)
    assert np.isfinite(log_mel).all()
    np.testing.assert_array_equal(log_mel, again)
    known = {tuple(one) for kind in spoken_kinds for one in kind.sounds}
    for one, other in zip(said, same, strict=True):
        np.testing.assert_array_equal(one, other)
        assert len(one) > 10
        assert splits_into(tuple(one.tolist()), known)


def splits_into(numbers, known):
    return not numbers or any(
        numbers[: len(one)] == one and splits_into(numbers[len(one) :], known) for one in known
    )


def test_the_engine_hears_what_the_trained_network_hears():
    torch.manual_seed(0)
    network = TorchSounds(ARCHITECTURE, FEATURES).eval()
    frames = np.random.default_rng(0).normal(-3, 3, (198, 40)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(frames)[None])[0].numpy()
    found = np.array(SoundListener(network.engine()).hear_frames(frames))
    np.testing.assert_allclose(found, expected, atol=5e-3)  # its matrices are rounded


def test_the_loss_leads_to_the_sounds_that_are_said():
    torch.manual_seed(0)
    speech = tuneful(12, 0)
    network = TorchSounds(replace(ARCHITECTURE, hidden=24), FEATURES)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    assert error_rate(network, speech) > 0.9
    longest = max(len(speech.library[n]) for n in range(12))
    loud = [
        np.pad(
            speech.library[n] * MEASURED_LEVEL, ((QUIET, longest - len(speech.library[n])), (0, 0))
        )
        for n in range(12)
    ]
    log_mel = torch.from_numpy(np.log(np.maximum(np.stack(loud), 1e-5)).astype(np.float32))
    for _ in range(200):
        network.train()
        value = loss(network(log_mel), [torch.from_numpy(said) for said in speech.sounds])
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    assert error_rate(network, speech) < 0.2


def test_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(soundnetwork, "DROPPED", 0.0)  # draws that a checkpoint does not keep
    small = SoundsSettings(epochs=3, batches=3, batch_size=2)
    composition = SoundComposition([tuneful(30, 0)], noise_library(), None, FEATURES)

    def trained(run):
        return train_sounds(composition, tuneful(2, 9), small, run, Processes())

    whole = trained(tmp_path / "whole")
    log = [json.loads(line) for line in (tmp_path / "whole/metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == [1, 2, 3]
    assert all(np.isfinite(row["loss"]) and row["wrong"] >= 0 for row in log)

    class StopsError(Exception):
        pass

    finish = sounds.TrainingLoop.finish_epoch

    def stop_after_two(self, *arguments):
        finish(self, *arguments)
        if self.epoch == 2:
            raise StopsError

    with monkeypatch.context() as patched:
        patched.setattr(sounds.TrainingLoop, "finish_epoch", stop_after_two)
        with pytest.raises(StopsError):
            trained(tmp_path / "part")
    for one, other in zip(whole.parameters(), trained(tmp_path / "part").parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_card_names_what_it_learned_from():
    origin = Origin("abc", "def", "python -m something")
    card = SoundsCard(
        language="en", sounds=SOUNDS, features=FEATURES, architecture=ARCHITECTURE,
        sources=[TrainingSource("tones", "CC0-1.0")], origin=origin,
    )  # fmt: skip
    text = sounds.describe(card, [tuneful(6, 0, 0.5)], 0.124, 1234)
    for part in ("python -m something", "abc", "| tones | CC0-1.0 |", "12 %", "1,234"):
        assert part in text
    assert "| tunes | 6 | 0.0 | 50 % |" in text


def takes():
    power = [np.full((60, 40), 0.02, np.float32) for _ in range(4)]
    return join_takes([TakeGroup(power, [Span(10, 50)] * 4, [1.0] * 4, 1.0)], 40, phrase=False)


@pytest.mark.parametrize(("found", "counts"), [(-1.0, True), (-20.0, False)])
def test_sounds_count_only_if_the_takes_have_them(monkeypatch, tmp_path, caplog, found, counts):
    ways = (("k", "ae", "t"),)
    monkeypatch.setattr(pronounced, "sounds_file", lambda: tmp_path)
    monkeypatch.setattr(pronounced, "english", random_sounds)
    monkeypatch.setattr(pronounced, "evidence", lambda *_: found)
    assert pronounced.heard_ways(takes(), ways, FEATURES) == (ways if counts else ())
    assert ("k-ae-t" in caplog.text) != counts
    assert pronounced.heard_ways(takes(), (), FEATURES) == ()
    monkeypatch.setattr(pronounced, "sounds_file", lambda: tmp_path / "nothing")
    assert pronounced.heard_ways(takes(), ways, FEATURES) == ()


def test_all_sounds_are_written_in_ipa_somehow():
    from wakeword_daemon.training.data import speechsounds  # noqa: PLC0415

    written = {sound for sounds in speechsounds._IPA.values() for sound in sounds.split()}
    assert written == set(SOUNDS)
