"""Measure whether a short word is enough to recognize its speaker: `python tests/bench_speakers.py
DATA [WHEEL]`.

DATA is the folder that a word is trained from. Two ways to describe a voice are compared:

- what the word's own network holds while it hears the word: the mean of both GRU layers and the
  attention's context, as they are and after linear discriminant analysis on the training speakers;
- an embedding network made for speakers, if WHEEL is given: `pip download --no-deps Resemblyzer`
  (its weights are in the wheel; GE2E, Wan et al. 2018, arXiv:1710.10467).

A speaker is enrolled with three takes of the word, as they were recorded. Every other take of the
word by anybody is then compared with the profile by cosine similarity. The equal error rate is
where as many strangers pass for the speaker as takes of the speaker are turned away. Nobody counts
from whom a network learned.

Takes of one speaker were mostly recorded in one go, by one microphone, which makes it too easy. So
the other takes are also heard as a daemon hears them: in a room, with noise 10 dB below the word.

Beware of the wake words' own recordings: their speakers were found by clustering voices, so whoever
confused the clustering was never counted as a mistake here. Speech Commands knows its speakers.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import torchaudio

from wakeword_daemon import load_model
from wakeword_daemon.audio.files import read
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.numpy_stream import NumpyStream
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.endpoints import speech_span
from wakeword_daemon.training.data.melpower import MelPower

WAKE_WORDS = ("alexa", "computer", "jarvis", "smart_mirror", "snowboy", "view_glass")
OTHER_WORDS = ("down", "five", "right", "zero")
ENROLLED = 3
DIMENSIONS = 16  # after the discriminant analysis
SHORTEST = 8_000  # samples, so that every network makes a step
LONGEST = 25_600  # samples: what the embedding network hears at a time


class OwnNetwork:
    """The hidden states of a wake word's network while it hears the word."""

    def __init__(self, word: str) -> None:
        model = load_model(word)
        self._front_end = LogMel(model.card.features)
        self._stream = NumpyStream([model.network()])

    def embed(self, pcm: np.ndarray) -> np.ndarray:
        self._stream.reset()
        held, last, scores, contexts = [], [], [], []
        for frame in self._front_end.frames(pcm):
            for _, _, (score,) in self._stream.hear_frames(frame[None]):
                states = self._stream.hidden_states()
                held.append(np.concatenate(states))
                last.append(states[-1])
                scores.append(score)
                shares = self._stream.attention_weights()
                recent = np.array(last[-len(shares) :])
                contexts.append(shares[-len(recent) :] @ recent)
        best = int(np.argmax(scores))
        return np.concatenate([np.mean(held[max(0, best - 9) : best + 1], axis=0), contexts[best]])


class Resemblyzer:
    """The embedding network of the wheel, fed as its own library feeds it."""

    def __init__(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            packed = io.BytesIO(archive.read("resemblyzer/pretrained.pt"))
        weights = torch.load(packed, map_location="cpu", weights_only=True)["model_state"]
        self._lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
        self._linear = torch.nn.Linear(256, 256)
        self._lstm.load_state_dict(
            {k.removeprefix("lstm."): v for k, v in weights.items() if k.startswith("lstm.")}
        )
        self._linear.load_state_dict(
            {k.removeprefix("linear."): v for k, v in weights.items() if k.startswith("linear.")}
        )
        self._mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=40, norm="slaney", mel_scale="slaney",
            pad_mode="constant",
        )  # fmt: skip

    @torch.no_grad()
    def embed(self, pcm: np.ndarray) -> np.ndarray:
        wave = torch.from_numpy(pcm.astype(np.float32) / 32_768)
        level = 20 * torch.log10(wave.square().mean().sqrt() + 1e-9)
        wave = wave * 10 ** (max(-30 - float(level), 0) / 20)
        wave = torch.nn.functional.pad(wave, (0, max(LONGEST - len(wave), 0)))[:LONGEST]
        _, (hidden, _) = self._lstm(self._mel(wave).T[None])
        return torch.relu(self._linear(hidden[-1]))[0].numpy()


