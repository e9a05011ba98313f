"""`wakeword listen`: prints detections, and the daemon's state on standard error."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon.cli import _arguments
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.client import subscribe
from wakeword_daemon.events.items import DetectionWithAudio

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from wakeword_daemon.events.client import Events
    from wakeword_daemon.events.protocol import Detection

_EXAMPLES = """examples:
  wakeword listen                          one line per detection, until Ctrl-C
  wakeword listen --json | while read -r event; do ...; done
  wakeword listen --count 1 --timeout 10   wait for one; exit code 1 if none came
  wakeword listen --record commands        what was said after each word, as commands/NAME-TIME.wav
  wakeword listen --until-silence 1 --pipe 'aplay -t raw -f S16_LE -r 16000'

It waits if there is no daemon yet, or if the daemon goes away. Once connected again, it prints what
was heard in the meantime, as far as the daemon still has it. On standard error it says where it is
connected, and whether the daemon hears anything.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object per detection")
    parser.add_argument(
        "--word",
        metavar="NAME",
        action="append",
        help="only this word; may be given more than once",
    )
    parser.add_argument(
        "--count", type=_arguments.positive_int, metavar="N", help="end after N detections"
    )
    parser.add_argument(
        "--timeout", type=_arguments.positive_float, metavar="S", help="end after S seconds"
    )
    audio = parser.add_argument_group(
        "audio", "what the daemon's microphone records after each word: s16le, 16 kHz, mono"
    )
    audio.add_argument(
        "--record", type=Path, metavar="DIR", help="write a WAV file for each detection to DIR"
    )
    audio.add_argument(
        "--pipe",
        metavar="COMMAND",
        help="run this shell command for each detection, with the audio on its standard input",
    )
    audio.add_argument(
        "--pre-roll",
        type=_arguments.positive_float,
        default=0.0,
        metavar="S",
        help="seconds of audio from before the end of the word (default: 0)",
    )
    audio.add_argument(
        "--seconds",
        type=_arguments.positive_float,
        default=10.0,
        metavar="S",
        help="at most so many seconds of audio after the end of the word (default: 10)",
    )
    audio.add_argument(
        "--until-silence",
        type=_arguments.positive_float,
        metavar="S",
        help="end the audio after so many seconds of silence",
    )
    _arguments.add_address(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print detections; return 1 if there were fewer than --count."""
    logging.basicConfig(level=logging.INFO, format="wakeword: %(message)s")
    if args.record is not None:
        _make_folder(args.record)
    printed = 0
    with _subscribe(args) as events:
        for detection in events:
            line = msgspec.json.encode(detection).decode() if args.json else _line(detection)
            print(line, flush=True)
            if isinstance(detection, DetectionWithAudio):
                _deliver(detection, args.record, args.pipe)
            printed += 1
            if printed == args.count:
                break
    return 0 if printed >= (args.count or 0) else 1


def _subscribe(args: argparse.Namespace) -> Events[Detection]:
    try:
        return subscribe(
            args.socket,
            words=args.word,
            audio="none" if args.record is None and args.pipe is None else "after",
            pre_roll=args.pre_roll,
            seconds=args.seconds,
            until_silence=args.until_silence,
            timeout=args.timeout,
            token=args.token,
        )
    except ValueError as error:
        raise EventsError(str(error)) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EventsError(f"cannot make the folder {folder}: {error.strerror}") from None


def _deliver(detection: DetectionWithAudio, folder: Path | None, command: str | None) -> None:
    """Write the audio of a detection to a WAV file in `folder`, and to the input of `command`.

    Missing audio is replaced by zeros, so that the rest keeps its time.
    """
    with contextlib.ExitStack() as outputs:
        writers: list[Callable[[bytes], object]] = []
        if folder is not None:
            clock = time.strftime("%Y%m%d-%H%M%S", time.localtime(detection.wall_time))
            path = folder / f"{detection.name}-{clock}-{detection.sequence}.wav"
            recording = outputs.enter_context(wave.open(str(path), "wb"))
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(SAMPLE_RATE)
            writers.append(recording.writeframes)
        if command is not None:
            process = outputs.enter_context(
                subprocess.Popen(command, shell=True, stdin=subprocess.PIPE)  # noqa: S602 -- a shell command is what is asked for
            )
            writers.append(_until_it_leaves(process))
        for samples in detection.audio:
            for write in writers:
                write(bytes(2 * samples.lost) + samples.pcm)


def _until_it_leaves(process: subprocess.Popen[bytes]) -> Callable[[bytes], object]:
    """Return a function that writes to a process's input until the process closes it."""
    pipe = process.stdin

    def write(pcm: bytes) -> None:
        if pipe is not None and not pipe.closed:
            try:
                pipe.write(pcm)
                pipe.flush()
            except BrokenPipeError:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    return write


def _line(detection: Detection) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(detection.wall_time))
    return f"{clock}  {detection.name}  {detection.score:.3f}  {detection.level:.0f} dBFS"
