"""How much training sequences vary: every number that their making draws by, in one place."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
"""The lowest and the highest value that is drawn."""


@dataclass(frozen=True, slots=True)
class AugmentationSettings:
    """What is drawn for training sequences, and how often.

    A share is a probability between 0 and 1. Levels and ratios are in decibels, times in mel
    frames of 10 ms unless they say seconds. `(a, b)` is a range to draw from evenly.

    Attributes:
        word_share: sequences in which the word is spoken.
        silence_share: sequences without any speech.
        again_share: sequences with the word in which it is said twice, or three times.
        again_pause: frames between the end of one and the start of the next.
        again_same_share: repetitions in the voice of the first; in the others anybody says it.
        before_share, after_share: sequences in which other speech comes before or after the word.
        run_on_share: pauses next to the word that are none at all, as people speak.
        run_on_gap: frames of such a gap; below zero the two overlap.
        run_on_tail: frames of the recording kept after a word that is followed at once; below zero
            its faint end is lost.
        longest_gap: frames of the longest other pause; short ones are likelier.
        margin: frames of the recording kept on either side of the word.
        loudness_spread: how much louder or softer than the word other speech is (sigma).
        speaker_change_share: pieces of other speech that another speaker goes on with.
        piece_gap: mean pause between two pieces of other speech.
        part_share: pieces of other speech that are a part of the word.
        part_begins_share: such parts that are the beginning of the word; others are its end.
        part_cut: where the word is cut for them, as a share of its length.
        hard_negative_share: pieces that the network took for the word, once they are known.
        splice_share: takes of a phrase whose second half another speaker says.
        pause_share: takes of a phrase with a pause between its words.
        tracts: range of vocal tract length factors.
        formant_spread: how far formants lie from where the tract puts them (sigma of the log).
        tempo: range of speaking rates, as a factor.
        pace_spread: how much the rate wanders from syllable to syllable (sigma of the log).
        stress_spread: how much the level wanders from syllable to syllable (sigma).
        level: of the speech, below full scale.
        reverberation_share: sequences heard in a room, simulated or measured.
        measured_share: such rooms that are measured ones, where there are any.
        tail_ratio: how much stronger or weaker than measured such a room's reverberation is.
        tail_decay: how much faster it fades, in decibels a frame.
        reverberation_time: seconds until the room has decayed by 60 dB.
        direct_ratio: of the direct sound to the reverberation.
        noise_shares: sequences with a first, and with a second recording of noise.
        babble_share: sequences with several people talking in the background.
        babble_voices: how many.
        noise_ratio: of the loud parts of the speech to each noise.
        quiet_level: of speech that noise is measured by where nobody speaks.
        colour_spread: of the frequency response of a microphone (sigma).
        top_cut_share, bottom_cut_share: microphones and codecs that cut off treble or bass.
        clipped_share: sequences that overload the microphone.
        overload: level of their loud parts, in decibels relative to full scale.
        distortion_spread: how many mel bands the distortion of clipping spreads over (sigma).
        distortion_white: share of it that is white.
        telephone_share: sequences heard over a telephone or a Bluetooth headset.
        telephone_low, telephone_high: lower and upper end of its band, in hertz.
        telephone_wander: how far the pitch of the voice moves these ends, in hertz (sigma).
        telephone_depth: how far it damps what lies outside.
        ringing_share: such filters that are ideal, and so ring at the ends of their band.
        ringing: how loud, 10 ms before and after a sound.
        companding_ratio: of speech to the noise that mu-law coding adds.
        microphone_level: noise of the microphone itself, below full scale.
        microphone_tilt: how much pinker than white that noise is (natural log of power).
        digital_silence_share: sequences whose microphone adds exactly nothing.
        band_masks, band_mask_width: SpecAugment: masks of bands, and bands of one.
        time_mask_share, time_mask_width: SpecAugment: sequences with a mask in time, its frames.

    """

    word_share: float = 0.45
    silence_share: float = 0.05
    again_share: float = 0.2
    again_pause: Range = (25, 130)
    again_same_share: float = 0.7
    before_share: float = 0.75
    after_share: float = 0.75
    run_on_share: float = 0.5
    run_on_gap: Range = (-3, 8)
    run_on_tail: tuple[int, int] = (-4, 8)
    longest_gap: int = 100
    margin: Range = (2, 14)
    loudness_spread: float = 3.0
    speaker_change_share: float = 0.3
    piece_gap: float = 12.0
    part_share: float = 0.15
    part_begins_share: float = 0.6
    part_cut: Range = (0.3, 0.7)
    hard_negative_share: float = 0.2
    splice_share: float = 0.3
    pause_share: float = 0.35
    tracts: Range = (0.83, 1.2)
    formant_spread: float = 0.05
    tempo: Range = (0.7, 1.8)
    pace_spread: float = 0.25
    stress_spread: float = 2.0
    level: Range = (-52, -10)
    reverberation_share: float = 0.5
    measured_share: float = 0.4
    tail_ratio: Range = (-6, 4)
    tail_decay: Range = (0, 0.5)
    reverberation_time: Range = (0.15, 0.9)
    direct_ratio: Range = (-8, 14)
    noise_shares: Range = (0.75, 0.3)
    babble_share: float = 0.12
    babble_voices: tuple[int, int] = (3, 7)
    noise_ratio: Range = (1, 33)
    quiet_level: Range = (-6, -2)
    colour_spread: float = 5.0
    top_cut_share: float = 0.3
    bottom_cut_share: float = 0.25
    clipped_share: float = 0.2
    overload: Range = (-8, 12)
    distortion_spread: Range = (4, 9)
    distortion_white: Range = (0, 0.3)
    telephone_share: float = 0.2
    telephone_low: Range = (150, 450)
    telephone_high: Range = (2900, 3900)
    telephone_wander: Range = (0, 60)
    telephone_depth: Range = (25, 100)
    ringing_share: float = 0.5
    ringing: Range = (-26, -14)
    companding_ratio: Range = (28, 42)
    microphone_level: Range = (-95, -58)
    microphone_tilt: Range = (0, 2.5)
    digital_silence_share: float = 0.15
    band_masks: int = 2
    band_mask_width: int = 6
    time_mask_share: float = 0.3
    time_mask_width: int = 8
