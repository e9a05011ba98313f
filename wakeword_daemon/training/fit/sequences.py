"""Training sequences: a few seconds of a stream, with or without the word.

Clips of one second teach a network that the word fills the window. A sequence is like a stream:
other speech, the word somewhere in it, said once or again, more speech that follows at once or
after a pause, a room, noises, a level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wakeword_daemon.training.data.endpoints import LONGEST_PAUSE, Span
from wakeword_daemon.training.data.melpower import Frames, Library
from wakeword_daemon.training.fit import augment
from wakeword_daemon.training.fit.composition import Composition, HardNegatives, Word
from wakeword_daemon.training.fit.scene import SHORTEST, Scene, add, crop

ONSET = 0.02
"""Share of the power of loud frames, -17 dB, from which a frame belongs to speech."""

AFTER_WORD = 45
"""Frames of a sequence after the word, so that the network has time to respond."""


class Piece(NamedTuple):
    """A piece of other speech, and the word that it is, where that is known."""

    power: Frames
    word: Word | None = None


class PlacedWord(NamedTuple):
    """The word in a sequence.

    Attributes:
        power: its mel power, with some of what was recorded around it.
        start, stop: the frames of `power` between which the word lies.
        begin, end: the same of all that its speaker says: a sentence, or the word alone.

    """

    power: Frames
    start: int
    stop: int
    begin: int
    end: int

    def cut(self, tail: int) -> PlacedWord:
        """Keep at most `tail` frames after the end of the word, if it is not in a sentence."""
        if self.end > self.stop:  # its sentence goes on
            return self
        return self._replace(power=self.power[: max(self.start + 1, self.stop + tail)])

    def put(self, into: Frames, stop: int) -> None:
        """Add it to a sequence so that the word ends at frame `stop`."""
        offset = stop - self.stop
        add(into, self.power[max(0, -offset) :], max(0, offset))


@dataclass(frozen=True)
class Spoken:
    """The words in a batch whose numbers are known; number 0 is the word to detect.

    Attributes:
        rows, stops, numbers: of each the sequence, the frame of its end, and its number, [words].

    """

    rows: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]

    def detected(self) -> Spoken:
        """Return the word to detect alone, however often it is spoken."""
        own = self.numbers == 0
        return Spoken(self.rows[own], self.stops[own], self.numbers[own])


@dataclass(frozen=True)
class Sequences:
    """One batch.

    Attributes:
        log_mel: what is heard, [B, frames, mels].
        clear: the same, not clipped, not by telephone and without masks: what teachers hear.
        spoken: all words that are known by their numbers, the word to detect among them.

    """

    log_mel: augment.Batch
    clear: augment.Batch
    spoken: Spoken

    def __len__(self) -> int:
        return len(self.log_mel)


class SequenceMaker:
    """Composes sequences from pieces; all randomness comes from the generator it is given.

    Attributes:
        composition: what it composes from.
        hard_negatives: places of other speech to come back to.

    """

    def __init__(self, composition: Composition) -> None:
        self.composition = c = composition
        self.hard_negatives = HardNegatives()
        s = self._settings = c.settings
        self._voices = augment.voice_matrices(c.features.mels, s)
        shares = np.array([kind.share for kind in c.negatives])
        self._shares = shares / shares.sum()
        self._scene = Scene(
            c.features, s, noise=c.noise, rooms=c.rooms, frames=c.frames, babblers=self._babbler
        )

    def batch(self, size: int, rng: np.random.Generator) -> Sequences:
        """Compose `size` sequences."""
        c, s = self.composition, self._settings
        speech = np.zeros((size, c.frames, c.features.mels), np.float32)
        spoken: list[tuple[int, Word]] = []
        for row in range(size):
            words: list[Word] = []
            if rng.random() < s.word_share:
                words = self._with_word(speech[row], rng)
            elif rng.random() >= s.silence_share:
                words = self._talk(speech[row], 0, c.frames, rng)
            spoken += [(row, word) for word in words]
        log_mel, clear = self._scene.hear(speech, rng)
        return Sequences(
            log_mel,
            clear,
            Spoken(
                np.array([row for row, _ in spoken], np.int64),
                np.array([word.stop for _, word in spoken], np.int64),
                np.array([word.number for _, word in spoken], np.int64),
            ),
        )

    def _with_word(self, into: Frames, rng: np.random.Generator) -> list[Word]:
        """Say the word somewhere, once or again, with or without other speech around it.

        Returns:
            all words that are spoken.

        """
        s, frames = self._settings, len(into)
        times = 1 if rng.random() >= s.again_share else int(rng.integers(2, 4))
        before, after = (
            self._gap(rng) if rng.random() < share else None
            for share in (s.before_share, s.after_share)
        )
        said = self._say(rng)
        if after is not None and self._at_once(after):
            said = said.cut(int(rng.integers(*s.run_on_tail)))
        length = said.stop - said.start
        stop = int(rng.integers(min(length + 2, frames - AFTER_WORD - 5), frames - AFTER_WORD))
        words = [Word(0, stop)]
        said.put(into, stop)
        begin, end = (stop - said.stop + frame for frame in (said.begin, said.end))
        for _ in range(times - 1):
            if rng.random() >= s.again_same_share:
                said = self._say(rng)
            stop = begin - int(rng.uniform(*s.again_pause))
            if stop - (said.stop - said.start) < 2:  # noqa: PLR2004 - it would be cut off
                break
            words.append(Word(0, stop))
            said.put(into, stop)
            begin = stop - said.stop + said.begin
        if before is not None:
            words += self._talk(into, 0, begin - before, rng)
        if after is not None:
            words += self._talk(into, end + after, frames, rng, at_once=self._at_once(after))
        return words

    def _say(self, rng: np.random.Generator) -> PlacedWord:
        """Draw a take and change its voice."""
        s, takes = self._settings, self.composition.takes
        index = int(rng.choice(len(takes.weights), p=takes.weights))
        span, power = takes.spans[index], takes.library[index]
        if takes.in_sentence[index]:
            lead, tail = span.start, len(power) - span.stop
        else:
            if takes.phrase:
                span, power = self._phrase(span, power, rng)
            lead = min(span.start, int(rng.uniform(*s.margin)))
            tail = min(len(power) - span.stop, int(rng.uniform(*s.margin)))
        power = power[span.start - lead : span.stop + tail]
        spoken = augment.revoice(power, self._voices, rng, s)
        longest = self.composition.frames - AFTER_WORD - 15
        start, stop = spoken.frame_of(lead), spoken.frame_of(lead + len(span))
        stop = max(start + 1, min(stop, start + longest))
        if takes.in_sentence[index]:
            return PlacedWord(spoken.power, start, stop, 0, len(spoken.power))
        return PlacedWord(spoken.power, start, stop, start, stop)

    def _phrase(self, span: Span, power: Frames, rng: np.random.Generator) -> tuple[Span, Frames]:
        """Sometimes insert a pause into a phrase, or let another speaker finish it.

        Few speakers pause, and a network that never heard a pause misses those who do.
        """
        s, takes = self._settings, self.composition.takes
        cut = span.start + _quietest(power[span.start : span.stop])
        if rng.random() < s.splice_share:
            alone = np.flatnonzero(~takes.in_sentence)
            weights = takes.weights[alone] / takes.weights[alone].sum()
            index = int(rng.choice(alone, p=weights))
            other_span, other = takes.spans[index], takes.library[index]
            at = other_span.start + _quietest(other[other_span.start : other_span.stop])
            power = np.concatenate([power[:cut], other[at:]])
            span = Span(span.start, cut + other_span.stop - at)
        if rng.random() < s.pause_share:
            pause = int(rng.integers(2, LONGEST_PAUSE))
            quiet = np.minimum(power[cut - 1], power[cut]) * np.float32(rng.random())
            power = np.concatenate([power[:cut], np.tile(quiet, (pause, 1)), power[cut:]])
            span = Span(span.start, span.stop + pause)
        return span, power

    def _at_once(self, gap: int) -> bool:
        return gap <= self._settings.run_on_gap[1]

    def _talk(
        self,
        into: Frames,
        begin: int,
        end: int,
        rng: np.random.Generator,
        *,
        at_once: bool = False,
    ) -> list[Word]:
        """Fill frames [begin, end) with pieces of other speech; return the words known in it.

        `at_once`: the silence that the first recording may begin with is left out.
        """
        s = self._settings
        words: list[Word] = []
        if end - begin < SHORTEST:
            return words
        kind = self._kind(rng)
        at = max(0, begin)
        level = rng.normal(0, s.loudness_spread)
        while at < end - SHORTEST:
            if rng.random() < s.speaker_change_share:
                kind = self._kind(rng)
                level = rng.normal(0, s.loudness_spread)
            power, word = self._piece(kind, end - at + 60, rng)
            if at_once:
                power, word, at_once = *_from_onset(power, word), False
            spoken = augment.revoice(power, self._voices, rng, s)
            if word is not None and (stop := at + spoken.frame_of(word.stop)) < end:
                words.append(Word(word.number, stop))
            power = spoken.power[: end - at] * np.float32(10 ** (level / 10))
            add(into, power, at)
            at += len(power) + int(rng.exponential(s.piece_gap))
        return words

    def _kind(self, rng: np.random.Generator) -> int:
        return int(rng.choice(len(self._shares), p=self._shares))

    def _piece(self, kind: int, longest: int, rng: np.random.Generator) -> Piece:
        """Draw a piece that is not the word: other speech, a part of the word, a hard negative."""
        c, s = self.composition, self._settings
        drawn = rng.random()
        if drawn < s.part_share:
            return Piece(self._part(rng))
        if drawn < s.part_share + s.hard_negative_share and len(self.hard_negatives.starts):
            place = int(rng.integers(len(self.hard_negatives.starts)))
            start = int(self.hard_negatives.starts[place])
            library = c.negatives[int(self.hard_negatives.kinds[place])].library
            return Piece(library.power[start : start + min(longest, HardNegatives.FRAMES)])
        negatives = c.negatives[kind]
        index = int(rng.integers(len(negatives.library)))
        power = negatives.library[index]
        if len(power) > longest:  # and who knows what is left of a word
            return Piece(crop(power, longest, rng))
        return Piece(power, negatives.words.get(index))

    def _part(self, rng: np.random.Generator) -> Frames:
        """Return the beginning or the end of the word, which is not the word."""
        s, takes = self._settings, self.composition.takes
        index = int(rng.choice(len(takes.weights), p=takes.weights))
        span, power = takes.spans[index], takes.library[index]
        cut = span.start + round(len(span) * rng.uniform(*s.part_cut))
        begins = rng.random() < s.part_begins_share
        piece = power[span.start : cut] if begins else power[cut : span.stop]
        return piece if len(piece) else power[span.start : span.start + 1]

    def _babbler(self, rng: np.random.Generator) -> Library:
        return self.composition.negatives[self._kind(rng)].library

    def _gap(self, rng: np.random.Generator) -> int:
        """Return frames of pause between the word and other speech."""
        s = self._settings
        if rng.random() < s.run_on_share:
            return int(rng.integers(int(s.run_on_gap[0]), int(s.run_on_gap[1]) + 1))
        return int(3 * np.exp(rng.uniform(0, np.log(s.longest_gap / 3))))


def _quietest(phrase: Frames) -> int:
    """Return the quietest frame in the middle of a phrase: there, or near, its words part."""
    level = np.convolve(phrase.sum(axis=1), np.ones(3), mode="same")
    begin, end = round(0.35 * len(phrase)), round(0.68 * len(phrase))
    return begin + int(np.argmin(level[begin : end + 1]))


def _from_onset(power: Frames, word: Word | None) -> tuple[Frames, Word | None]:
    """Return a piece without the quiet before its speech, and where the word in it ends now."""
    level = power.sum(axis=1)
    onset = int(np.argmax(level >= ONSET * np.quantile(level, 0.9)))
    moved = None if word is None else Word(word.number, max(1, word.stop - onset))
    return power[onset:], moved
