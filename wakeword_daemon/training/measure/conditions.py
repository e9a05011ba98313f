"""The conditions a word is measured under: how it is said, what is heard with it, and through what.

This module is data alone. `scenes` arranges a take as its condition says, `channel` degrades its
sound.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """One way in which a word is said and heard.

    Attributes:
        name: what tables call it.
        pitch, formants, length: factors by which the voice is changed; 1 changes nothing.
        run_in: whether other speech ends just before the word, 0 to 100 ms.
        run_on: seconds between the end of the word and a sentence by another voice; None: silence.
        again: seconds between the word and the same word said again, which is the one that counts;
            None where it is said once.
        masked: whether noise 10 dB louder covers the first of the two.
        snr_db: noise this many dB below the word; None for none.
        babble: whether that noise is made of other speakers.
        room: whether all is heard in a room.
        headset: whether all passes through a telephone band and mu-law coding.
        clipped_db: how far the word's peak exceeds full scale, in dB; 0 for no clipping.
        counts_false_accepts: whether other speech is heard under this condition too.

    """

    name: str
    pitch: float = 1.0
    formants: float = 1.0
    length: float = 1.0
    run_in: bool = False
    run_on: float | None = None
    again: float | None = None
    masked: bool = False
    snr_db: float | None = None
    babble: bool = False
    room: bool = False
    headset: bool = False
    clipped_db: float = 0.0
    counts_false_accepts: bool = False

    @property
    def changes_voice(self) -> bool:
        """Whether Praat is needed for it."""
        return (self.pitch, self.formants, self.length) != (1.0, 1.0, 1.0)

    @property
    def is_drawn(self) -> bool:
        """Whether noise or a room is drawn for it, for other speech too."""
        return self.room or self.snr_db is not None


CLEAN = Condition("clean", counts_false_accepts=True)
NOISE = Condition("noise 10 dB", snr_db=10.0, counts_false_accepts=True)
ROOM = Condition("room", room=True, counts_false_accepts=True)
HEADSET = Condition("headset", headset=True, counts_false_accepts=True)

CONDITIONS = (
    CLEAN,
    NOISE,
    ROOM,
    HEADSET,
    Condition("run-on 0 ms", run_on=0.0),
    Condition("run-on 50 ms", run_on=0.05),
    Condition("run-on 100 ms", run_on=0.1),
    Condition("run-on 300 ms", run_on=0.3),
    Condition("run-in", run_in=True),
    Condition("slow 1.3", length=1.3),
    Condition("slow 1.6", length=1.6),
    Condition("fast 1.4", length=1 / 1.4),
    Condition("high 1.4", pitch=1.4),
    Condition("high 1.8", pitch=1.8),
    Condition("child", pitch=1.6, formants=1.2),
    Condition("child, slow 1.3", pitch=1.6, formants=1.2, length=1.3),
    Condition("babble 10 dB", snr_db=10.0, babble=True),
    Condition("babble 5 dB", snr_db=5.0, babble=True),
    Condition("again after 0.7 s", again=0.7),
    Condition("again after 1.0 s", again=1.0),
    Condition("again, first masked", again=0.7, masked=True),
    Condition("clipped 15 dB", clipped_db=15.0),
)


def measurable() -> tuple[list[Condition], list[str]]:
    """Return the conditions that can be measured here, and the names of those that cannot.

    Changed voices need Praat, from the `train` extra.
    """
    praat = importlib.util.find_spec("parselmouth") is not None
    here = [c for c in CONDITIONS if praat or not c.changes_voice]
    return here, [c.name for c in CONDITIONS if c not in here]
