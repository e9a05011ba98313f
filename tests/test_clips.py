"""Clips that are kept: their content, their limits, and who may read them."""

import csv
import json
import os
import stat
import subprocess
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace
from support.daemon import AUDIO, WAKEWORD, Daemon, recording, until, wakeword
from support.terminal import Terminal

from wakeword_daemon.clips.clip import Clip
from wakeword_daemon.clips.folder import ClipError, ClipFolder, ClipLimits
from wakeword_daemon.clips.nearmiss import NearMisses
from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine import Detection, Step

MANY = ClipLimits(100, 100, 100)


def clip(number=0, **changes):
    made = Clip(
        word="jarvis", kind="detection", score=0.9, threshold=0.5, model="m",
        wall_time=time.time() - 1000 + number, at=2.0, seconds=2.8,
    )  # fmt: skip
    return replace(made, **changes)


def noise(seconds=2.8, seed=0):
    return np.random.default_rng(seed).normal(0, 3000, round(seconds * 16_000)).astype(np.int16)


@pytest.fixture
def folder(tmp_path):
    return ClipFolder(tmp_path / "state" / "clips")


def test_a_clip_is_read_back_unchanged_and_is_private(folder):
    pcm = noise()
    folder.add(clip(), pcm)
    (name,) = folder.names()
    assert folder.read(name).score == 0.9
    assert np.array_equal(soundfile.read(folder.audio(name), dtype="int16")[0], pcm)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.path.iterdir()}
    assert modes == {0o600}
    assert sorted(file.suffix for file in folder.path.iterdir()) == [".flac", ".json"]


def test_a_label_must_fit_the_kind_of_clip(folder):
    folder.add(clip(0), noise())
    folder.add(clip(1, kind="near-miss", score=0.3), noise())
    detection, near = folder.names()
    assert folder.read(detection).said is None
    assert folder.label(detection, "right").said is True
    assert folder.label(detection, "wrong").said is False
    assert folder.label(near, "missed").said is True
    assert folder.label(near, "right").said is False
    assert folder.label(near, None).said is None
    with pytest.raises(ClipError, match="a detection is right or wrong, not missed"):
        folder.label(detection, "missed")
    for name in ("../secret", "", "/etc/passwd", ".hidden"):
        with pytest.raises(ClipError, match="not the name of a clip"):
            folder.read(name)
    with pytest.raises(ClipError, match="there is no clip nothing"):
        folder.label("nothing", "right")


def test_the_oldest_clips_are_removed_first_and_labelled_ones_last(folder):
    for number in range(6):
        folder.add(clip(number), noise(seed=number))
    names = folder.names()
    folder.label(names[0], "right")
    assert folder.prune(ClipLimits(4, 100, 100)) == 2
    assert folder.names() == [names[0], *names[3:]]
    size = folder.audio(names[0]).stat().st_size
    folder.prune(ClipLimits(100, 2.5 * size / 1e6, 100))
    assert folder.names() == [names[0], names[5]]
    folder.prune(ClipLimits(1, 100, 100))
    assert folder.names() == [names[0]]
    folder.prune(ClipLimits(100, 100, 0.001))  # old is old, with a label too
    assert folder.names() == []
    assert list(folder.path.iterdir()) == []


@pytest.fixture
def opened(monkeypatch):
    """The files that are opened, in order."""
    paths = []
    real = open

    def recorded(path, *rest, **named):
        paths.append(Path(path).name if isinstance(path, str | os.PathLike) else path)
        return real(path, *rest, **named)

    monkeypatch.setattr("builtins.open", recorded)
    monkeypatch.setattr("io.open", recorded)
    return paths


def test_pruning_reads_only_what_may_be_deleted(folder, opened):
    for number in range(20):
        folder.add(clip(number), noise(0.1))
    names = folder.names()
    for name in names[:5]:
        folder.label(name, "right")
    opened.clear()
    assert folder.prune(ClipLimits(20, 100, 100)) == 0
    assert opened == []
    assert folder.prune(ClipLimits(19, 100, 100)) == 1
    assert opened == [f"{name}.json" for name in names[:6]]
    opened.clear()
    assert folder.prune(ClipLimits(18, 100, 100)) == 1
    assert opened == [f"{names[6]}.json"]  # the labels are known
    folder.label(names[0], None)
    opened.clear()
    assert folder.prune(ClipLimits(17, 100, 100)) == 1
    assert opened == [f"{names[0]}.json"]
    assert folder.prune(ClipLimits(100, 100, 0.001)) == 17
    assert opened == [f"{names[0]}.json"]  # the name says how old it is


