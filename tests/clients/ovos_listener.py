"""Open Voice OS's listener hears words and the commands after them: run by its own Python.

`ovos_listener.py RECORDING…` runs the loop of ovos-dinkum-listener, as the mycroft.conf in
XDG_CONFIG_HOME sets it, and gives it raw s16le files at 16 kHz, one after the other, as its
microphone. What it tells the other parts of Open Voice OS is printed. These parts are not there,
nor is a speech recognizer: how many seconds a command lasted stands for its text.
"""

import json
import os
import sys
from pathlib import Path

from ovos_dinkum_listener.service import OVOSDinkumVoiceService
from ovos_plugin_manager.templates.microphone import Microphone
from ovos_plugin_manager.templates.stt import STT
from ovos_utils.fakebus import FakeBus


class Recordings(Microphone):
    """Recordings instead of a microphone; at their end the listener stops."""

    def start(self):
        raw = b"".join(Path(path).read_bytes() for path in sys.argv[1:])
        self.chunks = (raw[at : at + self.chunk_size] for at in range(0, len(raw), self.chunk_size))

    def read_chunk(self):
        chunk = next(self.chunks, None)
        if chunk is None:
            service.voice_loop.stop()
            service._stopping = True
        return chunk

    def stop(self):
        pass


class Length(STT):
    """Tells how long a command was instead of what was said."""

    def execute(self, audio, language=None):  # noqa: ARG002 -- its signature
        return f"{len(audio.get_raw_data()) / audio.sample_rate / audio.sample_width:.2f}"


def tell(what, value=None):
    print("found:", json.dumps([what, value]), flush=True)


bus = FakeBus()
bus.started_running = True  # as the real one is once it has connected
bus.on("recognizer_loop:wakeword", lambda message: tell("word", message.data["key_phrase"]))
bus.on("recognizer_loop:utterance", lambda said: tell("command", float(said.data["utterances"][0])))
bus.on("recognizer_loop:speech.recognition.unknown", lambda _: tell("no command"))
service = OVOSDinkumVoiceService(
    on_error=lambda reason: tell("failed", reason),
    mic=Recordings(),
    bus=bus,
    stt=Length(),
    disable_fallback=True,
)
service.run()
os._exit(0)  # a thread of the listener's waits for more to transcribe
