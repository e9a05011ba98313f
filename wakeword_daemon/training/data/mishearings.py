"""Common words that sound like a phrase when they are said in one breath.

"A small boy" sounds like snowboy, and "have no more" like hey nova. No single one of these words
does, so `neighbours` does not find them. If a phrase has several words, one of them and a
different word may be enough: "a smart move" is taken for smart mirror.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword_daemon.training.data import synthesis
from wakeword_daemon.training.data.neighbours import alignments

_COMMON = """
a able about above across act add afraid after again against age ago agree air all allow almost
alone along already also always am among an and animal another answer any anyone anything appear are
area arm army around art as ask at away baby back bad bag ball bank bar base be bear beat beautiful
became because become bed been before began begin behind believe below best better between big bill
bird bit black blood blow blue board boat body book born both bottle bottom bow box boy bread break
bring brother brought brown build burn bus business but buy by cake call came can cannot car card
care carry case cat catch caught cause cent center chair chance change cheap check child children
choose church circle city class clean clear climb clock close clothes cloud coat cold color come
common company complete cook cool copy corner cost could count country course cover cow cross cry
cup cut dad dance dark daughter day dead deal dear death decide deep did die different dinner do
doctor does dog dollar done door down draw dream dress drink drive drop dry each ear early earth
east easy eat egg eight either else end enemy engine enjoy enough enter even evening ever every
everyone everything exactly eye face fact fall false family far farm fast father favor fear feed
feel feet fell felt few field fight fill find fine finger finish fire first fish five fix floor
flower fly follow food foot for force forest forget found four free fresh friend from front fruit
full fun funny game garden gas gave get girl give glad glass go goes gold gone good got great green
grew ground group grow guess had hair half hall hand happen happy hard has hat have he head hear
heard heart heat heavy held hello help her here hers high hill him his hit hold hole home hope horse
hot hour house how huge human hundred hurry i ice idea if important in inside into is island it its
job join jump just keep kept key kid kill kind king kitchen knew knife know known lady lake land
large last late laugh law lay lead learn least leave left leg less let letter lie life light like
line lion list listen little live long look lost lot loud love low lower machine made main make man
many map mark market may me mean meat meet men middle might mile milk mind mine minute miss moment
money month moon more morning most mother mountain mouth move much music must my name near neck need
never new news next nice night nine no nobody noise none nor north nose not note nothing now number
of off offer office often oh oil old on once one only open or orange order other our out over own
page paid pain pair paper park part party pass past pay peace pen people perfect perhaps person
phone pick picture piece place plan plane plant play please point poor possible power present pretty
price problem proud pull push put queen question quick quiet quite radio rain ran reach read ready
real really reason red remember rest rich ride right ring rise river road rock room round rule run
sad safe said sail same sand sat save saw say school sea seat second see seem sell send sent serve
set seven several shall shape share sharp she ship shirt shoe shop short should shoulder shout show
side sight sign silver simple since sing sister sit six size skin sky sleep slow small smell smile
smoke snow so soft sold some someone something sometimes son song soon sorry sort sound south space
speak special spend spoke spring square stand star start state stay step still stone stood stop
store story strange street strong student study such sudden sugar suit summer sun sure surprise
sweet swim table take talk tall tea teach teacher team tell ten test than thank that the their them
then there these they thick thin thing think third this those though thought thousand three through
throw time tired to today together told tomorrow too took top touch toward town toy train travel
tree trip trouble truck true try turn twelve twenty two uncle under until up upon us use usually
very view village visit voice wait walk wall want war warm was wash watch water way we wear weather
week well went were west wet what wheel when where whether which while white who whole why wide wife
wild will win wind window winter wish with without woman wood word work world worry would write
wrong year yellow yes yesterday yet you young your
"""
COMMON = _COMMON.split()
"""Nearly eight hundred words that are said often."""

_MOST_WORDS = 3
_SPREAD = 0.2
"""Sounds by which a word may differ before it is drawn a third as often."""
_NEAREST = 1.0
"""Sounds that a sequence differs by at least; nearer ones may be the phrase in another accent."""
_FARTHEST = 0.5
"""And at most, as a share of the phrase's sounds."""
_KEPT = 0.4
"""Share of the sequences in which one word of the phrase stays, if it has several."""
_KEPT_SPREAD = 1.0
"""The same as _SPREAD for the words that replace the others."""
_SURROUNDED = 0.5
"""Share of the sequences that stand between other words."""
_TRIES = 1000
"""Draws after which a sequence is taken as it is: some phrases sound like no common words."""


