"""The speech sounds of English texts, as espeak-ng says them: `engine.sounds.SOUNDS`."""
# ruff: noqa: RUF001 -- letters of the IPA are meant

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from wakeword_daemon.engine.sounds import Ways
from wakeword_daemon.training.data import synthesis
from wakeword_daemon.training.data.synthesis import Voice

ACCENTS = ("en-us", "en-gb")
"""In both, "computer" ends in other sounds, and so it does with people."""

SCOTTISH = "en-gb-scotland"

_IPA = {
    "tʃ": "ch", "dʒ": "jh", "aɪ": "ay", "aʊ": "aw", "eɪ": "ey", "oʊ": "ow", "əʊ": "ow",
    "ɔɪ": "oy", "oɪ": "oy", "eə": "eh", "ɪə": "iy ah", "iə": "iy ah", "ʊə": "uh", "ɑə": "aa",
    "oə": "ao", "aa": "aa", "ɑː": "aa", "aː": "aa", "ɔː": "ao", "ɜː": "er", "uː": "uw",
    "ʉː": "uw", "iː": "iy", "oː": "ow", "eː": "ey",
    "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "ɡ": "g", "g": "g", "f": "f", "v": "v",
    "θ": "th", "ð": "dh", "s": "s", "z": "z", "ʃ": "sh", "ʒ": "zh", "m": "m", "n": "n", "ɲ": "n",
    "ŋ": "ng", "l": "l", "ɫ": "l", "ɬ": "l", "ɹ": "r", "r": "r", "w": "w", "ʍ": "w", "j": "y",
    "h": "h", "ç": "h", "ɾ": "t", "ʔ": "t", "x": "k", "i": "iy", "ɪ": "ih", "ᵻ": "ih", "ɨ": "ih",
    "ɛ": "eh", "e": "eh", "æ": "ae", "a": "ae", "ɑ": "aa", "ɒ": "aa", "ɔ": "ao", "o": "ow",
    "ɵ": "ow", "ʊ": "uh", "u": "uw", "ʉ": "uw", "y": "uw", "ʌ": "ah", "ɐ": "ah", "ə": "ah",
    "ɜ": "er", "ɚ": "er", "ø": "er",
}  # fmt: skip
_SOUND = re.compile("|".join(sorted(_IPA, key=len, reverse=True)))
_UNHEARD = re.compile("[ˈˌˑ̩̃ʲ _|-]")
"""Stress, length of half a sound, and other marks that make no sound of their own."""


def sounds_of(ipa: str) -> tuple[str, ...]:
    """Return the sounds of a text in IPA; what is not English is left out."""
    bare = _UNHEARD.sub("", ipa).replace(":", "ː")
    return tuple(sound for found in _SOUND.findall(bare) for sound in _IPA[found].split())


def spoken(texts: Sequence[str], accent: str) -> list[tuple[str, ...]]:
    """Return the sounds of each text in one of espeak-ng's English accents."""
    plain = [re.sub(r"[^\w' ]+", " ", text) for text in texts]
    run = subprocess.run(
        ["espeak-ng", "-q", "-v", accent, "--ipa"],
        input="\n\n".join(plain), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in run.stdout.split("\n") if line.strip()]
    if len(lines) != len(texts):  # it breaks lines where a text is long
        lines = [synthesis.pronunciation(text, accent) for text in plain]
    return [sounds_of(line) for line in lines]


def accent_of(voice: Voice) -> str | None:
    """Return the accent of a synthetic voice; None if it is none of English."""
    if voice.engine == "espeak":
        accent = voice.name.split("+")[0]
        return accent if accent in synthesis.ESPEAK_ACCENTS else None
    if voice.engine == "kokoro":
        return voice.name.split("/")[0]
    return SCOTTISH if voice.name == "awb" else ACCENTS[0]


def ways_to_say(phrase: str) -> Ways:
    """Return the ways to say a phrase, by their sounds; none where espeak-ng is not installed."""
    if "espeak" not in synthesis.engines():
        return ()
    return tuple(dict.fromkeys(spoken([phrase], accent)[0] for accent in ACCENTS))
