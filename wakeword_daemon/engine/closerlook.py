"""A closer look at what may be the word: a second time, and for its sounds.

The network hears a word in strides of 80 ms. Where the word begins within a stride is chance, but
it changes the score as another voice would. So if a score is not low, the last seconds are heard a
second time in strides that begin 40 ms earlier, and a mean of both log odds is the score. It is a
kind of test-time augmentation (Krizhevsky et al. 2012, doi:10.1145/3065386).

Then the network of speech sounds hears the same seconds. Where they hold the word's sounds, the
score stays as it is; the less they do, the lower it becomes.

Most scores are low, so a closer look costs next to nothing.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from wakeword_daemon.engine.sounds import LONGEST, SoundListener, evidence
from wakeword_daemon.engine.soundsfile import english

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wakeword_daemon.engine.crnn import CRNN
    from wakeword_daemon.engine.settings import Architecture
    from wakeword_daemon.engine.sounds import Ways
    from wakeword_daemon.engine.streams import Made, Stream
    from wakeword_daemon.engine.weights import Weight
    from wakeword_daemon.pcm import Samples

LOW = 0.05
"""Scores below it are left as they are. From there to twice as much the second time gains weight:
the score has no step."""
SHARE = 1 / 3
"""Weight of the second time. With a half, as many words are missed, but each is heard 10 ms later,
because what is heard again ends 40 ms before the step."""
STEPS = 20
"""Steps that are heard again: 1.6 s, and what the first of them covers."""
DOUBTFUL = 0.15
"""From this score on the sounds count, and from twice as much they have their full weight."""
OF_SOUNDS = 0.5
"""How much evidence against the word counts in its log odds."""
LEAST = -25.0
"""Evidence below this counts as this."""


class CloserLook:
    """Looks closer at the steps of a stream, whose last seconds it keeps.

    Args:
        networks: the words'.
        stream: a stream through them.

    """

    def __init__(self, networks: Sequence[CRNN], stream: Stream) -> None:
        self._ways = [network.ways for network in networks]
        self._architecture = a = networks[0].architecture
        self._features = f = networks[0].features
        frames = max(a.frames_of_step(STEPS - 1) + a.stride_frames // 2, LONGEST)
        self._kept = (frames - 1) * f.hop + f.window
        self._stream = stream.fresh()
        self._listener = SoundListener(english()) if any(self._ways) else None
        self._samples = _memory(2 * self._kept)
        self.reset()

    def fresh(self) -> CloserLook:
        """Return one for another stream through the same networks."""
        other = copy.copy(self)
        other._stream = self._stream.fresh()  # noqa: SLF001 -- of this class
        other._listener = self._listener and self._listener.fresh()  # noqa: SLF001
        other._samples = _memory(2 * self._kept)  # noqa: SLF001
        other.reset()
        return other

    def reset(self) -> None:
        """Forget everything."""
        self._end = 0  # of what is kept in the samples
        self._heard = 0  # of the whole stream

    def revise(self, pcm: Samples, made: Made) -> None:
        """Take the next samples, and look closer at the steps that the stream made of them."""
        end = self._end + len(pcm)
        if end > len(self._samples):
            end = self._make_room(len(pcm))
        try:
            self._samples[self._end : end] = pcm  # type: ignore[assignment]  # as in `buffers.view`
        except ValueError:  # an array that is not aligned
            self._samples[self._end : end] = memoryview(pcm.tobytes()).cast("h")
        self._end = end
        self._heard += len(pcm)
        self._look(made, self._part)

    def revise_frames(self, frames: Weight, made: Made) -> None:
        """Look closer at the steps of log-mel frames [F, mels], which are a whole stream."""
        self._look(made, lambda first, stop: frames[first:stop], of_frames=True)

    def _look(
        self, made: Made, part: Callable[[int, int], Any], *, of_frames: bool = False
    ) -> None:
        """Replace each score of some steps that is not low.

        Args:
            made: the steps.
            part: returns what the stream heard in the frames from one to another.
            of_frames: whether that is log-mel frames, not samples.

        """
        stream, listener = self._stream, self._listener
        for frame, _, scores in made:
            if max(scores) <= LOW:
                continue
            if frames := _earlier(frame + 1, self._architecture):
                stream.reset()
                heard = part(*frames)
                again = stream.hear_frames(heard) if of_frames else stream.hear(heard)
                scores[:] = map(_both, scores, again[-1][2])
            if listener is not None and any(map(_may_be, scores, self._ways)):
                heard = part(*listener.span(frame + 1))
                sounds = listener.hear_frames(heard) if of_frames else listener.hear(heard)
                for word, ways in enumerate(self._ways):
                    if _may_be(scores[word], ways):
                        scores[word] = _less(scores[word], evidence(sounds, ways))

    def _make_room(self, count: int) -> int:
        """Move the last samples to the front, with room behind them; return where `count` end."""
        last = self._samples[max(self._end - self._kept, 0) : self._end]
        self._samples = _memory(max(2 * self._kept, self._kept + count))
        self._end = len(last)
        self._samples[: self._end] = last
        return self._end + count

    def _part(self, first: int, stop: int) -> memoryview[int]:
        forgotten = self._heard - self._end
        start = first * self._features.hop - forgotten
        end = (stop - 1) * self._features.hop + self._features.window - forgotten
        return self._samples[start:end]


def _earlier(stop: int, a: Architecture) -> tuple[int, int] | None:
    """Return the frames of a second look at the step that ends before frame `stop`, if any."""
    stop -= a.stride_frames // 2
    steps = min(STEPS, (stop - a.kernel_frames) // a.stride_frames + 1)
    return (stop - a.frames_of_step(steps - 1), stop) if steps > 0 else None


def _both(first: float, second: float) -> float:
    """Return the probability whose log odds lie between those of two looks."""
    if first <= LOW:
        return first
    share = SHARE * min(1.0, first / LOW - 1)
    yes = first ** (1 - share) * second**share
    no = (1 - first) ** (1 - share) * (1 - second) ** share
    return yes / (yes + no) if yes + no else first


def _may_be(score: float, ways: Ways) -> bool:
    return bool(ways) and score > DOUBTFUL


def _less(score: float, against: float) -> float:
    """Return the probability after evidence against the word, which is 0 or less."""
    share = OF_SOUNDS * min(1.0, score / DOUBTFUL - 1)
    yes = score * math.exp(share * max(against, LEAST))
    return yes / (yes + 1 - score)


def _memory(samples: int) -> memoryview[int]:
    return memoryview(bytearray(2 * samples)).cast("h")
