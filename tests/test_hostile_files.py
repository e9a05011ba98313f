"""Files made to do harm, or by chance as if they were: each is refused in a sentence."""

import dataclasses
import json
import struct

import msgspec
import numpy as np
import pytest
import yaml
from safetensors.numpy import load, save
from support.models import TINY, random_model

from wakeword_daemon import config, manifest
from wakeword_daemon.audio import files
from wakeword_daemon.engine.modelfile import checksum_of, read_model, save_model, stored_arrays
from wakeword_daemon.errors import AudioError, ConfigError, ModelError, TrainingError
from wakeword_daemon.rooms.addresses import parse_uri

# The config file

NINE = ", ".join(["*{0}"] * 9)
LAUGHS = "\n".join(
    ["on_detection:", "  command:", "    - &a0 [x]"]
    + [f"    - &a{n} [{NINE.format(f'a{n - 1}')}]" for n in range(1, 12)]
)
MERGED = LAUGHS.replace("&a0 [x]", "&a0 {k: v}").replace(" [", " {<<: [").replace("]\n", "]}\n")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "{a: " * 5000,
        "\n".join(" " * n + "a:" for n in range(1200)),
        LAUGHS,
        MERGED + "}",
        "on_detection: {command: &a [*a]}",
        'audio: {history: !!int ""}',
        'audio: {history: !!float ""}',
        "audio: {naps: !!bool maybe}",
        "audio: {history: !!timestamp x}",
        f"audio: {{history: 1{':59' * 3000}.5}}",
        'tcp: {token: "\\UFFFFFFFF"}',
        'tcp: {token: "\\ud800"}',
        'words: {"\\ud800": {}}',
        'socket: {path: "a\\0b"}',
        f"on_detection: {{sound: {'a' * 5000}}}",
        "on_detection: {sound: ~nobody-of-that-name/a}",
    ],
    ids=lambda text: text[:30],
)
def test_a_hostile_config_is_refused(tmp_path, text):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        config.load(file)
    assert "\n" not in str(refused.value)


def test_aliases_are_not_expanded(tmp_path, monkeypatch):
    monkeypatch.setattr(yaml.constructor.SafeConstructor, "construct_document", pytest.fail)
    file = tmp_path / "config.yaml"
    file.write_text(LAUGHS)
    with pytest.raises(ConfigError, match="must be a list of a program"):
        config.load(file)


@pytest.mark.parametrize("value", ["12345678", "*s3cret", "[s3cret]", "{s3cret: 1}", '"s3cret\\0"'])
@pytest.mark.parametrize("section", ["tcp: {token: ", "mqtt: {password: "])
def test_a_secret_is_not_repeated(tmp_path, section, value):
    file = tmp_path / "config.yaml"
    file.write_text(f"{section}{value}}}")
    with pytest.raises(ConfigError) as refused:
        config.load(file)
    assert "s3cret" not in str(refused.value)
    assert "12345678" not in str(refused.value)


@pytest.mark.parametrize("uri", ["tcp://a:" + "9" * 5000, "tcp://a:99999", "tcp://:1"])
def test_an_impossible_address_is_refused(uri):
    with pytest.raises(ConfigError, match="is not an address"):
        parse_uri(uri)


# The model file


def signed(path, change):
    """Change the description in a model file, and let the checksum fit."""
    save_model(path, random_model())
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    card = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["wakeword"])
    card["checksum"] = ""
    arrays = change(card, load(content)) or load(content)
    digest = checksum_of(msgspec.json.encode(card).decode(), stored_arrays(save(arrays)))
    entry = msgspec.json.encode(card | {"checksum": digest}).decode()
    path.write_bytes(save(arrays, {"wakeword": entry}))


def test_a_model_file_signed_again_is_read(tmp_path):
    signed(tmp_path / "m.safetensors", lambda *_: None)
    read_model(tmp_path / "m.safetensors").self_test()