def test_a_folder_that_is_not_full_takes_no_memory_to_look_through(folder):
    folder.path.mkdir(parents=True)
    for number in range(500):
        for file in (folder.path / f"{clip(number).name}.json", folder.audio(clip(number).name)):
            file.write_bytes(b"{}")
    peaks = []
    for limits in (ClipLimits(500, 100, 100_000), ClipLimits(499, 100, 100_000)):
        folder.prune(ClipLimits(500, 100, 100_000))  # loads what it needs
        tracemalloc.start()
        folder.prune(limits)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 20_000
    assert peaks[1] > 100_000  # to find the oldest, it has to know all


def test_a_damaged_clip_does_not_stay_for_ever(folder):
    for number in range(3):
        folder.add(clip(number), noise(0.1))
    names = folder.names()
    (folder.path / f"{names[0]}.json").write_bytes(b"")
    assert folder.prune(ClipLimits(2, 100, 100)) == 1
    assert folder.names() == names[1:]


def test_other_files_in_the_folder_are_left_alone(folder):
    folder.add(clip(), noise())
    (folder.path / "notes.json").write_text("{}")
    (folder.path / "notes.flac").write_text("")
    assert len(list(folder.clips())) == 1
    folder.prune(ClipLimits(1, 1e-9, 100))
    assert sorted(file.name for file in folder.path.iterdir()) == ["notes.flac", "notes.json"]


def near_misses(scores, fired=(), threshold=0.8):
    watched = NearMisses(0.5)
    found = []
    for hop, score in enumerate(scores):
        sample = (hop + 1) * HOP
        detections = [Detection("jarvis", score, sample, -30, "m")] if hop in fired else []
        found += watched.take([Step(sample, {"jarvis": score})], detections, {"jarvis": threshold})
    return found


QUIET = [0.01] * 60


def test_a_score_that_rises_and_falls_gives_one_near_miss():
    (miss,) = near_misses([*QUIET, 0.3, 0.5, 0.7, 0.6, 0.2, *QUIET])
    assert (miss.word, miss.score, miss.threshold) == ("jarvis", 0.7, 0.8)
    assert miss.sample == 63 * HOP


def test_low_scores_and_detections_are_not_near_misses():
    assert near_misses([*QUIET, 0.3, 0.39, *QUIET]) == []
    assert near_misses([*QUIET, 0.6, 0.9, 0.7, *QUIET], fired={61}) == []
    assert near_misses([*QUIET, 0.9, 0.1, 0.1, 0.1, 0.6, *QUIET], fired={60}) == []  # its echo
    rising = [*QUIET, 0.5, 0.15, 0.15, 0.9, *QUIET]
    assert near_misses(rising, fired={63}) == []  # it was the word after all


def test_two_attempts_give_two_near_misses():
    assert len(near_misses([*QUIET, 0.6, *QUIET, 0.7, *QUIET])) == 2


def configured(folder, *lines):
    path = folder / "config.yaml"
    path.write_text(
        "clips:\n  keep: true\n  folder: clips\n" + "".join(f"  {line}\n" for line in lines)
    )
    return path


@pytest.mark.slow
def test_the_daemon_keeps_a_clip_of_each_detection(tmp_path):
    recording(tmp_path / "in.wav", 4.0, "jarvis-slt", 60.0)
    config = configured(tmp_path)
    folder = ClipFolder(tmp_path / "clips")
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        until(folder.names, "a clip")
        event = daemon.status()["last_detection"]
    (name,) = folder.names()
    kept = folder.read(name)
    assert (kept.word, kept.kind, kept.label) == ("jarvis", "detection", None)
    assert kept.score == pytest.approx(event["score"], abs=1e-5)
    assert abs(kept.wall_time - event["wall_time"]) < 0.1
    heard = soundfile.read(folder.audio(name), dtype="int16")[0]
    word = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")[0]
    found = np.correlate(heard.astype(float), word.astype(float))
    assert found.max() == pytest.approx(float((word.astype(float) ** 2).sum()))  # to the sample
    done = wakeword("detect", "--word", "jarvis", folder.audio(name))
    assert "jarvis" in done.stdout


