"""`wakeword review`: clips of what was heard and nearly heard, to listen to and to label."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon.cli import _arguments
from wakeword_daemon.cli._keys import Keys, keys
from wakeword_daemon.cli._player import Player
from wakeword_daemon.clips.clip import LABELS, Clip, Label
from wakeword_daemon.clips.export import export
from wakeword_daemon.clips.folder import ClipFolder, folder_of_clips
from wakeword_daemon.counts import counted
from wakeword_daemon.errors import WakewordError

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword review                       listen to the clips without a label, and label them
  wakeword review --all                 to all clips, the labelled ones too
  wakeword review --list --json         print what there is
  wakeword review --label wrong 20261127-040512.345-jarvis-detection
  wakeword review --export recordings --speaker anna

right: it reported a word that was said, or reported nothing when nobody said the word.
wrong: it reported a word that nobody said.  missed: it did not report a word that was said.

The daemon keeps clips if the config says `clips: {keep: true}`.
"""

_QUESTIONS = {
    "detection": "r right, it was said    w wrong, nobody said it",
    "near-miss": "m missed, it was said   r right, nobody said it",
}
_MORE = "p play again   s skip   b back   d delete   q quit"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the clips, one a line")
    what.add_argument(
        "--label",
        choices=["right", "wrong", "missed", "none"],
        help="label the clips NAME...",
    )
    what.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="copy the labelled clips to DIR and list them in its manifest.csv, for `wakeword"
        " train`",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="clips, for --label")
    parser.add_argument("--json", action="store_true", help="with --list, one JSON object per clip")
    parser.add_argument("--all", action="store_true", help="listen to labelled clips too")
    parser.add_argument(
        "--speaker",
        default="me",
        metavar="NAME",
        help="with --export, who says the words in the clips (default: me)",
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the clips are")
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """List, label, export or play the clips."""
    if bool(args.names) != bool(args.label):
        raise WakewordError("--label takes the names of clips, as --list prints them")
    folder = ClipFolder(args.folder or _configured(args))
    if args.label:
        for name in args.names:
            folder.label(name, None if args.label == "none" else args.label)
        return 0
    if args.export is not None:
        said, other = export(folder, args.export, args.speaker)
        print(f"{args.export}: added {counted(said, 'clip')} with a wake word and {other} without")
        return 0
    if args.list:
        for name, clip in folder.clips():
            print(_json(name, clip) if args.json else f"{name}  {_line(clip)}")
        return 0
    waiting = [name for name, clip in folder.clips() if args.all or clip.label is None]
    if not waiting:
        print(f"there are no clips to label in {folder.path}")
        return 0
    return _listen(folder, waiting)


def _configured(args: argparse.Namespace) -> Path:
    return folder_of_clips(_arguments.read_config(args).clips.folder)


def _json(name: str, clip: Clip) -> str:
    return json.dumps({"name": name} | msgspec.to_builtins(clip))


def _line(clip: Clip) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(clip.wall_time))
    kind = clip.kind.replace("-", " ")
    score = f"score {clip.score:.3f} of {clip.threshold:.3f}"
    return f"{when}  {clip.word}  {kind}, {score}" + (f", {clip.label}" if clip.label else "")


def _listen(folder: ClipFolder, waiting: list[str]) -> int:
    """Play one clip after the other and ask for each label."""
    player = Player()
    at = labelled = 0
    with keys("listening to clips") as keyboard:
        try:
            while at < len(waiting):
                try:
                    clip = folder.read(waiting[at])
                except WakewordError:  # the daemon has deleted it meanwhile
                    del waiting[at]
                    continue
                print(f"{at + 1} of {len(waiting)}  {_line(clip)}")
                print(f"  {_QUESTIONS[clip.kind]}\n  {_MORE}")
                key = _ask(keyboard, player, folder.audio(waiting[at]), clip)
                match key:
                    case "q":
                        break
                    case "b":
                        at = max(at - 1, 0)
                    case "s":
                        at += 1
                    case "d":
                        folder.delete(waiting.pop(at))
                        print("  deleted")
                    case _:
                        label = _label(clip, key)
                        folder.label(waiting[at], label)
                        print(f"  {label}")
                        labelled += 1
                        at += 1
        finally:
            player.stop()
    print(f"{labelled} labelled, {len(waiting) - at} left")
    return 0


def _ask(keyboard: Keys, player: Player, audio: Path, clip: Clip) -> str:
    letters = "".join(label[0] for label in LABELS[clip.kind])
    while True:
        if failure := player.play(audio):
            print(f"  {failure}")
        if (key := keyboard.choose(letters + "psbdq")) != "p":
            player.stop()
            return key


def _label(clip: Clip, key: str) -> Label:
    return next(label for label in LABELS[clip.kind] if label.startswith(key))
