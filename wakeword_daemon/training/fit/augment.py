"""What rooms, microphones, voices and cookers do to speech, done to mel power.

All functions take and return mel power, [frames, mels] or [batch, frames, mels], and draw from
the generator they are given, so that a seed reproduces them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.functional import fftconvolve, mask_along_axis_iid

from wakeword_daemon.engine.mel import band_edges, triangles
from wakeword_daemon.training.data.melpower import Frames
from wakeword_daemon.training.fit.augmentation import AugmentationSettings, Range

Batch = npt.NDArray[np.float32]
"""Mel power, [batch, frames, mels]."""

TRACTS = 35
"""Vocal tract lengths, evenly spread."""
BENDS = 6
"""Places of the frequency axis, evenly spaced in mel, where a voice bends it."""
VOICES = 12
"""Voices of each vocal tract length."""
KNOT_FRAMES = 25
"""The length of a syllable (250 ms), over which pace, stress and formants wander."""
FULL_SCALE = 3e4
"""Mel power, summed over bands, of white noise whose RMS is full scale."""
HARMONIC_FRAMES = 12
"""Frames in which the pitch moves a harmonic of the voice across the edge of a filter."""
QUIETEST = -65.0
"""Decibels below full scale; what is fainter is no sound that overloads a microphone."""


def tract_matrices(mels: int, tracts: Range) -> Batch:
    """Return matrices [TRACTS, mels, mels] that warp a frame as another vocal tract would.

    Matrix k scales the frequency axis by the k-th of TRACTS factors spread over `tracts`;
    bands warped from beyond the top repeat the highest band (Jaitly & Hinton 2013).
    """
    centres = np.array(band_edges(mels)[1:-1])
    factors = np.linspace(*tracts, TRACTS)
    return np.stack([_warp_matrix(centres / factor, centres) for factor in factors])


def voice_matrices(mels: int, settings: AugmentationSettings) -> Batch:
    """Return matrices [TRACTS, VOICES, mels, mels] that warp a frame as another voice would.

    Those of one tract scale the frequency axis as `tract_matrices` does, and each of its voices
    bends it besides, smoothly and at random, as people of one size differ in how they form their
    vowels.
    """
    rng = np.random.default_rng(0)
    bands, knots = np.arange(mels), np.linspace(0, mels - 1, BENDS)
    centres = np.array(band_edges(mels)[1:-1])
    matrices = np.empty((TRACTS, VOICES, mels, mels), np.float32)
    for tract, factor in enumerate(np.linspace(*settings.tracts, TRACTS)):
        for voice in range(VOICES):
            bend = np.exp(np.interp(bands, knots, rng.normal(0, settings.formant_spread, BENDS)))
            # A formant that overtook another would be another vowel.
            origin = np.maximum.accumulate(centres / factor * bend)
            matrices[tract, voice] = _warp_matrix(origin, centres)
    return matrices


def _warp_matrix(
    origin: npt.NDArray[np.float64], centres: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return the matrix that gives each band the power that was at `origin` [mels], in hertz."""
    mels = len(centres)
    bands = np.arange(mels)
    position = np.interp(origin, centres, bands)
    low = np.minimum(position.astype(int), mels - 2)
    share = (position - low).astype(np.float32)
    matrix = np.zeros((mels, mels), np.float32)
    matrix[low, bands] += 1 - share
    matrix[low + 1, bands] += share
    return matrix


@dataclass(frozen=True)
class Revoiced:
    """The same words from another voice.

    Attributes:
        power: its mel power.
        origin: which frame of the recording each of its frames comes from; it never decreases.

    """

    power: Frames
    origin: npt.NDArray[np.float32]

    def frame_of(self, frame: int) -> int:
        """Return where a frame of the recording is now, or the end for one past its last."""
        return int(np.searchsorted(self.origin, frame))