def mishearings(phrase: str, rng: random.Random) -> Iterator[str]:
    """Return two or three common words that together sound like the phrase, without end.

    The sound begins within the first word and ends within the last. If the phrase has several
    words, some of the sequences have one of them, and common words instead of the others. Half of
    the sequences stand between other words.

    Args:
        phrase: as voices read it.
        rng: draws them.

    """
    table = _table(phrase)
    parts = phrase.split()
    while True:
        if len(parts) > 1 and rng.random() < _KEPT:
            words = _with_one_kept(parts, rng)
        else:
            words = table.mishearing(phrase, rng)
        if rng.random() < _SURROUNDED:
            words = [rng.choice(COMMON), *words, rng.choice(COMMON)]
        yield " ".join(words)


@dataclass(frozen=True)
class _Table:
    """How well each common word fits each part of a phrase, in sounds that differ.

    Attributes:
        sounds: of the phrase.
        spoken: the sounds of the common words.
        first: of the phrase's first i sounds, from the end of each word, [i, word].
        whole: of its sounds i to j, from the whole of each word, [i, j, word].
        last: of its sounds from i on, from the beginning of each word, [i, word].

    """

    sounds: list[str]
    spoken: Sequence[list[str]]
    first: npt.NDArray[np.float32]
    whole: npt.NDArray[np.float32]
    last: npt.NDArray[np.float32]

    def mishearing(self, phrase: str, rng: random.Random) -> list[str]:
        """Return words that together sound like the phrase, if such words are found."""
        for _ in range(_TRIES):
            words, near_enough = self.draw(rng)
            if near_enough and phrase not in " ".join(words):
                break
        return words

    def draw(self, rng: random.Random) -> tuple[list[str], bool]:
        """Return words, those that fit more often, and whether they sound like the phrase."""
        most = len(self.sounds)
        cuts = sorted(rng.sample(range(1, most), min(rng.randint(1, _MOST_WORDS - 1), most - 1)))
        costs = [
            self.first[cuts[0]],
            *(self.whole[i, j] for i, j in itertools.pairwise(cuts)),
            self.last[cuts[-1]],
        ]
        weights = (np.exp((cost.min() - cost) / _SPREAD) for cost in costs)
        drawn = [rng.choices(range(len(COMMON)), likely)[0] for likely in weights]
        joined = [sound for word in drawn for sound in self.spoken[word]]
        *_, apart = alignments(self.sounds, [joined], anywhere=True)
        near_enough = _NEAREST <= apart.min() <= _FARTHEST * most
        return [COMMON[word] for word in drawn], bool(near_enough)


@functools.cache
def _spoken() -> list[list[str]]:
    """Return the sounds of each common word."""
    return synthesis.phonemes(COMMON)


@functools.cache  # every start of the same draws asks again
def _table(phrase: str) -> _Table:
    sounds = synthesis.phonemes([phrase])[0]
    sounds += [""] * (2 - len(sounds))  # a word of one sound cannot be divided
    spoken = _spoken()
    count = len(sounds)
    whole = np.full((count + 1, count + 1, len(COMMON)), np.inf, np.float32)
    last = np.full((count + 1, len(COMMON)), np.inf, np.float32)
    ends = np.array([len(one) for one in spoken])
    words = np.arange(len(COMMON))
    for i in range(count):
        for j, row in enumerate(alignments(sounds[i:], spoken, anywhere=False), i):
            whole[i, j] = row[words, ends]
        last[i] = row.min(axis=1)
    first = np.array([row[words, ends] for row in alignments(sounds, spoken, anywhere=True)])
    return _Table(sounds, spoken, first, whole, last)


def _with_one_kept(parts: Sequence[str], rng: random.Random) -> list[str]:
    """Return the words of a phrase, of which all but one are replaced by common words."""
    kept = rng.randrange(len(parts))
    return [
        part if place == kept else rng.choices(COMMON, _likely_instead(part))[0]
        for place, part in enumerate(parts)
    ]


@functools.cache
def _likely_instead(word: str) -> list[float]:
    """Return how often each common word is drawn in the place of a word: the nearest most often."""
    sounds, spoken = synthesis.phonemes([word])[0], _spoken()
    *_, rows = alignments(sounds, spoken, anywhere=False)
    apart = rows[np.arange(len(COMMON)), [len(one) for one in spoken]]
    likely: list[float] = np.where(
        apart >= _NEAREST, np.exp((_NEAREST - apart) / _KEPT_SPREAD), 0.0
    ).tolist()
    return likely
