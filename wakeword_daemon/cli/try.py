"""`wakeword try`: shows live how a model hears the microphone."""  # noqa: N999 - a command's name

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.audio.recorder import microphone
from wakeword_daemon.audio.sources import CaptureSettings
from wakeword_daemon.cli import _arguments, _audio
from wakeword_daemon.cli._line import Line
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.config import WordSection
from wakeword_daemon.counts import counted
from wakeword_daemon.engine.trigger import RELEASE
from wakeword_daemon.levels import level
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from wakeword_daemon.engine import Detector, Step
    from wakeword_daemon.pcm import Pcm

_EXAMPLES = """examples:
  wakeword try hey_nova.safetensors                  the microphone, until Ctrl-C
  wakeword try hey_nova.safetensors --threshold 0.8  would a stricter one still hear me?
  wakeword try jarvis --input evening.flac
  parec --rate=16000 --channels=1 --format=s16le | wakeword try jarvis --input -

Say the word as you would say it to the daemon: near and far, alone and with a command after it.
Each time the model would fire, it prints a line; the last line has the count. Nothing is recorded.
"""

_METER = 30
_SHOWN = 6
"""Steps of 80 ms of which the highest score is shown, because a single peak is too short to see."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", help="a model file, or the name of a word that ships")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--device",
        type=lambda text: int(text) if text.isdecimal() else text,
        help="a microphone other than the one in the config",
    )
    source.add_argument(
        "--input", metavar="FILE", help=f"use this instead of the microphone: {_audio.FORMATS}"
    )
    _arguments.add_threshold(parser)
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Listen until Ctrl-C or the end of the input, and count."""
    words = load_words({args.model: WordSection(threshold=args.threshold)})
    (model,) = words.models
    threshold = model.threshold_for(words.settings[model.name])
    attempt = _Attempt(words.detector(), threshold, model.phrase)
    print(f"say “{model.phrase}”; it fires from {threshold:.6g} on", flush=True)
    with contextlib.suppress(KeyboardInterrupt), _blocks(args) as blocks:
        for pcm in blocks:
            attempt.hear(pcm)
    attempt.finish()
    return 0


@contextlib.contextmanager
def _blocks(args: argparse.Namespace) -> Iterator[Iterator[Pcm]]:
    if args.input is not None:
        yield _audio.blocks(args.input)
        return
    audio = _arguments.read_config(args).audio
    with microphone(CaptureSettings(audio.device, audio.channel, audio.rate)) as blocks:
        yield blocks


class _Attempt:
    """What a model detected so far."""

    def __init__(self, detector: Detector, threshold: float, phrase: str) -> None:
        self._detector = detector
        self._threshold = threshold
        self._phrase = phrase
        self._line = Line(sys.stdout, after=0, every=0)
        self._recent: list[float] = [0.0]
        self._samples = 0
        self._fired = 0
        self._nearly = 0.0  # the highest score of a rise that did not fire
        self._rise = 0.0

    def hear(self, pcm: Pcm) -> None:
        """Hear a block of audio, and show what came of it."""
        trace: list[Step] = []
        detections = self._detector.push(pcm, trace)
        self._samples += len(pcm)
        for step in trace:
            (score,) = step.scores.values()
            self._recent = [*self._recent, score][-_SHOWN:]
            self._follow(score)
        for detection in detections:
            self._fired += 1
            self._line.wipe()
            at = detection.sample / SAMPLE_RATE
            print(
                f"{at:7.1f} s  “{self._phrase}” fires, score {detection.score:.3f},"
                f" number {self._fired}",
                flush=True,
            )
        if self._line.shows:
            self._show(pcm)

    def finish(self) -> None:
        """Say how often it fired."""
        self._line.wipe()
        length = time.strftime("%M:%S", time.gmtime(self._samples / SAMPLE_RATE))
        nearly = max(self._nearly, self._rise if self._rise < self._threshold else 0)
        print(
            f"it fired {counted(self._fired, 'time')} in {length};"
            f" the highest score that did not fire is {nearly:.3f}"
        )

    def _follow(self, score: float) -> None:
        """Keep the peak of each rise of the score; a rise ends where the trigger is released."""
        self._rise = max(self._rise, score)
        if score < self._threshold * RELEASE:
            if self._rise < self._threshold:
                self._nearly = max(self._nearly, self._rise)
            self._rise = 0.0

    def _show(self, pcm: Pcm) -> None:
        """Show the score and the level in place of the line before."""
        score = max(self._recent)
        bar = round(_METER * score)
        mark = min(round(_METER * self._threshold), _METER - 1)
        meter = "".join(
            "│" if place == mark else "█" if place < bar else "·" for place in range(_METER)
        )
        loudness = level(np.asarray(pcm))
        self._line.show(f"[{meter}] {score:.3f}  {loudness:4.0f} dBFS  fired {self._fired}")