@pytest.mark.parametrize(
    "fields",
    [
        *({"architecture": {field.name: 10**12}} for field in dataclasses.fields(TINY)),
        {"features": {"window": 10**12}},
        {"features": {"mels": 10**12}},
        {"features": {"hop": 0}},
        {"threshold": 7},
        {"threshold": 0},
        {"name": "jarvis\n12:00 heard alexa"},
        {"phrase": "\u202ejarvis"},
    ],
    ids=str,
)
def test_a_model_file_cannot_ask_for_everything(tmp_path, fields):
    def change(card, _):
        for name, value in fields.items():
            card[name] = card[name] | value if isinstance(value, dict) else value

    signed(tmp_path / "m.safetensors", change)
    with pytest.raises(ModelError) as refused:
        read_model(tmp_path / "m.safetensors")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "arrays",
    [
        {"selftest.mel": np.zeros((0, 40), np.uint8)},
        {"selftest.mel": np.zeros((60, 7), np.uint8)},
        {"selftest.mel": np.zeros((), np.uint8)},
        {"selftest.mel": np.full((60, 40), np.nan, np.float32)},
        {"selftest.probabilities": np.zeros(0, np.float32)},
        {"selftest.probabilities": np.full(6, np.nan, np.float32)},
    ],
    ids=lambda arrays: f"{next(iter(arrays))} {next(iter(arrays.values())).shape}",
)
def test_a_self_test_that_tests_nothing_fails(tmp_path, arrays):
    signed(tmp_path / "m.safetensors", lambda _, there: there | arrays)
    with pytest.raises(ModelError):
        read_model(tmp_path / "m.safetensors").self_test()


# The manifest


@pytest.mark.parametrize("broken", ['"a\rb.wav"', '"a\nb.wav"'])
def test_a_line_break_in_a_manifest_is_refused(tmp_path, broken):
    row = f"{broken},jarvis,ann,train,1.0,me"
    (tmp_path / manifest.NAME).write_bytes(f"{','.join(manifest.COLUMNS)}\n{row}\n".encode())
    with pytest.raises(TrainingError, match="a field has a line break"):
        manifest.rows(tmp_path)


# Recordings


def wave(*, rate=16_000, channels=1, bits=16, size=None, data=b"\1\0" * 4000):
    align = max(channels * bits // 8, 1)
    length = len(data) if size is None else size
    form = struct.pack(
        "<HHIIHH", 1, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits
    )
    riff = b"RIFF" + struct.pack("<I", 36 + length & 0xFFFFFFFF) + b"WAVE"
    return (
        riff + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + data
    )


def flac(*, rate=None, samples=None):
    content = bytearray(files.flac(np.zeros(4000, np.int16)))
    if rate is not None:
        content[18:21] = (rate << 4 | content[20] & 15).to_bytes(3, "big")
    if samples is not None:
        content[21:26] = ((content[21] & 0xF0) << 32 | samples).to_bytes(5, "big")
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        wave(rate=0), wave(rate=1), wave(rate=2**31 - 1), wave(rate=2**32 - 1), wave(channels=0),
        wave(channels=1024), wave(channels=65_535), wave(bits=0), wave(bits=64), flac(rate=1),
        flac(rate=655_350), flac(samples=2**36 - 1),
    ],
    ids=[
        "0 Hz", "1 Hz", "2 GHz", "4 GHz", "no channels", "1024 channels", "65535 channels",
        "0 bits", "64 bits", "FLAC at 1 Hz", "FLAC at 655 kHz", "FLAC of weeks",
    ],
)  # fmt: skip
def test_a_header_that_lies_is_refused(tmp_path, content):
    path = tmp_path / "recording"
    path.write_bytes(content)
    with pytest.raises(AudioError):
        files.read(path)


def test_a_length_that_lies_is_not_believed(tmp_path):
    path = tmp_path / "recording.wav"
    path.write_bytes(wave(size=2**32 - 16))
    assert len(files.read(path)) == 4000
