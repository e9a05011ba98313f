"""Training sequences: a few seconds of a microphone's life, with or without the word.

Clips of one second teach a network that the word fills the window. A sequence here is what a
stream holds: other speech, the word somewhere in it, more speech, a room, a noise, a level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wakeword_daemon.training.data.endpoints import LONGEST_PAUSE, Span
from wakeword_daemon.training.data.melpower import Frames
from wakeword_daemon.training.fit import augment
from wakeword_daemon.training.fit.composition import Composition, Tempting, Word

FULL_SCALE = 3e4
"""Mel power, summed over bands, of white noise whose RMS is full scale."""


class Piece(NamedTuple):
    """A piece of other speech, and the word that it is, where that is known."""

    power: Frames
    word: Word | None = None


@dataclass(frozen=True)
class Spoken:
    """The words in a batch whose numbers are known.

    Attributes:
        rows, stops, numbers: of each the sequence, the frame of its end, and its number, [words].

    """

    rows: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """One batch.

    Attributes:
        log_mel: what is heard, [B, frames, mels].
        starts, stops: the frames where the word begins and ends, -1 where it is not spoken; [B].
        spoken: all words that are known by their numbers, the word to detect among them.

    """

    log_mel: augment.Batch
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    spoken: Spoken


class SequenceMaker:
    """Composes sequences from pieces; all randomness comes from the generator it is given.

    Attributes:
        composition: what it composes from.
        tempting: places of other speech to come back to.

    """

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        self.tempting = Tempting.none()
        self._warps = augment.voice_matrices(composition.features.mels)
        shares = np.array([f.share for f in composition.fillers])
        self._filler_shares = shares / shares.sum()
        # Power of noise in one band is gamma distributed; drawing it anew is a tenth of an epoch.
        pool = np.random.default_rng(0).standard_gamma(2.0, (20_000, composition.features.mels))
        self._grain = (pool / 2).astype(np.float32)

    def batch(self, size: int, rng: np.random.Generator) -> Sequences:
        """Compose `size` sequences."""
        c = self.composition
        speech = np.zeros((size, c.frames, c.features.mels), np.float32)
        starts = np.full(size, -1)
        stops = np.full(size, -1)
        spoken: list[tuple[int, Word]] = []
        for row in range(size):
            words: list[Word] = []
            if rng.random() < c.word_share:
                starts[row], stops[row], words = self._word(speech[row], rng)
            elif rng.random() < 0.95:  # noqa: PLR2004 - the rest is noise alone
                words = self._talk(speech[row], 0, c.frames, rng)
            spoken += [(row, word) for word in words]
        speech = augment.reverberate(speech, rng)
        speech *= FULL_SCALE * (10 ** (rng.uniform(-52, -10, (size, 1, 1)) / 10)).astype("f")
        mixed = augment.equalise(speech + self._noise(speech, rng), rng)
        mixed += self._microphone(size, rng)
        f = c.features
        log_mel = np.log(np.clip(mixed, f.floor, f.ceiling))
        fill = float(log_mel.mean())
        return Sequences(
            augment.mask(log_mel, rng, fill),
            starts,
            stops,
            Spoken(
                np.array([row for row, _ in spoken], np.int64),
                np.array([word.stop for _, word in spoken], np.int64),
                np.array([word.number for _, word in spoken], np.int64),
            ),
        )

    def _word(self, into: Frames, rng: np.random.Generator) -> tuple[int, int, list[Word]]:
        """Put the word somewhere, with or without other speech before and after it.

        Returns:
            the frames where it begins and ends, and all words that are spoken.

        """
        span, power = self._phrase(rng) if self.composition.takes.phrase else self._take(rng)
        lead = min(span.start, int(rng.integers(2, 14)))
        tail = min(len(power) - span.stop, int(rng.integers(2, 14)))
        power = power[span.start - lead : span.stop + tail]
        spoken = augment.revoice(power, self._warps, rng)
        frames = len(into)
        word = spoken.power[: frames - 60]
        begin, end = spoken.frame_of(lead), spoken.frame_of(lead + len(span))
        length = max(1, min(len(word), end - begin))
        stop = int(rng.integers(min(length + 2, frames - 50), frames - 45))
        offset = max(0, stop - length - begin)
        start = offset + begin
        stop = start + length
        _add(into, word, offset)
        words = [Word(0, stop)]
        before, after = rng.random(2)
        if before < 0.6:  # noqa: PLR2004 - a share
            words += self._talk(into, 0, start - _gap(rng), rng)
        if after < 0.5:  # noqa: PLR2004 - a share
            words += self._talk(into, stop + _gap(rng), frames, rng)
        return start, stop, words

    def _take(self, rng: np.random.Generator) -> tuple[Span, Frames]:
        """Draw a take of the word: where in it the word is, and its power."""
        takes = self.composition.takes
        index = int(rng.choice(len(takes.weights), p=takes.weights))
        return takes.spans[index], takes.library[index]

    def _phrase(self, rng: np.random.Generator) -> tuple[Span, Frames]:
        """Draw a take, now and then with a pause in the phrase, or its end said by another.

        Few speakers pause, and a network that never heard a pause misses those who do.
        """
        span, power = self._take(rng)
        cut = span.start + _quietest(power[span.start : span.stop])
        if rng.random() < 0.3:  # noqa: PLR2004 - a share
            other_span, other = self._take(rng)
            at = other_span.start + _quietest(other[other_span.start : other_span.stop])
            power = np.concatenate([power[:cut], other[at:]])
            span = Span(span.start, cut + other_span.stop - at)
        if rng.random() < 0.35:  # noqa: PLR2004 - a share
            pause = int(rng.integers(2, LONGEST_PAUSE))
            quiet = np.minimum(power[cut - 1], power[cut]) * np.float32(rng.random())
            power = np.concatenate([power[:cut], np.tile(quiet, (pause, 1)), power[cut:]])
            span = Span(span.start, span.stop + pause)
        return span, power

    def _talk(self, into: Frames, begin: int, end: int, rng: np.random.Generator) -> list[Word]:
        """Fill frames [begin, end) with pieces of other speech; return the words known in it."""
        c = self.composition
        words: list[Word] = []
        if end - begin < 12:  # noqa: PLR2004 - shorter is no sound of speech
            return words
        kind = int(rng.choice(len(c.fillers), p=self._filler_shares))
        at = begin
        level = rng.normal(0, 3)
        while at < end - 12:
            if rng.random() < 0.3:  # noqa: PLR2004 - somebody else goes on
                kind = int(rng.choice(len(c.fillers), p=self._filler_shares))
                level = rng.normal(0, 3)
            power, word = self._piece(kind, end - at + 60, rng)
            spoken = augment.revoice(power, self._warps, rng)
            if word is not None and (stop := at + spoken.frame_of(word.stop)) < end:
                words.append(Word(word.number, stop))
            power = spoken.power[: end - at] * np.float32(10 ** (level / 10))
            _add(into, power, at)
            at += len(power) + int(rng.exponential(12))
        return words

    def _piece(self, kind: int, longest: int, rng: np.random.Generator) -> Piece:
        """Draw a piece that is not the word: of a filler, a half of the word, or a tempting one."""
        c = self.composition
        drawn = rng.random()
        if drawn < c.half_share:
            return Piece(self._half(rng))
        if drawn < c.half_share + c.tempting_share and len(self.tempting.starts):
            place = int(rng.integers(len(self.tempting.starts)))
            start = int(self.tempting.starts[place])
            library = c.fillers[int(self.tempting.fillers[place])].library
            return Piece(library.power[start : start + min(longest, Tempting.FRAMES)])
        filler = c.fillers[kind]
        index = int(rng.integers(len(filler.library)))
        power = filler.library[index]
        if len(power) > longest:  # and who knows what is left of a word
            return Piece(_crop(power, longest, rng))
        return Piece(power, filler.words.get(index))

    def _half(self, rng: np.random.Generator) -> Frames:
        """Return the beginning or the end of the word, which is not the word."""
        span, power = self._take(rng)
        cut = span.start + round(len(span) * rng.uniform(0.3, 0.7))
        piece = power[span.start : cut] if rng.random() < 0.6 else power[cut : span.stop]  # noqa: PLR2004
        return piece if len(piece) else power

    def _noise(self, speech: augment.Batch, rng: np.random.Generator) -> augment.Batch:
        """Return background noise at a random ratio to the loud parts of the speech."""
        count, frames, _ = speech.shape
        noise = np.zeros_like(speech)
        loud = np.quantile(speech.sum(axis=2), 0.9, axis=1)
        loud = np.where(loud > 0, loud, FULL_SCALE * 10 ** (rng.uniform(-6, -2, count)))
        for row in range(count):
            if not len(self.composition.noise) or rng.random() < 0.2:  # noqa: PLR2004 - a quiet room
                continue
            for _ in range(int(rng.integers(1, 3))):
                library = self.composition.noise
                piece = _crop(library[int(rng.integers(len(library)))], frames, rng)
                if not len(piece):
                    continue
                repeated = np.resize(piece, (frames, piece.shape[1]))
                level = repeated.sum(axis=1).mean() + 1e-12
                ratio = 10 ** (-rng.uniform(3, 35) / 10)
                noise[row] += repeated * np.float32(loud[row] * ratio / level)
        return noise

    def _microphone(self, count: int, rng: np.random.Generator) -> augment.Batch:
        """Return the microphone's own noise: -95 to -58 dBFS, white to pink, or exactly none."""
        c = self.composition
        mels = c.features.mels
        level = FULL_SCALE * 10 ** (rng.uniform(-95, -58, (count, 1, 1)) / 10) / mels
        tilt = np.linspace(1, 0, mels) * rng.uniform(0, 2.5, (count, 1, 1))
        level *= rng.random((count, 1, 1)) > 0.15  # noqa: PLR2004 - files may hold digital silence
        colour = (level * np.exp(tilt)).astype(np.float32)
        begins = rng.integers(0, len(self._grain) - c.frames, count)
        grain = np.stack([self._grain[begin : begin + c.frames] for begin in begins])
        return grain * colour


def _quietest(phrase: Frames) -> int:
    """Return the quietest frame in the middle of a phrase: there, or near, its words part."""
    level = np.convolve(phrase.sum(axis=1), np.ones(3), mode="same")
    begin, end = round(0.35 * len(phrase)), round(0.68 * len(phrase))
    return begin + int(np.argmin(level[begin : end + 1]))


def _gap(rng: np.random.Generator) -> int:
    """Return frames of pause between the word and other speech: 30 ms to a second."""
    return int(3 * np.exp(rng.uniform(0, np.log(33))))


def _crop(piece: Frames, longest: int, rng: np.random.Generator) -> Frames:
    spare = len(piece) - longest
    start = int(rng.integers(0, spare + 1)) if spare > 0 else 0
    return piece[start : start + longest]


def _add(into: Frames, piece: Frames, offset: int) -> None:
    fits = piece[: max(0, len(into) - offset)]
    into[offset : offset + len(fits)] += fits