def revoice(
    power: Frames, voices: Batch, rng: np.random.Generator, settings: AugmentationSettings
) -> Revoiced:
    """Change the voice: vocal tract, formants, tempo and stress.

    All but the tract wander from syllable to syllable, as they do between speakers and accents:
    few speakers become many.

    Args:
        power: at least one frame, [frames, mels].
        voices: as `voice_matrices` returns them.
        rng: whose draws decide.
        settings: how much voices differ.

    """
    tract = voices[rng.integers(len(voices))]
    one, other = tract[rng.integers(0, len(tract), 2)]
    frames = len(power)
    mix = np.clip(0.5 + _wander(frames, 0.5, rng), 0, 1).astype(np.float32)[:, None]
    stress = (10 ** (_wander(frames, settings.stress_spread, rng) / 10)).astype(np.float32)[:, None]
    warped = (power @ one) * mix
    warped += (power @ other) * (1 - mix)
    warped *= stress
    origin = _pace(frames, rng, settings)
    low = origin.astype(np.int64)
    high = np.minimum(low + 1, frames - 1)
    share = (origin - low)[:, None]
    paced: Frames = warped[low]
    paced += (warped[high] - paced) * share
    return Revoiced(paced, origin)


def _pace(
    frames: int, rng: np.random.Generator, settings: AugmentationSettings
) -> npt.NDArray[np.float32]:
    """Return the frames [count] to play, in order, for another and an uneven tempo."""
    tempo = np.exp(rng.uniform(*np.log(settings.tempo)))
    count = max(1, round(frames / tempo))
    pace = np.exp(_wander(count, settings.pace_spread, rng))
    origin = np.cumsum(pace) - pace[0]
    origin *= (frames - 1) / max(origin[-1], 1e-9)
    played: npt.NDArray[np.float32] = np.minimum(origin, frames - 1).astype(np.float32)
    return played


def _wander(
    frames: int, spread: float, rng: np.random.Generator, apart: int = KNOT_FRAMES
) -> npt.NDArray[np.float64]:
    """Return a random curve [frames] with a normally distributed knot every `apart` frames."""
    knots = 2 + frames // apart
    steps = np.arange(frames) * ((knots - 1) / max(frames - 1, 1))
    curve: npt.NDArray[np.float64] = np.interp(
        steps, np.arange(knots), rng.normal(0, spread, knots)
    )
    return curve


def equalise(batch: Batch, rng: np.random.Generator, settings: AugmentationSettings) -> Batch:
    """Colour each sequence by a smooth random curve, a tilt, and sometimes a cut band edge.

    The cut edges stand for narrow-band microphones and lossy codecs; they affect word and other
    speech alike, so that neither is recognized by its codec.
    """
    s = settings
    count, _, mels = batch.shape
    axis = np.linspace(0, 1, mels)
    curve = np.empty((count, mels))
    knots = np.linspace(0, 1, BENDS)
    for row, gains in enumerate(rng.normal(0, s.colour_spread * 0.6, (count, BENDS))):
        curve[row] = np.interp(axis, knots, gains)
    curve += rng.normal(0, s.colour_spread, (count, 1)) * (axis - 0.5)
    top = rng.uniform(0.55, 1.0, (count, 1))
    depth = rng.uniform(15, 60, (count, 1)) * (rng.random((count, 1)) < s.top_cut_share)
    curve -= depth * np.clip((axis - top) / 0.06, 0, 1)
    bottom = rng.uniform(0, 0.18, (count, 1))
    depth = rng.uniform(10, 40, (count, 1)) * (rng.random((count, 1)) < s.bottom_cut_share)
    curve -= depth * np.clip((bottom - axis) / 0.06, 0, 1)
    return batch * (10 ** (curve / 10)).astype(np.float32)[:, None]


def clip(batch: Batch, rng: np.random.Generator, settings: AugmentationSettings) -> Batch:
    """Overload the microphone in a share of the sequences, so that their peaks are clipped.

    A clipped Gaussian signal is the signal at a lower level plus distortion that is uncorrelated
    with it; the powers of both follow from the ratio of the clipping level to the RMS (Bussgang
    1952). The distortion has about the spectrum of the signal, smeared over many bands.
    """
    s = settings
    loud = np.quantile(batch.sum(axis=2), 0.9, axis=1)
    sounds = loud > FULL_SCALE * 10 ** (QUIETEST / 10)
    rows = np.flatnonzero(sounds & (rng.random(len(batch)) < s.clipped_share))
    heard = batch.copy()
    if not len(rows):
        return heard
    power, loud = batch[rows], loud[rows]
    overload = FULL_SCALE * 10 ** (rng.uniform(*s.overload, len(rows)) / 10)
    power = power * (overload / loud).astype(np.float32)[:, None, None]
    level = np.maximum(power.sum(axis=2, keepdims=True) / FULL_SCALE, 1e-12)
    ratio = torch.from_numpy(1 / np.sqrt(level))
    within = torch.erf(ratio / math.sqrt(2)).numpy()
    density = math.sqrt(2 / math.pi) * ratio * torch.exp(-(ratio**2) / 2)
    left = level * (within - density.numpy()) + torch.erfc(ratio / math.sqrt(2)).numpy()
    distortion = np.maximum(left - within**2 * level, 0) * FULL_SCALE
    width = _bandwidths(batch.shape[2])
    smeared = (power / width) @ _smearing(len(width), rng.uniform(*s.distortion_spread, len(rows)))
    smeared *= width
    smeared /= np.maximum(smeared.sum(axis=2, keepdims=True), 1e-12)
    white = rng.uniform(*s.distortion_white, (len(rows), 1, 1)).astype(np.float32)
    shape = (1 - white) * smeared + white * width / width.sum()
    heard[rows] = power * within**2 + distortion * shape
    return heard


