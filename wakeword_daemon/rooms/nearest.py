"""Lets only one of several rooms that hear the same word fire: the nearest to the speaker.

The nearest room is the one where the word is loudest compared with the noise of the room. The first
room that hears the word waits for the others. Then the loudest fires, and the others are informed
that another room did. So is a room that hears the word later, but within its refractory time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wakeword_daemon.levels import NOISE_HOPS, decibels, noise_floor

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Claim:
    """A room has heard a word, and would fire.

    Attributes:
        above_noise: how much louder the word is than the noise of that room, in dB.
        fires: the line that tells the room that it fires.
        yields: the line that tells it that another one does.

    """

    above_noise: float
    fires: bytes
    yields: bytes


class Nearest:
    """Decides among the rooms of one service, on the running event loop.

    Args:
        wait: seconds that the first room waits for the others.

    """

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._seats: set[Seat] = set()  # of the rooms whose audio is heard
        self._rounds: dict[str, _Round] = {}

    def seat(self, tell: Callable[[bytes], bool]) -> Seat:
        """Return the seat of a new room.

        Args:
            tell: sends the room a line; returns whether the room is still there.

        """
        return Seat(self, tell)

    def listens(self, seat: Seat) -> None:
        """Wait for this room from now on."""
        self._seats.add(seat)

    def leaves(self, seat: Seat) -> None:
        """Wait for it no more."""
        self._seats.discard(seat)

    def claim(self, seat: Seat, word: str, claim: Claim, refractory: float) -> None:
        """Enter a room's claim on a word; the room is informed of the decision."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        current = self._rounds.get(word)
        if current is None or now >= current.end or current.over:
            current = self._rounds[word] = _Round(now + max(self._wait, refractory))
            loop.call_later(self._wait, current.decide)
        if current.decided:
            seat.tell(claim.fires if seat is current.winner else claim.yields)
            return
        current.claims.append((seat, claim))
        claimed = {entered for entered, _ in current.claims}
        if all(other in claimed for other in self._seats if word in other.words):
            current.decide()


class Seat:
    """One room, as the decision sees it: the noise in it, and which words it listens for."""

    def __init__(self, nearest: Nearest, tell: Callable[[bytes], bool]) -> None:
        self.tell = tell
        self.words: frozenset[str] = frozenset()
        self._nearest = nearest
        self._levels: deque[float] = deque(maxlen=NOISE_HOPS)

    def listen(self, words: frozenset[str]) -> None:
        """Begin to hear audio, for these words."""
        self.words = words
        self._nearest.listens(self)

    def leave(self) -> None:
        """Hear no more audio for now."""
        self._nearest.leaves(self)

    def hear(self, power: float) -> None:
        """Follow the noise of the room by the mean square of each hop."""
        self._levels.append(decibels(power))

    def above_noise(self, loudness: float) -> float:
        """Return how far a level in dBFS is above the noise floor of the room, in dB."""
        return round(loudness - noise_floor(self._levels), 1)

    def claim(self, word: str, claim: Claim, refractory: float) -> None:
        """Enter a claim: see `Nearest.claim`."""
        self._nearest.claim(self, word, claim, refractory)


@dataclass(eq=False)
class _Round:
    """One utterance of a word, until `end` on the clock of the event loop."""

    end: float
    claims: list[tuple[Seat, Claim]] = field(default_factory=list)
    winner: Seat | None = None
    decided: bool = False

    @property
    def over(self) -> bool:
        """Whether all rooms that claimed it had left before the decision."""
        return self.decided and self.winner is None

    def decide(self) -> None:
        """Let the loudest room that is still connected fire, and inform the others."""
        if self.decided:
            return
        self.decided = True
        for seat, claim in sorted(self.claims, key=lambda entry: -entry[1].above_noise):
            if self.winner is None and seat.tell(claim.fires):
                self.winner = seat
            elif seat is not self.winner:
                seat.tell(claim.yields)
        self.claims.clear()
