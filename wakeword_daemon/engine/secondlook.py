"""A second look at what may be the word: the same audio, in steps that lie half a stride earlier.

The network hears a word in strides of 80 ms. Where the word begins within a stride is chance, but
it changes the score as another voice would. So if a score is not low, the last seconds are heard a
second time in strides that begin 40 ms earlier, and a mean of both log odds is the score. Most
scores are low, so this costs next to nothing. It is a kind of test-time augmentation (Krizhevsky et
al. 2012, doi:10.1145/3065386).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.engine.settings import Architecture, FeatureSettings
    from wakeword_daemon.engine.streams import Made, Stream
    from wakeword_daemon.engine.weights import Weight
    from wakeword_daemon.pcm import Samples

LOW = 0.05
"""Scores below it are left as they are. From there to twice as much the second look gains weight:
the score has no step."""
SHARE = 1 / 3
"""Weight of the second look. With a half, as many words are missed, but each is heard 10 ms later,
because what is heard again ends 40 ms before the step."""
STEPS = 20
"""Steps that are heard again: 1.6 s, and what the first of them covers."""


def look_again(made: Made, architecture: Architecture, hear: Callable[[int, int], Made]) -> None:
    """Replace each score of some steps that is not low by that of both looks.

    Args:
        made: steps of a stream, whose scores are changed.
        architecture: the networks'.
        hear: returns the steps of the frames from one to another of the stream, heard from silence.

    """
    for frame, _, scores in made:
        if max(scores) > LOW and (frames := _earlier(frame + 1, architecture)):
            again = hear(*frames)[-1][2]
            scores[:] = map(_both, scores, again)


def look_again_at(frames: Weight, made: Made, stream: Stream, architecture: Architecture) -> None:
    """Do the same for the steps of log-mel frames [F, mels], by a stream that may be reset."""

    def hear(first: int, stop: int) -> Made:
        stream.reset()
        return stream.hear_frames(frames[first:stop])

    look_again(made, architecture, hear)


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


class SecondLook:
    """Second looks at a stream of audio, whose last seconds it keeps.

    Args:
        stream: the networks.
        architecture, features: theirs.

    """

    def __init__(
        self, stream: Stream, architecture: Architecture, features: FeatureSettings
    ) -> None:
        self._stream = stream.fresh()
        self._architecture, self._features = architecture, features
        frames = architecture.frames_of_step(STEPS - 1) + architecture.stride_frames // 2
        self._kept = frames * features.hop + features.window
        self._samples = _memory(2 * self._kept)
        self._end = 0  # of what is kept in them
        self._heard = 0  # of the whole stream

    def fresh(self) -> SecondLook:
        """Return one for another stream through the same networks."""
        return SecondLook(self._stream, self._architecture, self._features)

    def reset(self) -> None:
        """Forget everything."""
        self._end = self._heard = 0

    def revise(self, pcm: Samples, made: Made) -> None:
        """Take the next samples, and look again at the steps that the stream made of them."""
        end = self._end + len(pcm)
        if end > len(self._samples):
            end = self._make_room(len(pcm))
        try:
            self._samples[self._end : end] = pcm  # type: ignore[assignment]  # as in `buffers.view`
        except ValueError:  # an array that is not aligned
            self._samples[self._end : end] = memoryview(pcm.tobytes()).cast("h")
        self._end = end
        self._heard += len(pcm)
        look_again(made, self._architecture, self._hear)

    def _make_room(self, count: int) -> int:
        """Move the last samples to the front, with room behind them; return where `count` end."""
        last = self._samples[max(self._end - self._kept, 0) : self._end]
        self._samples = _memory(max(2 * self._kept, self._kept + count))
        self._end = len(last)
        self._samples[: self._end] = last
        return self._end + count

    def _hear(self, first: int, stop: int) -> Made:
        forgotten = self._heard - self._end
        start = first * self._features.hop - forgotten
        end = (stop - 1) * self._features.hop + self._features.window - forgotten
        self._stream.reset()
        return self._stream.hear(self._samples[start:end])


def _memory(samples: int) -> memoryview[int]:
    return memoryview(bytearray(2 * samples)).cast("h")