@pytest.mark.slow
def test_the_daemon_keeps_a_clip_of_a_near_miss(tmp_path):
    recording(tmp_path / "in.wav", 4.0, "jarvis-slt", 60.0)
    config = configured(tmp_path)
    config.write_text(config.read_text() + "words:\n  jarvis:\n    threshold: 0.9999999\n")
    folder = ClipFolder(tmp_path / "clips")
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        until(folder.names, "a clip")
        assert daemon.status()["last_detection"] is None
    (kept,) = (kept for _, kept in folder.clips())
    assert kept.kind == "near-miss"
    assert 0.5 < kept.score < kept.threshold
    assert kept.seconds - kept.at == pytest.approx(0.8, abs=0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
@pytest.mark.slow
def test_a_full_disk_is_logged_once_and_does_not_disturb_listening(tmp_path):
    recording(tmp_path / "in.wav", 3.0, "jarvis-slt", 3.0, "jarvis-rms", 3.0, "jarvis-slt", 60.0)
    config = configured(tmp_path)
    small = tmp_path / "clips"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", small]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
            daemon.notified("READY")
            until(lambda: daemon.status()["sequence"] == 4, "three detections")
            until(lambda: "no clips are kept" in daemon.log, "a complaint")
            time.sleep(1.5)  # what may be written still
            status = daemon.status()
            assert (status["state"], status["gaps"]) == ("listening", 0)
            assert daemon.log.count("no clips are kept") == 1
            assert "No space left on device" in daemon.log
            assert ClipFolder(small).names() == []
            assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_review_at_a_terminal(folder):
    folder.add(clip(0), noise())
    folder.add(clip(1, kind="near-miss", score=0.3), noise())
    folder.add(clip(2), noise())
    folder.add(clip(3), noise())
    names = folder.names()
    with Terminal(*WAKEWORD, "review", "--folder", folder.path) as terminal:
        terminal.prints("1 of 4")
        terminal.prints("r right, it was said    w wrong, nobody said it")
        terminal.type("x")  # no such key
        terminal.type("r")
        terminal.prints("2 of 4")
        terminal.prints("m missed, it was said   r right, nobody said it")
        terminal.type("pm")
        terminal.prints("3 of 4")
        terminal.type("w")
        terminal.prints("4 of 4")
        terminal.type("d")
        assert terminal.end() == 0
        assert "3 labelled, 0 left" in terminal.printed
    labels = [folder.read(name).label for name in names[:3]]
    assert labels == ["right", "missed", "wrong"]
    assert folder.names() == names[:3]


def test_review_without_a_terminal(folder):
    review = ("review", "--folder", folder.path)
    assert "there are no clips to label in" in wakeword(*review).stdout
    folder.add(clip(), noise())
    (name,) = folder.names()
    done = wakeword(*review, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (
        1,
        "wakeword: listening to clips needs a terminal\n",
    )
    assert wakeword(*review, "--label", "wrong", name).returncode == 0
    (line,) = wakeword(*review, "--list", "--json").stdout.splitlines()
    assert json.loads(line)["label"] == "wrong"
    assert wakeword(*review, "--list").stdout.startswith(name)
    refused = wakeword(*review, "--label", "missed", name)
    assert refused.returncode == 1
    assert "a detection is right or wrong, not missed" in refused.stderr


def test_labelled_clips_become_recordings_to_train_on(folder, tmp_path):
    for number, changes in enumerate(
        [{"label": "right"}, {"label": "wrong"}, {"kind": "near-miss", "label": "missed"}, {}]
    ):
        folder.add(clip(number, **changes), noise(seed=number))
    export = ("review", "--folder", folder.path, "--export", tmp_path / "data")
    done = wakeword(*export, "--speaker", "anna")
    assert done.stdout.strip().endswith("added 2 clips with a wake word and 1 without")
    with (tmp_path / "data/manifest.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert sorted((row["word"], row["speaker"]) for row in rows) == [
        ("", ""),
        ("jarvis", "anna"),
        ("jarvis", "anna"),
    ]
    for row in rows:
        assert soundfile.info(tmp_path / "data" / row["path"]).samplerate == SAMPLE_RATE
    again = wakeword(*export, "--speaker", "anna")
    assert again.stdout.strip().endswith("added 0 clips with a wake word and 0 without")
