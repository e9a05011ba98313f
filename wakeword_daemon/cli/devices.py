"""`wakeword devices`: lists the microphones by the names that `audio.device` takes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from wakeword_daemon.audio.devices import input_devices
from wakeword_daemon.counts import counted
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object per device")
    parser.epilog = "A * marks the default. The exit code is 1 if there is no microphone."


def run(args: argparse.Namespace) -> int:
    """List the devices."""
    devices = input_devices()
    if not devices:
        raise AudioError(
            "there is no microphone that this user may use; a running sound server or membership in"
            " the group `audio` gives access"
        )
    for device in devices:
        if args.json:
            print(json.dumps(asdict(device)))
        else:
            mark = "*" if device.is_default else " "
            channels = counted(device.channels, "channel")
            rate = f"{device.default_rate:.0f} Hz"
            print(
                f"{mark} {device.index:3}  {device.name}  ({device.host_api}, {channels}, {rate})"
            )
    return 0
