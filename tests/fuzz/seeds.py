"""Write what each fuzzer begins with into tests/corpora: python tests/fuzz/seeds.py."""

import io
import json
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from support.models import TINY, random_model

from wakeword_daemon.engine.modelfile import save_model


def line(kind, data=None, payload=b"", **header):
    """Return a frame as a peer may send it."""
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps({"type": kind, "data": data or {}, **header}).encode() + b"\n" + payload


def events():
    """Yield requests to the daemon, and what a daemon sends to a subscriber."""
    audio = {"audio": "always", "pre_roll_ms": 500, "seconds": 2, "until_silence": 0.5}
    for choice in (0, 4, 12):
        yield bytes([choice]) + line("describe") + line("status") + line("ping", {"text": "a"})
    yield b"\x00" + line("detect", {"names": ["jarvis"]}) + line("subscribe", audio)
    yield b"\x00" + line("subscribe", {"start_id": "x", "after_sequence": 3, "audio": "after"})
    yield b"\x00" + line("watch", {"on": True}) + line("watch", {"on": False})
    yield b"\x04" + line("pause", {"minutes": 5}) + line("resume")
    yield b"\x04" + line("set-threshold", {"name": "jarvis", "threshold": 0.5, "save": True})
    yield b"\x02" + line("authenticate", {"token": "not told"}) + line("status")
    yield b"\x02" + line("status")
    yield b"\x00" + b'{"type":"ping","data_length":13}\n{"text": "ab"}'[:-1]
    where = {"sequence": 2, "start_id": "s"}
    state = {"state": "deaf", "reason": "r", "wall_time": 1.0, **where}
    heard = {"name": "jarvis", "timestamp": 1, "wall_time": 1.0, "score": 0.9, "sample": 16}
    heard |= {"level": -20.0, "model": "j-1", **where}
    chunk = {"rate": 16000, "width": 2, "channels": 1, "timestamp": 0, "sample": 0, "lost": 0}
    begun = line("subscribed", {"sequence": 1, "start_id": "s", "missed": 0, "last": 1})
    yield b"\x01" + begun + line("state", state) + line("detection", heard)
    yield (
        b"\x09"
        + begun
        + line("audio-chunk", chunk, b"\1\2\3\4")
        + line("audio-chunk", chunk, b"\1")
    )
    yield b"\x01" + line("error", {"text": "no", "code": "busy"})


def rooms():
    """Yield what rooms send."""
    noise = np.random.default_rng(1).integers(-9000, 9000, 1280, np.int16).tobytes()
    for choice, rate, width, channels in ((2, 16000, 2, 1), (3, 48000, 4, 2), (63, 8000, 1, 3)):
        form = {"rate": rate, "width": width, "channels": channels}
        payload = noise[: 600 // (width * channels) * width * channels]
        chunk = line("audio-chunk", form | {"timestamp": 5}, payload)
        asked = {"names": ["one"], "context": {"a": 1}}
        yield (
            bytes([choice]) + line("describe") + line("detect", asked)
            + line("audio-start", form) + chunk * 4 + line("audio-stop") + line("ping")
        )  # fmt: skip
    form = {"rate": 16000, "width": 2, "channels": 1}
    yield b"\x02" + line("audio-chunk", form, noise) * 3


def config():
    """Yield config files."""
    yield b"words: {jarvis: {threshold: 0.5}}\n"
    yield b"words:\n  jarvis:\n    sensitivity: 0.25 false accepts/hour\n    # why\n"
    yield b"audio: {device: 1, channel: mix, rate: 48000, naps: false, history: 5}\n"
    yield b"tcp:\n  port: 10500\n  host: '::1'\n  token: \"a\\u1234\"\nlog: {level: debug}\n"
    yield b"on_detection:\n  command: [echo, 'a', \"b\"]\n  sound: null\nrooms: {uri: tcp://a:1}\n"
    yield b"clips: &a\n  keep: yes\nmqtt: {host: h, port: 0x10, tls: !!bool no}\n"
    yield b"words: {jarvis: &w {refractory: 1e0, smoothing: 0o7}, alexa: *w}\n? dbus\n: {}\n"


def model():
    """Yield model files."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in (0, 1):
            path = Path(folder) / "word.safetensors"
            save_model(path, random_model(architecture=TINY, seed=seed))
            yield path.read_bytes()


def manifest():
    """Yield manifests."""
    head = b"path,word,speaker,split,seconds,source\n"
    yield head + b"a.wav,jarvis,ann,train,1.0,me\nb.wav,,bob,val,,me\nnoise/c.wav,,,train,1,me\n"
    yield (
        b"\xef\xbb\xbf" + head.replace(b"\n", b"\r\n") + b'"a.wav","a ""b""",x,train,0.5,"m\ne"\r\n'
    )
    yield head.replace(b",", b";")
    yield b"source," + head.strip() + b",more\nme,a.wav,jarvis,ann,train,1.0,me,\n"


