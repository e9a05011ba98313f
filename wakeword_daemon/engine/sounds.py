"""Whether what was heard has the sounds of a word: a network of speech sounds, and two paths.

The network of a word knows how some people say it. This one knows no word, but how many people say
all sounds of English. To each 30 ms of audio it gives a score for every sound, and for none. The
evidence for a word is the log ratio of two paths through these scores: the best that says the
word's sounds in their order, somewhere, and the best of all. It is 0 where nothing fits better than
the word, and below 0 elsewhere.

Sources: the network is trained as in Graves et al. 2006 (connectionist temporal classification).
The two paths are those of a word among fillers (Rose and Paul 1990), found by Viterbi's algorithm.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from wakeword_daemon.buffers import view
from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.engine.streams import new_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.engine.streams import Made
    from wakeword_daemon.engine.weights import Weight
    from wakeword_daemon.pcm import Samples

SOUNDS = (
    "p", "b", "t", "d", "k", "g", "f", "v", "th", "dh", "s", "z", "sh", "zh", "ch", "jh", "m", "n",
    "ng", "l", "r", "w", "y", "h", "iy", "ih", "eh", "ae", "aa", "ao", "uh", "uw", "ah", "er", "ey",
    "ay", "ow", "oy", "aw",
)  # fmt: skip
"""The sounds of English, named as in the CMU dictionary. They are the network's scores from the
second on; the first is for none of them."""

Scores = list[list[float]]
"""Of each step, a score for none and for each sound: [steps][1 + sounds]."""
Ways = tuple[tuple[str, ...], ...]
"""The ways to say a word, each by its sounds."""

SOUND_SET = frozenset(SOUNDS)
MOST_WAYS, MOST_SOUNDS = 16, 64
"""A model file must not be able to ask for more; 64 sounds take more than 2 s."""
LONGEST = 198
"""The most frames in which the sounds of a word are sought: 2 s."""
_NEVER = -1e9


@dataclass(frozen=True, slots=True, eq=False)
class SoundNetwork:
    """Two networks whose scores are added: one hears forwards, the other hears backwards."""

    forwards: CRNN
    backwards: CRNN


class SoundListener:
    """Hears pieces of audio, each by itself. Only one thread at a time may use it."""

    def __init__(self, network: SoundNetwork) -> None:
        self._architecture = network.forwards.architecture
        self._features = network.forwards.features
        self._forwards = new_stream([network.forwards])
        self._backwards = new_stream([network.backwards])

    def fresh(self) -> SoundListener:
        """Return another one."""
        other = copy.copy(self)
        other._forwards = self._forwards.fresh()  # noqa: SLF001 -- of this class
        other._backwards = self._backwards.fresh()  # noqa: SLF001
        return other

    def span(self, stop: int) -> tuple[int, int]:
        """Return the frames to hear of those before `stop`: a whole number of steps."""
        return stop - self._architecture.whole_steps(min(stop, LONGEST)), stop

    def hear(self, pcm: Samples) -> Scores:
        """Return the scores of int16 samples [samples], of a whole number of steps."""
        turned = memoryview(view(pcm)[::-1].tobytes()).cast("h")
        self._forwards.reset()
        self._backwards.reset()
        return _added(self._forwards.hear(pcm), self._backwards.hear(turned))

    def hear_frames(self, frames: Weight) -> Scores:
        """Return the scores of contiguous log-mel frames [F, mels], of a whole number of steps."""
        self._forwards.reset()
        self._backwards.reset()
        turned = _turned(frames, self._features.mels)
        return _added(self._forwards.hear_frames(frames), self._backwards.hear_frames(turned))


def is_said(ways: Ways) -> bool:
    """Return whether each way to say a word has known sounds, and not too many."""
    return len(ways) <= MOST_WAYS and all(
        0 < len(way) <= MOST_SOUNDS and SOUND_SET.issuperset(way) for way in ways
    )


def evidence(scores: Scores, ways: Ways) -> float:
    """Return the log ratio of the best path that says a word to the best path; 0 or less."""
    best = [max(step) for step in scores]
    return max(_along(scores, best, _labels(way)) for way in ways)


def _along(scores: Scores, best: Sequence[float], labels: Sequence[int]) -> float:
    """Return the log ratio for sounds with the score for none between them, which may be passed."""
    last = len(labels) - 1
    paths = [_NEVER] * len(labels)  # the best that has come to each label
    found = _NEVER
    for step, most in zip(scores, best, strict=True):
        for at in range(last, 1, -1):
            before = max(paths[at], paths[at - 1])
            if at % 2 == 0 and labels[at] != labels[at - 2]:
                before = max(before, paths[at - 2])
            paths[at] = before + step[labels[at]] - most
        if last:
            paths[1] = max(paths[1], paths[0]) + step[0] - most
        paths[0] = max(paths[0], 0.0) + step[labels[0]] - most  # the word may begin at any step
        found = max(found, paths[last])
    return found


@cache
def _labels(way: tuple[str, ...]) -> tuple[int, ...]:
    """Return the numbers of the scores of a word's sounds, with that for none between them."""
    numbers = [1 + SOUNDS.index(sound) for sound in way]
    return tuple(label for number in numbers for label in (number, 0))[:-1]


def _added(forwards: Made, backwards: Made) -> Scores:
    return [
        [one + other for one, other in zip(first, second, strict=True)]
        for (_, _, first), (_, _, second) in zip(forwards, reversed(backwards), strict=True)
    ]


def _turned(frames: Weight, mels: int) -> memoryview[float]:
    """Return log-mel frames in the opposite order."""
    data, row = view(frames).tobytes(), mels * 4
    rows = [data[at : at + row] for at in range(len(data) - row, -1, -row)]
    return memoryview(b"".join(rows)).cast("f", (len(rows), mels))
