"""Open Voice OS's plugin manager finds and runs the plugin: run by its own Python.

`ovos_wake.py RECORDING…` prints for each raw s16le file at 16 kHz, how often the word was found.
"""

import sys
from pathlib import Path

from ovos_plugin_manager.wakewords import OVOSWakeWordFactory, find_wake_word_plugins

assert "wakeword-daemon" in find_wake_word_plugins(), find_wake_word_plugins()
CONFIG = {"jarvis": {"module": "wakeword-daemon"}}
engine = OVOSWakeWordFactory.create_hotword("jarvis", CONFIG)
for path in map(Path, sys.argv[1:]):
    raw, found = path.read_bytes(), 0
    for start in range(0, len(raw), 2048):
        engine.update(raw[start : start + 2048])
        found += engine.found_wake_word()
    engine.reset()
    print("found:", found)
engine.shutdown()
