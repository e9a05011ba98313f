"""What a recorded take may be refused for, and what of a good one is kept."""

import numpy as np
import pytest
from support.daemon import AUDIO

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.training.data.newtakes import MARGIN, examine

HEARD = examine(files.read(AUDIO / "jarvis-slt.flac"))
WORD = HEARD.pcm[HEARD.start : HEARD.stop]


def in_a_room(*parts, noise=10):
    """Return parts one after the other, seconds of silence or samples, in some noise."""
    waves = [np.zeros(round(p * SAMPLE_RATE)) if isinstance(p, float) else p for p in parts]
    wave = np.concatenate(waves).astype(float)
    wave += np.random.default_rng(0).normal(0, noise, len(wave))
    return wave.clip(-32_768, 32_767).astype(np.int16)


def test_of_a_good_take_the_word_and_a_margin_are_kept():
    take = examine(in_a_room(1.5, WORD, 1.5))
    assert take.problem == ""
    assert take.above_noise > 20
    assert len(take.kept) == take.stop - take.start + 2 * MARGIN
    first, last = take.trim
    assert 0 < first < last < 1


@pytest.mark.parametrize(
    ("pcm", "problem"),
    [
        (in_a_room(3.0), "nothing was heard"),
        (in_a_room(1.5, WORD * 40.0, 1.5), "of it is clipped"),
        (in_a_room(WORD, 1.5), "the word is cut off"),
        (in_a_room(1.5, WORD[2000:4000], 1.5), "too short for a word"),
        (in_a_room(0.5, *[WORD] * 5, 0.5), "say the word alone, once"),
        (in_a_room(1.5, WORD / 8, 1.5, noise=150), "dB louder than the room"),
    ],
    ids=["silent", "clipped", "cut off", "short", "long", "quiet"],
)
def test_a_take_that_is_no_good_is_refused_with_the_reason(pcm, problem):
    assert problem in examine(pcm).problem


def test_the_same_recording_again_is_refused_however_loud():
    first = examine(in_a_room(1.5, WORD, 1.5))
    again = in_a_room(1.0, WORD / 2, 2.0)
    assert "the same recording" in examine(again, [first.kept]).problem
    other = files.read(AUDIO / "jarvis-rms.flac")
    assert examine(in_a_room(1.5, other, 1.5), [first.kept]).problem == ""
