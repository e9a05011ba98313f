"""Training sequences match their labels, and vary as people, rooms and microphones do."""

import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.batches import batch
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.training.data.endpoints import LONGEST_PAUSE, Span
from wakeword_daemon.training.data.melpower import Library, MelPower
from wakeword_daemon.training.data.rooms import fade, stacked
from wakeword_daemon.training.fit import augment
from wakeword_daemon.training.fit.augmentation import AugmentationSettings
from wakeword_daemon.training.fit.batches import EpochBatches
from wakeword_daemon.training.fit.composition import (
    Composition,
    HardNegatives,
    Negatives,
    TakeGroup,
    Word,
    join_takes,
)
from wakeword_daemon.training.fit.loss import stream_loss
from wakeword_daemon.training.fit.mining import find_hard_negatives
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.sequences import SequenceMaker
from wakeword_daemon.training.measure import channel

pytestmark = pytest.mark.torch

PLAIN = AugmentationSettings(
    tracts=(1, 1), formant_spread=0, tempo=(1, 1), pace_spread=0, stress_spread=0
)
"""Everybody speaks as the recording does."""
SETTINGS = AugmentationSettings()
VOICES = augment.voice_matrices(40, SETTINGS)
END = 20 + 8 * np.arange((340 - 20) // 8 + 1)
"""The frame at which each step of a sequence ends."""


def block(length, band, frames=100, start=20):
    """Return mel power in one band, from frame `start` on for `length` frames."""
    power = np.zeros((frames, 40), np.float32)
    power[start : start + length, band] = 1.0
    return power


def composition(settings=PLAIN, groups=None, negatives=None, **more):
    """Return a word in band 1, other speech in band 20, and noise in band 30."""
    said = TakeGroup([block(40, 1)], [Span(20, 60)], [1.0], 1.0)
    other = Library.join([block(60, 20, 60, 0)], 40)
    return Composition(
        takes=join_takes(groups or [said], 40, phrase=False),
        negatives=negatives or [Negatives(other, 1.0)],
        noise=Library.join([block(90, 30, 90, 0)], 40),
        features=FeatureSettings(),
        settings=settings,
        **more,
    )


def maker(settings=PLAIN, **more):
    return SequenceMaker(composition(settings, **more))


def said_in(settings, seeds=60, **more):
    """Yield sequences with the word, as mel power, and the frames where the word ends in each."""
    made = maker(settings, **more)
    for seed in range(seeds):
        heard = np.zeros((340, 40), np.float32)
        words = made._with_word(heard, np.random.default_rng(seed))
        yield heard, sorted(word.stop for word in words if word.number == 0)


def test_batches_are_reproducible_and_the_word_is_where_they_say():
    made = maker(SETTINGS).batch(64, np.random.default_rng(0))
    again = maker(SETTINGS).batch(64, np.random.default_rng(0))
    assert (made.log_mel == again.log_mel).all()
    assert np.isfinite(made.log_mel).all()
    word = made.spoken.detected()
    assert 10 < len(set(word.rows.tolist())) < 45
    assert ((word.stops > 0) & (word.stops <= 295)).all()
    assert (word.numbers == 0).all()


def test_the_word_ends_at_the_given_frame():
    settings = replace(PLAIN, again_share=0, part_share=0)
    for heard, (stop,) in said_in(replace(settings, run_on_tail=(0, 1))):
        assert heard[stop - 40 : stop, 1].all()
        assert not heard[stop:, 1].any()
        assert not heard[: stop - 40, 1].any()
    lost = [40 - heard[stop - 40 : stop, 1].sum() for heard, (stop,) in said_in(settings)]
    assert min(lost) == 0
    assert max(lost) == 4  # the faint end of a word that other speech follows at once


def test_other_speech_follows_at_once_or_after_a_pause():
    settings = replace(PLAIN, again_share=0, part_share=0, after_share=1.0)
    gaps = []
    for heard, (stop,) in said_in(settings, seeds=200):
        after = np.flatnonzero(heard[stop - 3 :, 20])
        gaps.append(int(after[0]) - 3 if len(after) else 100)
    run_on = [gap for gap in gaps if gap <= 8]
    assert 0.4 < len(run_on) / len(gaps) < 0.75
    assert min(gaps) == -3
    assert max(gaps) > 50


def test_a_recording_that_begins_with_silence_follows_at_once_too():
    late = np.concatenate([np.full((30, 40), 1e-4, np.float32), block(60, 20, 60, 0)])
    silence = [Negatives(Library.join([late], 40), 1.0)]
    settings = replace(PLAIN, again_share=0, part_share=0, after_share=1.0, run_on_share=1.0)
    for heard, (stop,) in said_in(settings, negatives=silence):
        assert np.flatnonzero(heard[stop - 3 :, 20] > 0.01)[0] <= 11


def test_the_word_is_repeated_after_a_pause():
    settings = replace(PLAIN, again_share=1.0, before_share=0, after_share=0)
    counts, pauses = set(), []
    for heard, stops in said_in(settings):
        counts.add(len(stops))
        assert heard[:, 1].sum() >= 40 * len(stops) - 12 * len(stops)
        pauses += np.diff(stops).tolist()
        for stop in stops:
            assert heard[stop - 40 : stop, 1].all()
    assert counts >= {2, 3}
    assert min(pauses) >= 40 + 25
    assert max(pauses) <= 40 + 130


def test_a_sentence_around_the_word_stays_complete():
    sentence = block(40, 1, 160, 60)
    sentence[:60, 5] = 1.0
    sentence[100:, 6] = 1.0
    group = TakeGroup([sentence], [Span(60, 100)], [1.0], 1.0, in_sentences=True)
    settings = replace(PLAIN, again_share=0, part_share=0, before_share=1.0, after_share=1.0)
    for heard, (stop,) in said_in(settings, groups=[group]):
        before = heard[max(0, stop - 100) : stop - 40]
        after = heard[stop : stop + 60]
        assert before[:, 5].all()
        assert after[:, 6].all()
        assert not heard[: max(0, stop - 100), 5].any()
        assert heard[stop + 3 : stop + 50, 20].sum() == 0  # nothing overlaps the sentence


def test_takes_are_drawn_by_the_shares_of_their_groups():
    few = TakeGroup([block(40, 1)], [Span(20, 60)], [1.0], 3.0)
    many = TakeGroup([block(40, 2)] * 4, [Span(20, 60)] * 4, [1.0, 1.0, 1.0, 3.0], 1.0)
    none = TakeGroup([], [], [], 5.0)
    takes = join_takes([few, none, many], 40, phrase=False)
    assert takes.weights == pytest.approx([0.75, *(0.25 / 6,) * 3, 0.125])
    loud = takes.library[0][20:60].sum(axis=1)
    assert loud == pytest.approx(np.ones(40))


def test_the_loss_expects_the_word_only_at_its_end():
    sequences = batch(2, [(0, 150, 0)])

    def loss(*fired, of=sequences):
        logits = torch.zeros(2, len(END), 2)
        logits[..., 0] = 8.0
        for row, frame in fired:
            index = int(np.abs(END - frame).argmin())
            logits[row, index : index + 2, 1] = 16.0
        return stream_loss(logits, of, Architecture()).item()

    right = loss((0, 160))
    assert right < 0.01
    assert loss() > 5  # missed
    assert loss((0, 60)) > 5  # too early
    assert loss((0, 160), (1, 160)) > 2  # a false accept
    assert loss((0, 160), (0, 195)) == pytest.approx(right, abs=1e-6)  # still ringing after it
    assert loss((0, 160), (0, 230)) > 2  # and still, when it may be said again

    twice = batch(2, [(0, 150, 0), (0, 270, 0)])
    assert loss((0, 160), (0, 280), of=twice) < 0.01
    assert loss((0, 160), of=twice) > 2  # the second is missed
    assert loss((0, 280), of=twice) > 2  # and the first


def test_other_words_are_labelled_where_they_end():
    words = Negatives(Library.join([block(40, 2)] * 3, 40), 1.0, {0: Word(1, 60), 2: Word(2, 60)})
    silence = Negatives(Library.join([np.zeros((90, 40), np.float32)], 40), 1.0)
    made = maker(replace(SETTINGS, part_share=0), negatives=[words, silence])
    numbers = set()
    for seed in range(20):
        heard = np.zeros((340, 40), np.float32)
        for number, stop in made._talk(heard, 10, 330, np.random.default_rng(seed)):
            assert heard[stop - 4 : stop - 1].sum(1).min() > 0
            assert not heard[stop + 1 : min(stop + 10, 330)].any()
            numbers.add(number)
    assert numbers == {1, 2}


def test_a_phrase_may_pause_and_go_on_in_another_voice():
    powers = []
    for voice in range(2):
        power = block(24, 10 * voice + 1)  # one word
        power[48:70, 10 * voice + 2] = 1.0  # and the other
        powers.append(power)
    group = TakeGroup(powers, [Span(20, 70)] * 2, [1.0, 1.0], 1.0)
    made = SequenceMaker(replace(composition(), takes=join_takes([group], 40, phrase=True)))
    takes = made.composition.takes
    voices, pauses = set(), set()
    for seed in range(60):
        index = seed % 2
        rng = np.random.default_rng(seed)
        span, power = made._phrase(takes.spans[index], takes.library[index], rng)
        one = [np.flatnonzero(power[:, band]) for band in (1, 11)]
        other = [np.flatnonzero(power[:, band]) for band in (2, 12)]
        first, second = np.concatenate(one), np.concatenate(other)
        assert len(first) == 24
        assert len(second) == 22
        assert span == Span(first[0], second[-1] + 1)
        voices.add((len(one[0]) > 0, len(other[0]) > 0))
        pauses.add(int(second[0] - first[-1] - 1))
    assert len(voices) == 4  # either speaker may begin or continue
    assert min(pauses) == 4
    assert 15 < max(pauses) <= 4 + LONGEST_PAUSE


def test_hard_negatives_are_pieces_where_the_network_is_wrong():
    rng = np.random.default_rng(0)
    noise = rng.gamma(2, 0.5, (32 * 400, 40)).astype(np.float32)
    made = maker(negatives=[Negatives(Library.join([noise], 40), 1.0)])
    library = made.composition.negatives[0].library
    torch.manual_seed(0)
    found = find_hard_negatives(TorchCRNN(), made)
    assert 0 < len(found.starts) <= 600
    made.hard_negatives = found
    drawn = [made._piece(0, 100, np.random.default_rng(n)) for n in range(200)]
    places = {library.power[start].tobytes() for start in found.starts}
    assert sum(piece.power[0].tobytes() in places for piece in drawn) > 10
    assert len(HardNegatives().starts) == 0


def test_noise_is_below_the_speech_by_the_drawn_ratio():
    settings = replace(
        SETTINGS, noise_shares=(1.0, 0.0), babble_share=0, noise_ratio=(10, 10),
        reverberation_share=0, colour_spread=0, top_cut_share=0, bottom_cut_share=0,
    )  # fmt: skip
    speech = np.zeros((4, 340, 40), np.float32)
    speech[:, 100:200, 1] = np.array([1.0, 10.0, 100.0, 1000.0])[:, None]
    noise = maker(settings)._scene._noise(speech, np.random.default_rng(0))
    level = noise.sum(axis=2).mean(axis=1)
    assert level == pytest.approx([0.1, 1.0, 10.0, 100.0], rel=1e-3)


def test_babble_is_made_of_other_speech():
    settings = replace(SETTINGS, noise_shares=(0.0, 0.0), babble_share=1.0)
    scene = maker(settings)._scene
    noise = scene._noise(np.ones((8, 340, 40), np.float32), np.random.default_rng(0))
    assert (noise[:, :, 20] > 0).all()
    assert not noise[:, :, 1].any()


def test_vocal_tract_length_perturbation_warps_the_spectrum():
    assert VOICES.shape == (augment.TRACTS, augment.VOICES, 40, 40)
    assert np.abs(np.ones(40, "f") @ VOICES - 1).max() < 1e-5
    ramp = np.arange(40, dtype="f")
    heard = ramp @ VOICES  # which band each band hears
    assert (np.diff(heard) >= 0).all()  # no formant overtakes another
    long, short = heard[0].mean(axis=0), heard[-1].mean(axis=0)
    assert long[20] > 20 > short[20]  # a shorter tract moves every formant up
    plain = ramp @ augment.tract_matrices(40, SETTINGS.tracts)
    assert np.abs(heard.mean(axis=1) - plain)[:, :36].max() < 2
    assert heard.std(axis=1)[:, 5:36].mean() > 0.2  # voices of one length differ
    nearest = int(np.abs(np.linspace(*SETTINGS.tracts, augment.TRACTS) - 1).argmin())
    assert np.abs(plain[nearest] - ramp).max() < 0.5


@given(st.integers(1, 300), st.integers(0, 1000))
def test_voice_perturbation_keeps_the_order_of_sounds(frames, seed):
    power = np.repeat(np.arange(1, frames + 1, dtype="f")[:, None], 40, axis=1)
    spoken = augment.revoice(power, VOICES, np.random.default_rng(seed), SETTINGS)
    slowest, fastest = (frames / factor for factor in SETTINGS.tempo)
    assert fastest - 1 <= len(spoken.power) <= slowest + 1
    assert spoken.power.dtype == np.float32
    assert spoken.power.shape == (len(spoken.origin), 40)
    assert spoken.origin[0] == 0
    assert (np.diff(spoken.origin) >= 0).all()
    assert spoken.origin[-1] == pytest.approx(frames - 1, abs=1e-3) or len(spoken.power) == 1
    assert spoken.frame_of(frames) == len(spoken.power)
    # Only stress sets a frame apart from the one it comes from, and it is alike in all bands.
    gain = spoken.power / (spoken.origin[:, None] + 1)
    assert np.ptp(gain, axis=1).max() < 1e-3 * gain.max()
    assert np.abs(10 * np.log10(gain)).max() < 6 * SETTINGS.stress_spread


def test_the_end_of_a_word_follows_an_uneven_tempo():
    power = np.zeros((120, 40), "f")
    power[70] = 1  # the last frame before the end of the word, say
    for seed in range(50):
        spoken = augment.revoice(power, VOICES, np.random.default_rng(seed), SETTINGS)
        heard = np.flatnonzero(spoken.power.sum(axis=1))
        if len(heard):  # a fast voice may pass over a single frame
            assert abs(spoken.frame_of(71) - heard[-1]) <= 2


def test_batches_do_not_depend_on_the_process_that_makes_them():
    def composed(workers, seed=(0, 1)):
        batches = EpochBatches(maker(SETTINGS), 3, 4, seed)
        return [made.log_mel for made in batches.composed(workers)]

    alone, helped, other = composed(0), composed(2), composed(0, (0, 2))
    assert len(alone) == len(helped) == 3
    for one, same, different in zip(alone, helped, other, strict=True):
        assert (one == same).all()
        assert not (one == different).all()
    assert not (alone[0] == alone[1]).all()


TRAINING = """
import multiprocessing
import signal
from types import SimpleNamespace

from support.batches import batch
from wakeword_daemon.training.fit.batches import EpochBatches

maker = SimpleNamespace(batch=lambda size, rng: batch(size))
composed = EpochBatches(maker, 100, 128, (0, 1)).composed(1)
next(composed)
print(multiprocessing.active_children()[0].pid, flush=True)
signal.pause()
"""


def test_a_worker_does_not_outlive_a_killed_training():
    training = subprocess.Popen(
        [sys.executable, "-c", TRAINING], cwd=Path(__file__).parent, stdout=subprocess.PIPE
    )
    worker = os.pidfd_open(int(training.stdout.readline()))
    try:
        training.kill()  # it ends as by SIGTERM: nothing is cleaned up
        training.wait()
        ended, _, _ = select.select([worker], [], [], 60)
        if not ended:
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        assert ended
    finally:
        os.close(worker)
        training.stdout.close()


def syllables(rng):
    """Return two seconds of noise that swells and fades, with more bass than treble."""
    noise = np.convolve(rng.normal(size=2 * SAMPLE_RATE), 0.9 ** np.arange(60), mode="same")
    swell = np.abs(np.sin(np.arange(len(noise)) / SAMPLE_RATE * 4 * np.pi)) ** 3
    return 3000 * noise * swell / noise.std()


def decibels(power):
    """Return the mean level of each band where it is loud, in decibels."""
    loud = power.sum(axis=1) > np.quantile(power.sum(axis=1), 0.5)
    return 10 * np.log10(power[loud].mean(axis=0))


def test_clipping_equals_that_of_samples():
    rng = np.random.default_rng(0)
    wave, spectrum = syllables(rng), MelPower(FeatureSettings())
    power = spectrum(wave.astype(np.int16))
    loud = np.quantile(power.sum(axis=1), 0.9) / augment.FULL_SCALE
    for overload in (-10, 0, 10):
        settings = replace(
            SETTINGS, clipped_share=1.0, overload=(overload, overload),
            distortion_spread=(8, 8), distortion_white=(0.1, 0.1),
        )  # fmt: skip
        made = augment.clip(power[None], rng, settings)[0]
        gain = 10 ** (overload / 20) / np.sqrt(loud)
        heard = spectrum((wave * gain).clip(-32_768, 32_767).astype(np.int16))
        assert np.abs(decibels(made) - decibels(heard)).max() < 3
    assert decibels(made).max() < 10 * np.log10(augment.FULL_SCALE / 5)  # nothing is louder
    soft = augment.clip(power[None], rng, replace(settings, overload=(-30, -30)))[0]
    assert soft * 10 ** (30 / 10) * loud == pytest.approx(power, rel=1e-3, abs=1e-6)
    assert not augment.clip(np.zeros((2, 50, 40), "f"), rng, settings).any()


def ideal_band(wave):
    """Return samples through a filter with perfectly steep edges, which rings."""
    spectrum = np.fft.rfft(wave)
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    return np.fft.irfft(spectrum, len(wave))


def test_a_telephone_equals_that_of_samples(monkeypatch):
    monkeypatch.setattr(channel, "_telephone_band", ideal_band)
    rng = np.random.default_rng(0)
    wave, spectrum = syllables(rng), MelPower(FeatureSettings())
    settings = replace(
        SETTINGS, telephone_share=1.0, telephone_low=(300, 300), telephone_high=(3400, 3400),
        telephone_depth=(60, 60), ringing_share=1.0,
    )  # fmt: skip
    power = spectrum(wave.astype(np.int16))
    made = augment.telephone(power[None], rng, settings)[0]
    heard = spectrum(channel.through_headset(wave).clip(-32_768, 32_767).astype(np.int16))
    apart = decibels(made) - decibels(heard)
    assert np.abs(apart[6:28]).max() < 2
    damped = decibels(power) - decibels(made)
    assert damped[:3].min() > 20
    assert damped[31:].min() > 20
    pause = power.sum(axis=1).argmin()  # between two syllables
    ringing = 10 * np.log10(made[pause].sum() / made.sum(axis=1).max())
    assert -60 < ringing < -15
    plain = augment.telephone(power[None], rng, replace(settings, ringing_share=0.0))[0]
    assert plain[pause].sum() < made[pause].sum()


def test_teachers_hear_the_sequence_before_it_is_spoilt():
    settings = replace(SETTINGS, clipped_share=1.0, telephone_share=1.0)
    spoilt = maker(settings).batch(16, np.random.default_rng(0))
    plain = maker(SETTINGS).batch(16, np.random.default_rng(0))
    assert (spoilt.clear == plain.clear).all()
    assert np.abs(spoilt.log_mel - spoilt.clear).mean() > 1


def test_a_measured_room_equals_a_convolution():
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    response = rng.normal(size=len(time)) * np.exp(-6.9 * time / 0.4) * 0.05
    response[0] = 1.0
    features = FeatureSettings()
    room = fade(response, features)
    assert room.shape == (50, 40)
    assert room.sum(axis=0).mean() == pytest.approx(1)
    assert room[0].sum() > 2 * room[1].sum()

    burst = np.concatenate([rng.normal(0, 3000, 3200), np.zeros(6400)])
    heard = np.convolve(burst, response)[: len(burst)].clip(-32767, 32767).astype(np.int16)
    spectrum = MelPower(features)
    dry, wet = spectrum(burst.astype(np.int16)), spectrum(heard)
    settings = replace(
        SETTINGS, reverberation_share=1.0, measured_share=1.0, tail_ratio=(0, 0), tail_decay=(0, 0)
    )
    made = augment.reverberate(dry[None], rng, settings, stacked([room], 40))[0]

    def level(power):  # of all bands, in steps of 50 ms
        return 10 * np.log10(1e-9 + power.sum(axis=1)[:55].reshape(-1, 5).sum(axis=1))

    apart = level(made) - level(wet)
    assert np.abs(apart - apart.mean()).max() < 2  # decibels
    assert level(dry)[7] < level(wet)[7] - 20


def test_the_given_share_of_rooms_is_measured():
    pulse = np.zeros((400, 100, 1), np.float32)
    pulse[:, 10] = 1.0
    late = np.zeros((1, 80, 1), np.float32)
    late[:, 79] = 1.0
    settings = replace(SETTINGS, reverberation_share=0.5, measured_share=0.4)
    heard = augment.reverberate(pulse, np.random.default_rng(0), settings, late)
    moved = np.abs(heard - pulse).sum(axis=(1, 2)) > 0
    assert 0.4 < moved.mean() < 0.6
    assert 0.3 < (heard[:, 10, 0] < 0.5).sum() / moved.sum() < 0.5


def test_reverberation_decays():
    pulse = np.zeros((1, 100, 40), "f")
    pulse[0, 10] = 1
    settings = replace(SETTINGS, reverberation_share=1.0)
    heard = augment.reverberate(pulse, np.random.default_rng(0), settings)
    assert (heard[0, :10] == 0).all()
    assert (heard[0, 10] == 1).all()
    tail = heard[0, 11:, 5]
    assert tail[0] > 0
    assert (np.diff(tail) < 0).all()


def test_a_microphone_filters_every_frame_of_a_sequence_alike():
    flat = np.ones((64, 50, 40), "f")
    heard = augment.equalise(flat, np.random.default_rng(0), SETTINGS)
    assert (heard == heard[:, :1]).all()
    gain = 10 * np.log10(heard[:, 0])
    cut = gain.min(axis=1) < -25
    assert 0.2 < cut.mean() < 0.75  # some lose their treble or their bass
    whole = replace(SETTINGS, top_cut_share=0, bottom_cut_share=0)
    gain = 10 * np.log10(augment.equalise(flat, np.random.default_rng(0), whole)[:, 0])
    assert 1 < gain.std() < 6
    assert np.abs(gain).max() < 20


def test_a_telephone_is_heard_in_some_sequences():
    speech = np.ones((200, 10, 40), "f")
    heard = augment.telephone(speech, np.random.default_rng(0), SETTINGS)
    changed = (heard != speech).any(axis=(1, 2))
    assert 0.1 < changed.mean() < 0.3
    assert (heard[changed][:, :, 39] < 0.01).all()
    assert (heard[changed][:, :, 0] < 0.2).all()
    narrow = replace(
        SETTINGS, telephone_low=(300, 300), telephone_high=(3400, 3400), telephone_wander=(0, 0),
        ringing_share=0.0,
    )  # fmt: skip
    cut = augment.telephone(speech, np.random.default_rng(0), narrow)
    changed_too = (cut != speech).any(axis=(1, 2))
    assert (cut[changed_too][:, :, [0, 39]] < 0.01).all()  # below 300 Hz and above 3.4 kHz
    assert (heard[changed][:, :, 12] > 1).all()
    assert (heard[changed][:, :, 12] < 1.01).all()


def test_masks_replace_bands_and_frames_by_the_mean():
    rng = np.random.default_rng(0)
    log_mel = rng.normal(0, 1, (200, 340, 40)).astype("f")
    masked = augment.mask(log_mel.copy(), np.random.default_rng(1), SETTINGS)
    again = augment.mask(log_mel.copy(), np.random.default_rng(1), SETTINGS)
    assert (masked == again).all()
    hidden = masked != log_mel
    assert np.allclose(masked[hidden], log_mel.mean())
    bands, frames = hidden.all(axis=1), hidden.all(axis=2)
    assert (hidden == (bands[:, None] | frames[..., None])).all()
    assert 1 < bands.sum(axis=1).mean() < 8
    assert bands.sum(axis=1).max() <= 2 * (SETTINGS.band_mask_width - 1)
    assert 0.1 < frames.any(axis=1).mean() < 0.4
    assert frames.sum(axis=1).max() < SETTINGS.time_mask_width