class Daemons:
    """Takes as they arrive at a microphone across a room, drawn at random but always the same."""

    def __init__(self, data: Path, recordings) -> None:
        noises = sorted(r.path for r in recordings if r.noise)
        self._noises = [noise for path in noises[::40] if len(noise := read(path)) > SAMPLE_RATE]
        self._rooms = [read(path).astype(float) for path in sorted((data / "rooms").glob("*.flac"))]

    def hear(self, pcm: np.ndarray, number: int) -> np.ndarray:
        rng = np.random.default_rng(number)
        room = self._rooms[rng.integers(len(self._rooms))]
        size = 1 << (len(pcm) + len(room)).bit_length()
        heard = np.fft.irfft(np.fft.rfft(pcm, size) * np.fft.rfft(room, size), size)
        heard = heard[: len(pcm) + SAMPLE_RATE // 4]
        noise = self._noises[rng.integers(len(self._noises))].astype(float)
        noise = np.resize(noise, len(heard))
        noise *= np.sqrt(np.mean(heard**2) / np.mean(noise**2)) * 10 ** (-10 / 20)
        heard += noise
        return (heard / np.abs(heard).max() * 16_000).astype(np.int16)


def spoken(pcm: np.ndarray, power: MelPower) -> np.ndarray:
    """Return the part of a take with speech."""
    span = speech_span(power(pcm))
    if span is not None:
        pcm = pcm[max(0, span.start * 160 - 1600) : span.stop * 160 + 1600]
    return np.pad(pcm, (0, max(SHORTEST - len(pcm), 0)))


def discriminants(embedded: dict[str, list[np.ndarray]]) -> np.ndarray:
    """Return the projection [size, DIMENSIONS] that separates these speakers best."""
    groups = [np.array(takes) for takes in embedded.values() if len(takes) > 1]
    within = np.mean([np.cov(group.T) for group in groups], axis=0)
    within += np.eye(len(within)) * np.trace(within) / len(within) * 0.1
    between = np.cov(np.array([group.mean(0) for group in groups]).T)
    values, vectors = np.linalg.eig(np.linalg.solve(within, between))
    return vectors[:, np.argsort(-values.real)[:DIMENSIONS]].real


def trials(
    enrolling: dict[str, list[np.ndarray]], heard: dict[str, list[np.ndarray]]
) -> tuple[list[float], list[float]]:
    """Return the similarities of the speaker's own takes, and of strangers' takes."""
    own, strangers = [], []
    unit = {
        speaker: [take / (np.linalg.norm(take) + 1e-9) for take in takes]
        for speaker, takes in heard.items()
    }
    for speaker, takes in enrolling.items():
        if len(takes) <= ENROLLED:
            continue
        few = [take / (np.linalg.norm(take) + 1e-9) for take in takes[:ENROLLED]]
        profile = np.mean(few, axis=0)
        profile /= np.linalg.norm(profile)
        own += [float(take @ profile) for take in unit[speaker][ENROLLED:]]
        for other, theirs in unit.items():
            if other != speaker:
                strangers += [float(take @ profile) for take in theirs]
    return own, strangers


def equal_error_rate(own: list[float], strangers: list[float]) -> float:
    """Return the rate at the threshold where both kinds of error are as frequent."""
    thresholds = np.sort(np.concatenate([own, strangers]))
    rejected = np.searchsorted(np.sort(own), thresholds) / len(own)
    accepted = 1 - np.searchsorted(np.sort(strangers), thresholds) / len(strangers)
    at = int(np.argmin(np.abs(rejected - accepted)))
    return float(rejected[at] + accepted[at]) / 2


def by_speaker(recordings, word, splits, embedder, power, *, room=None):
    found = defaultdict(list)
    for number, recording in enumerate(recordings):
        if recording.word == word and recording.split in splits and recording.speaker:
            pcm = spoken(read(recording.path), power)
            heard = pcm if room is None else room.hear(pcm, number)
            found[recording.speaker].append(embedder.embed(heard))
    return found


def measure(name, recordings, words, ways, *, power, room):
    pooled = defaultdict(lambda: ([], []))
    for word in words:
        for way, (make, splits, learn) in ways.items():
            embedder = make(word)
            clean = by_speaker(recordings, word, splits, embedder, power)
            spoiled = by_speaker(recordings, word, splits, embedder, power, room=room)
            if learn:
                known = by_speaker(recordings, word, ["train"], embedder, power)
                middle = np.mean([take for takes in known.values() for take in takes], axis=0)
                projection = discriminants(known)
                clean, spoiled = (
                    {s: [(take - middle) @ projection for take in takes] for s, takes in of.items()}
                    for of in (clean, spoiled)
                )
            for condition, heard in (("as recorded", clean), ("room, noise 10 dB", spoiled)):
                own, strangers = trials(clean, heard)
                pooled[way, condition][0].extend(own)
                pooled[way, condition][1].extend(strangers)
    for (way, condition), (own, strangers) in pooled.items():
        passing = np.quantile(strangers, 0.99)
        print(
            f"{name:16} {way:36} {condition:18} {equal_error_rate(own, strangers):6.1%}"
            f"  {np.mean(np.array(own) < passing):6.1%}"
            f"  {len(own)} takes of the speaker, {len(strangers)} of strangers",
            flush=True,
        )


def main(data: Path, wheel: Path | None) -> None:
    torch.set_num_threads(1)
    recordings = read_corpus(data).recordings
    power = MelPower(load_model("jarvis").card.features)
    jarvis = OwnNetwork("jarvis")
    encoder = None if wheel is None else Resemblyzer(wheel)
    # Made from other recordings, so it knows no speaker of either split.
    shared = (
        {} if encoder is None else {"Resemblyzer": (lambda _: encoder, ("train", "val"), False)}
    )
    room = Daemons(data, recordings)
    print("The last rate is of the speaker's takes turned away where 1 % of the strangers pass.")
    own = {
        "the word's network": (OwnNetwork, ["val"], False),
        "the word's network, discriminants": (OwnNetwork, ["val"], True),
    }
    measure("wake words", recordings, WAKE_WORDS, own | shared, power=power, room=room)
    own = {
        "the network of jarvis": (lambda _: jarvis, ["val"], False),
        "the network of jarvis, discriminants": (lambda _: jarvis, ["val"], True),
    }
    measure("Speech Commands", recordings, OTHER_WORDS, own | shared, power=power, room=room)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python tests/bench_speakers.py DATA [WHEEL]")
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None)
