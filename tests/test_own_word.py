"""A word from its phrase alone: what is said first, who judges, and what comes of a useless one."""

# ruff: noqa: RUF001 - IPA has letters that look like others

import random
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import soundfile
from support.measuring import few_conditions
from support.recordings import manifest_corpus, word, write

from wakeword_daemon import resources
from wakeword_daemon.audio import files
from wakeword_daemon.cli import build_parser, main
from wakeword_daemon.cli import train as train_command
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine import read_model
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training import background, material, plan, supply
from wakeword_daemon.training import word as own_word
from wakeword_daemon.training.data import (
    datasets,
    kokoro,
    own_takes,
    phrase_check,
    progress,
    small_voices,
    speech,
    strangers,
    synthesis,
)
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.noises import noises
from wakeword_daemon.training.data.progress import Stage
from wakeword_daemon.training.fit.trainer import TrainingSettings
from wakeword_daemon.training.measure.validation import divide_noise

pytestmark = pytest.mark.torch

needs_voices = pytest.mark.skipif(
    not {"espeak", "flite"} <= set(synthesis.engines()), reason="espeak-ng or flite is missing"
)


@pytest.fixture
def few_voices(monkeypatch, tmp_path):
    """Let only espeak-ng and flite speak, and little: a training of seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kokoro, "lacking", lambda *_: "it is not wanted here")
    monkeypatch.setattr(small_voices, "installed", list)
    monkeypatch.setattr(synthesis, "engines", lambda: ["espeak", "flite"])
    monkeypatch.setattr(strangers, "_TAKES", 8)
    monkeypatch.setattr(strangers, "_SENTENCES", 80)
    monkeypatch.setattr(plan, "LONG_FORM", 12)
    monkeypatch.setattr(own_word, "measurable", lambda: (few_conditions(), []))
    monkeypatch.setattr("wakeword_daemon.training.data.neighbours.DICTIONARY", tmp_path / "none")
    return tmp_path / "cache" / "wakeword"


def train(folder, *more, epochs=1):
    return main([
        "train", "blue window", "--run", str(folder / "run"), "--epochs", str(epochs),
        "--output", str(folder / "blue.safetensors"), "--peers", "16", "--synthetic", "12",
        "--workers", "0", *more,
    ])  # fmt: skip


@needs_voices
@pytest.mark.usefixtures("few_voices")
def test_a_useless_word_is_rejected_and_gets_no_model(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(TrainingSettings, "__init__", tiny(TrainingSettings.__init__))
    rng = np.random.default_rng(0)
    for number in range(3):
        write(tmp_path / "takes" / f"{number}.wav", word(rng, 150))
    assert train(tmp_path, "--takes", str(tmp_path / "takes")) == 3
    told = capsys.readouterr().out
    assert "/blˈuː wˈɪndoʊ/ American" in told
    assert "not used for training: flite; they stand in for strangers" in told
    assert "training 1 epoch: " in told
    assert "\ndo not use: it misses" in told
    assert "3 recordings by people, 1 of them for measuring" in told
    assert "strangers: flite" in told
    assert "people: own takes" in told
    assert "false accepts an hour" in told
    assert not (tmp_path / "blue.safetensors").exists()
    assert read_model(tmp_path / "run" / "blue.safetensors").name == "blue_window"
    card = (tmp_path / "run" / "blue.md").read_text()
    assert "# blue window" in card
    assert "2 takes by 1 speaker," in card
    assert "voices of flite, synthesizers that it never learned from" in card


def tiny(make):
    """Return a constructor of settings with batches so few that nothing is learned."""

    def settings(self, **given):
        make(self, **(given | {"batches": 2, "batch_size": 8}))

    return settings


@needs_voices
def test_engines_used_for_measuring_are_not_used_for_training(few_voices):
    given = supply.supply(
        "blue_window", "blue window", None, None, few_voices, synthetic=True, seed=0
    )
    voices = material.voices_for(
        "blue window", "blue window", few_voices, synthetic=4, seed=0, left_out=given.left_out
    )
    assert given.left_out == ("flite",)
    trained = {
        voice.engine
        for job in (*voices.simple.values(), *voices.natural.values())
        for voice in islice(job.draws()[1], 50)
    }
    assert trained == {"espeak"}
    corpus = given.corpus("blue_window", "blue window", few_voices)
    judging = [r for r in corpus.recordings if not r.noise]
    assert {r.split for r in judging} == {"val"}
    assert sum(r.word == "blue_window" for r in judging) == 8
    assert {r.speaker.split("/")[1].split()[0] for r in judging} == {"flite"}


def test_a_phrase_starts_from_three_words_that_ship():
    def starts(*arguments):
        args = build_parser({"train"}).parse_args(["train", *arguments])
        made = train_command._job(args, args.phrase.replace(" ", "_"), args.phrase)
        return [path.stem for path in made.starts], made.settings.peers

    assert starts("blue window") == (["jarvis", "alexa", "view_glass"], (64, 64, 64))
    assert starts("alexa") == (["jarvis", "view_glass", "smart_mirror"], (64, 64, 64))
    assert starts("blue window", "--peers", "64,32") == ([], (64, 32))
    assert starts("blue window", "--data", "recordings") == ([], (64, 64, 64))
    jarvis = str(resources.find_model("jarvis"))
    assert starts("blue window", "--from", jarvis) == (["jarvis"], (64,))


def test_recordings_of_people_are_used_for_measuring(tmp_path):
    corpus = read_corpus(manifest_corpus(tmp_path / "recordings"))
    given = supply.supply("sweep", "sweep", corpus, None, tmp_path, synthetic=True, seed=0)
    assert (given.judges, given.left_out) == ([], ())
    assert given.corpus("sweep", "sweep", tmp_path) == corpus


def test_without_recordings_and_voices_there_is_nothing_to_train_on(tmp_path, capsys):
    run = ["--run", str(tmp_path / "run"), "--output", str(tmp_path / "a.safetensors")]
    assert main(["train", "sweep", "--synthetic", "0", *run]) == 1
    assert "without recordings (--data)" in capsys.readouterr().err


@pytest.mark.parametrize(("count", "judging"), [(1, 0), (2, 1), (4, 1), (5, 1), (10, 2), (12, 2)])
def test_some_of_the_users_takes_are_kept_for_measuring(tmp_path, count, judging):
    rng = np.random.default_rng(0)
    for number in range(count):
        write(tmp_path / f"{number:02}.wav", word(rng, 150))
    found = own_takes.read_own_takes(tmp_path, "sweep")
    assert {r.word for r in found} == {"sweep"}
    assert {r.speaker for r in found} == {"own takes/you"}
    assert [sum(r.split == split for r in found) for split in ("train", "val")] == [
        count - judging,
        judging,
    ]


def test_takes_are_read_from_folders_or_a_manifest(tmp_path):
    rng = np.random.default_rng(0)
    for path in ("anna/1.wav", "anna/2.wav", "ben/1.flac"):
        write(tmp_path / "takes" / path, word(rng, 150))
    found = own_takes.read_own_takes(tmp_path / "takes", "sweep")
    assert {r.speaker for r in found} == {"own takes/anna", "own takes/ben"}
    recordings = manifest_corpus(tmp_path / "recordings")
    found = own_takes.read_own_takes(recordings, "sweep")
    assert len(found) == 50
    assert len({r.speaker for r in found}) == 10
    with pytest.raises(TrainingError, match="holds no recordings of 'other'"):
        own_takes.read_own_takes(recordings, "other")


@needs_voices
@pytest.mark.parametrize(
    ("phrase", "told"),
    [
        ("go", "is short: 1 syllable of 2 sounds"),
        ("good morning", "is common: people say it"),
        ("a lexer", "sounds like the wake word “alexa”"),
        ("hey serious", "sounds like the wake word “hey siri”"),
        ("smart mirrors", "sounds like the wake word “smart mirror”"),
        ("smart mirror", None),
        ("hey nova", None),
    ],
)
def test_a_poor_phrase_is_reported_before_training(tmp_path, monkeypatch, phrase, told):
    monkeypatch.setattr("wakeword_daemon.training.data.neighbours.DICTIONARY", tmp_path / "none")
    found = phrase_check.complaints(phrase, ["jarvis", "smart_mirror"], tmp_path)
    assert bool(found) == (told is not None)
    assert told is None or any(told in complaint for complaint in found)


def test_noise_is_made_once_and_some_kinds_are_kept_for_measuring(tmp_path):
    made = noises(tmp_path)
    before = [r.path.stat().st_mtime_ns for r in made]
    assert [r.path.stat().st_mtime_ns for r in noises(tmp_path)] == before
    for recording in made:
        pcm = files.read(recording.path).astype(float)
        assert len(pcm) == 12 * SAMPLE_RATE
        assert 5000 < np.abs(pcm).max() < 8000
        assert np.sqrt(np.mean(pcm**2)) > 20
    corpus = replace(read_corpus(manifest_corpus(tmp_path / "one")), recordings=tuple(made))
    trained, judging = divide_noise(corpus)
    kinds = [{r.path.stem.split("_")[0] for r in part} for part in (trained, judging)]
    assert kinds[1] == {"guitar", "steps"}
    assert kinds[0].isdisjoint(kinds[1])


@needs_voices
def test_the_background_is_made_once_and_resumed(few_voices, monkeypatch, capsys):
    monkeypatch.setattr(background, "LONG_FORM", 4)
    command = ["background", "blue window", "--synthetic", "2"]
    jobs = background.background_jobs("blue window", few_voices, synthetic=2, seed=0)
    first = jobs[0].make()
    assert main(command) == 0
    told = capsys.readouterr().out
    wanted = sum(job.count for job in jobs)
    assert f"{wanted - len(first)} recordings to make" in told
    assert all(not job.missing() for job in jobs)
    assert main(command) == 0
    assert "to make" not in capsys.readouterr().out


@needs_voices
def test_what_all_words_share_does_not_depend_on_a_phrase(few_voices):
    def titles(phrase):
        jobs = background.background_jobs(phrase, few_voices, synthetic=2, seed=0)
        return {job.title for job in jobs}

    shared = titles(None)
    assert {"running", "invented"} < shared
    assert shared < titles("blue window")
    assert shared == titles("blue window") & titles("green door")


@pytest.fixture
def downloads(tmp_path):
    """Return a cache with small collections in the layouts of LibriSpeech and Speech Commands."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "downloads"
    for speaker in range(1, 8):
        chapter = folder / "LibriSpeech" / "dev-clean" / f"{speaker}" / "10"
        chapter.mkdir(parents=True)
        lines = []
        for number in range(2):
            name = f"{speaker}-10-{number:04}"
            soundfile.write(chapter / f"{name}.flac", rng.normal(0, 0.1, 8000), SAMPLE_RATE)
            lines.append(f"{name} SAID ALOUD\n")
        (chapter / f"{speaker}-10.trans.txt").write_text("".join(lines))
    commands = folder / "SpeechCommands" / "speech_commands_v0.02"
    lists = {"validation_list.txt": "", "testing_list.txt": ""}
    for number, name in enumerate(["", "validation_list.txt", "testing_list.txt"]):
        for label in ("yes", "marvin"):
            path = f"{label}/{number:08x}_nohash_0.wav"
            write(commands / path, rng.normal(0, 0.1, 8000))
            if name:
                lists[name] += f"{path}\n"
    write(commands / "_background_noise_" / "hum.wav", rng.normal(0, 0.1, 8000))
    for name, text in lists.items():
        (commands / name).write_text(text)
    return tmp_path