def _bandwidths(mels: int) -> npt.NDArray[np.float32]:
    """Return how wide each mel band is, [mels], in hertz."""
    edges = np.array(band_edges(mels))
    widths: npt.NDArray[np.float32] = ((edges[2:] - edges[:-2]) / 2).astype(np.float32)
    return widths


def _smearing(mels: int, spreads: npt.NDArray[np.float64]) -> Batch:
    """Return matrices [count, mels, mels] that spread each band over its neighbours."""
    apart = np.subtract.outer(np.arange(mels), np.arange(mels))
    return np.exp(-0.5 * (apart / spreads[:, None, None]) ** 2).astype(np.float32)


def telephone(batch: Batch, rng: np.random.Generator, settings: AugmentationSettings) -> Batch:
    """Make a share of the sequences sound like a telephone or a Bluetooth headset.

    The band is about 300 to 3,400 Hz (ITU-T G.712); mu-law coding adds noise that follows the level
    of the speech (ITU-T G.711), before the band is cut.
    """
    s = settings
    heard, mels = batch.copy(), batch.shape[2]
    rows = np.flatnonzero(rng.random(len(batch)) < s.telephone_share)
    count, frames = len(rows), batch.shape[1]
    ratio = 10 ** (-rng.uniform(*s.companding_ratio, (count, 1, 1)) / 10)
    coded = batch[rows] + batch[rows].mean(axis=2, keepdims=True) * ratio
    depth = 10 ** (-rng.uniform(*s.telephone_depth, (count, 1, 1)) / 10)
    rings = rng.random(count) < s.ringing_share
    strength = 10 ** (rng.uniform(*s.ringing, count) / 10) * rings
    # Whether a harmonic of the voice lies within the band changes with its pitch.
    spread = rng.uniform(*s.telephone_wander, count)
    moves = [_wander(frames, hertz, rng, HARMONIC_FRAMES) for hertz in spread]
    wander = np.reshape(moves, (count, frames))  # also of no sequences
    low, high = (rng.uniform(*end, count) for end in (s.telephone_low, s.telephone_high))
    passed = _share_below(high[:, None] + wander, mels) - _share_below(low[:, None] + wander, mels)
    heard[rows] = coded * np.maximum(passed, depth)
    for end in (low, high):
        heard[rows] += _ringing(coded, end, strength)
    return heard


def _share_below(frequency: npt.NDArray[np.float64], mels: int) -> npt.NDArray[np.float64]:
    """Return which share of each triangular band lies below frequencies [...]: [..., mels]."""
    edges = np.array(band_edges(mels))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    f = frequency[..., None]
    rising = np.clip(f - left, 0, centre - left) ** 2 / (centre - left)
    falling = np.clip(right - f, 0, right - centre) ** 2 / (right - centre)
    share: npt.NDArray[np.float64] = (rising + right - centre - falling) / (right - left)
    return share


def _ringing(
    power: Batch, edge: npt.NDArray[np.float64], strength: npt.NDArray[np.float64]
) -> Batch:
    """Return what an ideal filter adds at its edge: it rings before and after each sound.

    The impulse response of such a filter falls with the distance in time, its power with the square
    of it.

    Args:
        power: what is filtered, [count, frames, mels].
        edge: of each filter, in hertz, [count].
        strength: power one frame away, relative to the sound, [count].

    """
    frames = power.shape[1]
    at_edge = np.array(triangles(edge, power.shape[2])).T
    sound = (power * at_edge[:, None]).sum(axis=2)
    away = np.minimum(np.arange(2 * frames), 2 * frames - np.arange(2 * frames))
    falling = 1 / np.maximum(away, 1) ** 2
    spectrum = np.fft.rfft(sound, 2 * frames) * np.fft.rfft(falling)
    rung = np.fft.irfft(spectrum, 2 * frames)[:, :frames].clip(min=0) * strength[:, None]
    ringing: Batch = (rung[:, :, None] * at_edge[:, None]).astype(np.float32)
    return ringing