def audio():
    """Yield short recordings."""
    tone = np.round(9000 * np.sin(np.arange(400) / 3)).astype(np.int16)
    for kind, subtype, rate, channels in (
        ("WAV", "PCM_16", 16000, 1), ("WAV", "PCM_U8", 8000, 2), ("WAV", "FLOAT", 44100, 1),
        ("WAV", "ULAW", 8000, 1), ("WAV", "IMA_ADPCM", 8000, 1), ("WAVEX", "PCM_24", 48000, 3),
        ("RF64", "PCM_16", 16000, 1), ("FLAC", "PCM_16", 16000, 1), ("FLAC", "PCM_24", 96000, 2),
        ("OGG", "VORBIS", 16000, 1), ("OGG", "OPUS", 48000, 1), ("MP3", "MPEG_LAYER_III", 16000, 1),
    ):  # fmt: skip
        file = io.BytesIO()
        soundfile.write(file, np.tile(tone[:, None], channels), rate, subtype, format=kind)
        yield file.getvalue()


def page():
    """Yield requests to the page's server."""
    yield b"\x03GET\n/\nAccept: *"
    yield b"\x03GET\n/api/clips\n\n"
    yield b"\x01GET\n/api/clips\nX-Forwarded-For: a"
    yield b"\x03GET\n/api/clips/../secret\nRange: bytes=0-9"
    yield b"\x03GET\n/api/events"
    yield b'\x07POST\n/api/pause\n\n{"minutes": 5}'
    yield b'\x07POST\n/api/threshold\n\n{"word": "jarvis", "threshold": 0.5, "save": true}'
    yield b'\x07POST\n/api/clips/a/label\n\n{"label": "right"}'
    yield b"\x07DELETE\n/api/clips/a"
    yield b"\x00GET\n/api/status\nHost: [::1]:80"


def step():
    """Yield plans of the step in C, by the numbers at their head: see step.c."""
    one = [(18, 8, 5, 2, 16, 2, 16, 16, 2, 1)]
    two = [(38, 8, 3, 1, 8, 1, 1, 3, 4, 1), (18, 16, 5, 2, 24, 3, 64, 8, 2, 1)]
    several = [(9, 8, 8, 4, 16, 2, 1, 1, 2, 40)]
    for window, words in ((400, one), (400, two), (512, one), (2, one), (400, several)):
        head = [window, min(window, 160), 40, 20, 8, len(words)]
        head += [number for word in words for number in word]
        head += [number for mel in range(40) for number in (mel % (window // 2), 2)]
        for variant in (0, 0x8000):
            numbers = struct.pack(f"<H{len(head)}h", len(head) | variant, *head)
            yield numbers + bytes(range(1, 60, 3)) + b"\xff" * 8


def main():
    for make in (events, rooms, config, model, manifest, audio, page, step):
        folder = TESTS / "corpora" / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(make()):
            (folder / f"seed-{number:02}").write_bytes(content)


if __name__ == "__main__":
    main()