def test_downloaded_collections_are_read(downloads):
    found = datasets.fetched(downloads)
    assert all(r.path.is_file() and not r.noise for r in found)
    read = [r for r in found if r.source == "librispeech-dev-clean"]
    assert len(read) == 14
    assert {r.speaker for r in read if r.split == "val"} == {"librispeech-dev-clean/5"}
    said = [r for r in found if r.source == "speech_commands_v0.02"]
    assert sorted((r.word, r.split) for r in said) == [
        ("marvin", "train"), ("marvin", "val"), ("marvin", "val"),
        ("yes", "train"), ("yes", "val"), ("yes", "val"),
    ]  # fmt: skip
    trained = {r.speaker for r in found if r.split == "train"}
    assert trained.isdisjoint(r.speaker for r in found if r.split == "val")


def test_a_failed_download_is_explained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("torchaudio.datasets.librispeech.download_url_to_file", fail)
    assert main(["background", "--download", "librispeech"]) == 1
    told = capsys.readouterr()
    assert "LibriSpeech dev-clean, 5.4 h of people who read aloud: 338 MB, CC BY 4.0" in told.out
    assert "librispeech could not be fetched: no route to host" in told.err


def test_one_progress_bar_covers_all_stages():
    with progress.plan([Stage("one", 10), Stage("two", 30)]) as bar:
        progress.enter("one")
        for _ in progress.track(range(5), 5, "", "", seconds=4):
            pass
        assert bar.done == 10  # not 20
        progress.enter("two")
        bar.advance(3)
        assert bar.done == 13
    with progress.Progress(3, "", "take") as alone:
        alone.advance(1)


def test_a_plan_tells_the_time_of_this_machine(monkeypatch):
    progress._pace.cache_clear()
    assert progress._pace() > 0
    monkeypatch.setattr(progress, "_pace", lambda: 0.5)
    assert progress.duration_here(20) == "10 s"
    assert progress.duration_here(600) == "5 min"


def test_a_speaking_job_reports_what_is_missing_and_its_cost(tmp_path):
    rng = random.Random(0)  # noqa: S311 - a test
    assert speech.sentence_job("bulk", 7, ["espeak"], tmp_path, 0).missing() == 7
    assert speech.sentence_job("bulk", 7, ["espeak"], tmp_path, 0).seconds() < 1
    assert next(synthesis.voices(rng, ["flite"], held_out=None)).engine == "flite"
