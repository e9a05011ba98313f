"""`wakeword record` in a terminal, with speech played into a sound server's microphone."""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, WAKEWORD, recording, wakeword
from support.limits import fill, small_disk
from support.terminal import Terminal

from wakeword_daemon.cli.record import RecordedTakes
from wakeword_daemon.clock import SAMPLE_RATE

pytestmark = pytest.mark.sound


@pytest.fixture
def said(tmp_path):
    """Words to play: one voice, another, and one far too loud."""
    recording(tmp_path / "slt.wav", "jarvis-slt", 0.1)
    recording(tmp_path / "rms.wav", "jarvis-rms", 0.1)
    pcm = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")[0].astype(np.int32)
    loud = (pcm * 20).clip(-32_768, 32_767).astype(np.int16)
    soundfile.write(tmp_path / "loud.wav", loud, SAMPLE_RATE, subtype="PCM_16")
    return tmp_path


def rows(data):
    with (data / "manifest.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_guided_takes_become_recordings_to_train_on(room, said, tmp_path):
    data = tmp_path / "recordings"
    arguments = ("record", "jarvis", "--data", data, "--speaker", "anna", "--takes", 2)
    with Terminal(*WAKEWORD, *arguments, environ=room.env()) as terminal:
        terminal.prints("take 1 of 2")
        terminal.prints("dBFS [")  # the countdown with its level
        terminal.prints("now say “jarvis”")
        room.play(said / "slt.wav")
        terminal.prints("good: 0.")
        assert "└" in terminal.printed  # what is kept
        assert "▅" in terminal.printed
        terminal.type("\n")
        terminal.prints("take 2 of 2")
        terminal.prints("now say", times=terminal.printed.count("now say") + 1)
        room.play(said / "slt.wav")
        terminal.prints("it is the same recording as an earlier take")
        terminal.type("\n")  # which is not offered
        terminal.type("r")
        terminal.prints("once more")
        terminal.prints("now say", times=terminal.printed.count("now say") + 1)
        room.play(said / "loud.wav")
        terminal.prints("is clipped: turn the microphone down")
        terminal.type("r")
        terminal.prints("once more", times=2)
        terminal.prints("nothing was heard", times=1)  # because nothing is played
        terminal.type("r")
        terminal.prints("once more", times=3)
        terminal.prints("now say", times=terminal.printed.count("now say") + 1)
        room.play(said / "rms.wav")
        terminal.prints("good: ", times=2)
        terminal.type("\n")
        assert terminal.end() == 0
        assert "added 2 takes by anna to" in terminal.printed
    first, second = rows(data)
    assert (first["path"], second["path"]) == (
        "words/jarvis/anna-001.flac",
        "words/jarvis/anna-002.flac",
    )
    assert {(row["word"], row["speaker"], row["split"]) for row in (first, second)} == {
        ("jarvis", "anna", "train")
    }
    pcm = soundfile.read(data / first["path"], dtype="int16")[0]
    assert abs(len(pcm) / SAMPLE_RATE - float(first["seconds"])) < 0.01
    done = wakeword("detect", "--word", "jarvis", data / first["path"], data / second["path"])
    assert len(done.stdout.splitlines()) == 2  # the word is in both
    check = (
        "from pathlib import Path; from wakeword_daemon.training.data.corpus import read_corpus;"
        f"print(read_corpus(Path({str(data)!r})).words())"
    )
    read = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, env=os.environ
    )
    assert read.stdout.strip() == "Counter({'jarvis': 2})"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_interruption_loses_at_most_the_current_take(room, said, tmp_path, end):
    data = tmp_path / "recordings"
    arguments = ("record", "jarvis", "--data", data, "--speaker", "anna")
    with Terminal(*WAKEWORD, *arguments, environ=room.env(), columns=24) as terminal:
        terminal.prints("now say")
        assert terminal.text.count("now say") == 1  # a meter on a narrow terminal is one line too
        room.play(said / "slt.wav")
        terminal.prints("good")
        terminal.type("\n")
        terminal.prints("take 2 of 10")
        terminal.process.send_signal(end)
        code = terminal.end()
    assert code == (130 if end == signal.SIGINT else -signal.SIGKILL)
    assert len(rows(data)) == 1
    if end == signal.SIGINT:
        assert "added 1 take by anna to" in terminal.printed


def test_a_full_disk_loses_at_most_the_current_take(room, said):
    with small_disk() as disk:
        arguments = ("record", "jarvis", "--data", disk, "--speaker", "anna", "--takes", 2)
        with Terminal(*WAKEWORD, *arguments, environ=room.env()) as terminal:
            terminal.prints("now say")
            room.play(said / "slt.wav")
            terminal.prints("good")
            terminal.type("\n")
            terminal.prints("take 2 of 2")
            ballast = fill(disk)
            terminal.prints("now say", times=terminal.printed.count("now say") + 1)
            room.play(said / "rms.wav")
            terminal.prints("good", times=2)
            terminal.type("\n")
            assert terminal.end() == 1
        lost = disk / "words/jarvis/anna-002.flac"
        assert f"wakeword: cannot use {lost}: No space left on device\n" in terminal.printed
        assert f"added 1 take by anna to {disk}" in terminal.printed
        assert len(rows(disk)) == 1
        assert {path.name for path in disk.rglob("*.*")} == {"anna-001.flac", "manifest.csv"}
        assert soundfile.info(disk / rows(disk)[0]["path"]).frames > SAMPLE_RATE / 2
        ballast.unlink()


def test_a_speaker_of_the_other_split_is_refused(tmp_path):
    data = tmp_path / "recordings"
    data.mkdir()
    (data / "manifest.csv").write_text(
        "path,word,speaker,split,seconds,source\nx.flac,jarvis,anna,val,1.0,own recordings\n"
    )
    done = wakeword("record", "jarvis", "--data", data, "--speaker", "anna")
    assert done.returncode == 1
    assert "anna is in the split val of" in done.stderr


def test_a_take_whose_name_is_too_long_counts_as_missing(tmp_path):
    long = f"{300 * 'a'}.flac,jarvis,anna,train,1.0,own recordings"
    (tmp_path / "manifest.csv").write_text(f"path,word,speaker,split,seconds,source\n{long}\n")
    assert RecordedTakes(tmp_path, "jarvis", "anna", "train").earlier == []


def test_record_needs_a_terminal_and_a_microphone(room, tmp_path):
    done = wakeword("record", "jarvis", "--data", tmp_path, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (
        1,
        "wakeword: recording takes needs a terminal\n",
    )
    room.kill()
    with Terminal(
        *WAKEWORD, "record", "jarvis", "--data", tmp_path, environ=room.env()
    ) as terminal:
        assert terminal.end() == 1
        assert "There is no microphone, or the sound server is not running." in terminal.printed