def reverberate(
    batch: Batch,
    rng: np.random.Generator,
    settings: AugmentationSettings,
    rooms: Batch | None = None,
) -> Batch:
    """Add reverberation to a share of the sequences, each of a different room.

    Args:
        batch: mel power, [batch, frames, mels].
        rng: whose draws decide.
        settings: how often, and what rooms are like.
        rooms: how measured rooms fade, [rooms, frames, mels]; without any, all are simulated.

    """
    s = settings
    drawn = rng.random(len(batch))
    measured = s.measured_share if rooms is not None and len(rooms) else 0.0
    heard = batch.copy()
    simulated = np.flatnonzero(drawn < s.reverberation_share * (1 - measured))
    if len(simulated):
        heard[simulated] = _in_simulated_rooms(batch[simulated], rng, s)
    others = np.flatnonzero(
        (drawn < s.reverberation_share) & (drawn >= s.reverberation_share * (1 - measured))
    )
    if rooms is not None and len(others):
        heard[others] = _in_measured_rooms(batch[others], rooms, rng, s)
    return heard


def _in_measured_rooms(
    batch: Batch, rooms: Batch, rng: np.random.Generator, settings: AugmentationSettings
) -> Batch:
    """Convolve each sequence along time with the fade of a room, more or less of its tail."""
    s = settings
    fades = rooms[rng.integers(len(rooms), size=len(batch))]
    steps = np.arange(fades.shape[1])[:, None]
    ratio = rng.uniform(*s.tail_ratio, (len(batch), 1, 1))
    decay = rng.uniform(*s.tail_decay, (len(batch), 1, 1)) * steps
    fades = fades * np.where(steps > 0, 10 ** ((ratio - decay) / 10), 1.0).astype(np.float32)
    along_time = [torch.from_numpy(power).transpose(1, 2) for power in (batch, fades)]
    heard = fftconvolve(*along_time)[..., : batch.shape[1]].clamp(min=0)
    reverberant: Batch = heard.transpose(1, 2).numpy()
    return reverberant


def _in_simulated_rooms(
    batch: Batch, rng: np.random.Generator, settings: AugmentationSettings
) -> Batch:
    """Add an exponentially decaying reverberation.

    High bands decay faster, as air and furniture make them.
    """
    s = settings
    count, frames, mels = batch.shape
    shortest, longest = np.log(s.reverberation_time)
    seconds = np.exp(rng.uniform(shortest, longest, (count, 1)))
    seconds = seconds * np.linspace(1.1, 0.7, mels)
    decay = np.exp(-13.8155 * 0.01 / seconds).astype(np.float32)  # power, per 10 ms frame
    ratio = 10 ** (-rng.uniform(*s.direct_ratio, (count, 1)) / 10)
    gain = (ratio * (1 - decay)).astype(np.float32)
    late = np.zeros((count, mels), np.float32)
    heard = batch.copy()
    for t in range(1, frames):
        late = late * decay + batch[:, t - 1]
        heard[:, t] += gain * late
    return heard


def mask(log_mel: Batch, rng: np.random.Generator, settings: AugmentationSettings) -> Batch:
    """Hide a few bands and a short stretch of time (SpecAugment: Park et al. 2019, 1904.08779)."""
    s = settings
    fill = float(log_mel.mean())
    heard = torch.from_numpy(log_mel)[:, None]  # [B, 1, frames, mels]
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(int(rng.integers(2**62)))  # no graphics card's too
        for _ in range(s.band_masks):
            heard = mask_along_axis_iid(heard, s.band_mask_width, fill, axis=3)
        rows = torch.rand(len(heard)) < s.time_mask_share
        heard[rows] = mask_along_axis_iid(heard[rows], s.time_mask_width, fill, axis=2)
    masked: Batch = heard[:, 0].numpy()
    return masked
