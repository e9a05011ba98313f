"""A small corpus for training tests: sweeps for words and tunes for speech, no real voices."""

import csv

import numpy as np
import soundfile

from wakeword_daemon.clock import SAMPLE_RATE


def tone(start, stop, seconds, pitch):
    """Return a gliding harmonic tone, float in [-1, 1]."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * pitch * (start * time + (stop - start) * time**2 / (2 * seconds))
    shape = np.minimum(1, np.minimum(time, time[::-1]) / 0.02)
    return shape * (np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.3 * np.sin(5 * phase)) / 2


def word(rng, pitch):
    """Return a take of the test word: up, down, and a hiss, in quiet."""
    up, down = tone(1, 3, 0.2, pitch), tone(3, 1, 0.2, pitch)
    hiss = rng.normal(0, 0.1, round(0.15 * SAMPLE_RATE))
    pause = np.zeros(round(rng.uniform(0.4, 0.8) * SAMPLE_RATE))
    spoken = np.concatenate([pause, up, down, hiss, pause])
    return spoken * 0.4 + rng.normal(0, 2e-4, len(spoken))


def other(rng, pitch, seconds):
    """Return a tune that is not the word."""
    glides = [
        tone(*rng.uniform(1, 3, 2), rng.uniform(0.1, 0.4), pitch * rng.uniform(0.8, 1.2))
        for _ in range(round(seconds * 4))
    ]
    tune = np.concatenate(glides)[: round(seconds * SAMPLE_RATE)]
    return tune * 0.4 + rng.normal(0, 2e-4, len(tune))


def write(path, wave):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, SAMPLE_RATE, subtype="PCM_16")


def manifest_corpus(folder, *, tunes=4):
    """Write recordings and their manifest.csv into `folder`."""
    rng = np.random.default_rng(0)
    rows = []

    def add(path, wave, word, speaker, split):
        write(folder / path, wave)
        rows.append((path, word, speaker, split, round(len(wave) / SAMPLE_RATE, 3), "tones"))

    for speaker in range(10):
        split, pitch = ("train", "val")[speaker >= 6], 150 + 25 * speaker
        for take in range(5):
            add(f"words/{speaker}-{take}.wav", word(rng, pitch), "sweep", f"s{speaker}", split)
        for take in range(tunes):
            tune = other(rng, pitch, 12)
            add(f"speech/{speaker}-{take}.wav", tune, "", f"s{speaker}", split)
    for index in range(2):
        add(f"noise/{index}.wav", rng.normal(0, 0.05, 5 * SAMPLE_RATE), "", "", "train")
    with (folder / "manifest.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("path", "word", "speaker", "split", "seconds", "source"))
        writer.writerows(rows)
    return folder


def speech_commands_folder(folder, *, official):
    """Write a folder in the layout of Speech Commands."""
    rng = np.random.default_rng(0)
    for speaker in range(10):
        for name in ("sweep", "no"):
            for take in range(2):
                wave = word(rng, 150 + 20 * speaker) if name == "sweep" else other(rng, 200, 1)
                write(folder / name / f"{speaker:08x}_nohash_{take}.wav", wave[:SAMPLE_RATE])
    write(folder / "_background_noise_" / "hum.wav", rng.normal(0, 0.05, SAMPLE_RATE * 3))
    if official:
        (folder / "validation_list.txt").write_text(
            "no/00000001_nohash_0.wav\nno/00000001_nohash_1.wav\nsweep/00000001_nohash_0.wav\nsweep/00000001_nohash_1.wav\n"
        )
        (folder / "testing_list.txt").write_text(
            "no/00000002_nohash_0.wav\nno/00000002_nohash_1.wav\nsweep/00000002_nohash_0.wav\nsweep/00000002_nohash_1.wav\n"
        )
    return folder


def cut(pcm, sizes):
    """Cut samples into pieces of the given sizes, over and over; 0 is a piece only once."""
    pieces, at, index = [], 0, 0
    while at < len(pcm):
        size = sizes[index % len(sizes)]
        size += size == 0 and index >= len(sizes)
        pieces.append(pcm[at : at + size])
        at, index = at + size, index + 1
    return pieces


def noise(seconds, level=3000, seed=0):
    """Return white noise, int16; its level is the standard deviation."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, level, round(seconds * SAMPLE_RATE)).astype(np.int16)
