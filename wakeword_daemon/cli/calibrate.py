"""`wakeword calibrate`: thresholds for this room, from what the daemon hears in it."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import re
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments, _audio
from wakeword_daemon.cli._line import Line, clock
from wakeword_daemon.clock import seconds
from wakeword_daemon.counts import counted
from wakeword_daemon.engine.calibration import RoomScores, propose
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.events.client import set_threshold, watch
from wakeword_daemon.events.protocol import Info, Telemetry
from wakeword_daemon.words import Words, load_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakeword_daemon.engine import Step
    from wakeword_daemon.engine.calibration import Proposal
    from wakeword_daemon.engine.modelfile import ModelCard

_EXAMPLES = """examples:
  wakeword calibrate --for 4h                    an evening, with the running daemon
  wakeword calibrate --for 4h --rate 0.1 --save  stricter, and write it into the config
  wakeword calibrate --from evening.flac         from a recording, as fast as the machine can

Spend the evening as usual, with television, music or visitors. But nobody may say the wake words,
because every detection counts as false. Ctrl-C stops early, and the proposal is made from what was
heard until then.
"""

_UNITS = {"s": 1, "min": 60, "h": 3600}
_LEAST = 60.0
"""Seconds of audio from which a proposal is made."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--for",
        dest="duration",
        type=_duration,
        default=3 * 3600.0,
        metavar="TIME",
        help="how long to listen: 90min, 4h (default: 3h)",
    )
    parser.add_argument(
        "--rate",
        type=_arguments.positive_float,
        default=0.25,
        metavar="R",
        help="false accepts an hour to stay within, for each word (default: 0.25)",
    )
    parser.add_argument(
        "--from",
        dest="recordings",
        nargs="+",
        metavar="FILE",
        help=f"use recordings instead of the daemon's microphone: {_audio.FORMATS}",
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="let the running daemon use the thresholds, and write them into its config",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per word")
    _arguments.add_word(parser)
    _arguments.add_address(parser)
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Listen, and print a proposal for each word."""
    if args.save and args.recordings:
        raise WakewordError("--save changes the running daemon, but --from does not use it")
    words = load_words(_arguments.read_config(args).words)
    scores = {name: RoomScores(words.settings[name].refractory) for name in words.names}
    if args.recordings:
        _hear(words, args.recordings, scores)
    else:
        _watch(args, scores)
    hours = max(one.hours for one in scores.values())
    if hours * 3600 < _LEAST:
        raise WakewordError(
            f"{hours * 3600:.0f} s were heard; a proposal needs at least a minute, and better hours"
        )
    proposals = {
        model.name: propose(scores[model.name], model.card, args.rate)
        for model in words.models
        if scores[model.name].hops
    }
    _print(args, words, scores, proposals)
    if args.save:
        for name, proposal in proposals.items():
            done = set_threshold(name, proposal.threshold, save=True, socket=args.socket)
            print(f"{name}: {done.threshold:.6g} is in force and in {done.saved}", file=sys.stderr)
    return 0


def _hear(words: Words, recordings: list[str], scores: Mapping[str, RoomScores]) -> None:
    with Line() as line:
        for name in recordings:
            detector = words.detector()
            heard = 0
            for pcm in _audio.blocks(name):
                trace: list[Step] = []
                detector.push(pcm, trace)
                for step in trace:
                    for word, score in step.scores.items():
                        scores[word].add([score])
                heard += len(pcm)
                line.show(f"{name}: {clock(seconds(heard))} heard")


def _watch(args: argparse.Namespace, scores: Mapping[str, RoomScores]) -> None:
    """Collect the daemon's scores until the time is over or Ctrl-C."""
    logging.basicConfig(format="wakeword: %(message)s")  # that the daemon is away, or hears nothing
    end = time.monotonic() + args.duration
    next_hop = None
    # What was heard before Ctrl-C is used.
    with contextlib.suppress(KeyboardInterrupt), Line(every=1.0) as line:
        for item in watch(args.socket, timeout=args.duration, token=args.token):
            if isinstance(item, Info):
                _refuse_strangers(item, scores)
                continue
            if not isinstance(item, Telemetry):
                continue
            for word, few in item.scores.items():
                if next_hop not in (None, item.hop):  # what is missing is silence, not a loud word
                    scores[word].add([0.0])
                scores[word].add(few)
            next_hop = item.hop + len(item.level)
            left = clock(max(end - time.monotonic(), 0))
            highest = "  ".join(f"{name} {one.highest:.3f}" for name, one in scores.items())
            line.show(f"{left} to go; highest scores: {highest}")


def _refuse_strangers(daemon: Info, scores: Mapping[str, RoomScores]) -> None:
    if unknown := sorted(set(daemon.words) - set(scores)):
        raise WakewordError(
            f"the daemon listens for {', '.join(unknown)}, which the config here does not name;"
            " give the daemon's own by --config, or its words by --word"
        )


def _print(
    args: argparse.Namespace,
    words: Words,
    scores: Mapping[str, RoomScores],
    proposals: Mapping[str, Proposal],
) -> None:
    models = {model.name: model for model in words.models}
    if args.json:
        for name, proposal in proposals.items():
            now = models[name].threshold_for(words.settings[name])
            room = scores[name]
            row = {
                "name": name,
                "hours": round(room.hours, 3),
                "now": now,
                "false_accepts_now": room.false_accepts(now),
                "card_takes": models[name].card.takes,
                "card_hours": models[name].card.hours,
            }
            print(json.dumps(row | asdict(proposal)))
        return
    for name, proposal in proposals.items():
        room = scores[name]
        now = models[name].threshold_for(words.settings[name])
        print(
            f"{name}: {room.hours:.2f} h heard, highest score {room.highest:.3f}\n"
            f"  now        {now:<10.6g}{counted(room.false_accepts(now), 'false accept')} here\n"
            f"  proposed   {proposal.threshold:<10.6g}"
            f"{counted(proposal.false_accepts, 'false accept')} here,"
            f" so with 90 % confidence fewer than {proposal.at_most:.2f} an hour\n"
            f"  misses     {_misses(proposal, models[name].card)}"
        )
    print("\nfor the config:\n\nwords:")
    for name, proposal in proposals.items():
        print(f"  {name}:\n    threshold: {proposal.threshold:.6g}")


def _misses(proposal: Proposal, card: ModelCard) -> str:
    if proposal.measured_from is None:
        return "its card says nothing of misses"
    if proposal.miss_rate is None:
        return "more than the card was measured at: the threshold is higher than any there"
    behind = f"of {card.takes} clean takes and {card.hours:.1f} h of other speech"
    return f"{proposal.miss_rate:.1%} by its card, {behind}"


def _duration(text: str) -> float:
    """Read a time such as 90min; return seconds."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|min|h)", text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90min or 4h")
    return float(found[1]) * _UNITS[found[2]]
