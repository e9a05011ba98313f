"""The numpy engine does what the torch specification says, for any split of the input."""

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine.crnn import CRNN, weight_shapes
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import ModelError
from wakeword_daemon.training.fit import network as torch_network
from wakeword_daemon.training.fit.export import engine_from_torch, folded_weights

pytestmark = pytest.mark.torch

SMALL = Architecture(
    channels=3, kernel_mels=4, kernel_frames=11, stride_mels=3, stride_frames=5, hidden=7,
    layers=1, attention=5, steps=4,
)  # fmt: skip


def network(architecture=None, seed=0):
    torch.manual_seed(seed)
    made = torch_network.TorchCRNN(architecture)
    with torch.no_grad():
        for parameter in made.parameters():  # large enough for saturated gates and sharp attention
            parameter.mul_(2.0)
    return made.eval()


def speech_like(seconds, seed=0):
    """Noise whose loudness and colour change, with stretches of exact silence."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE)
    envelope = np.repeat(10 ** rng.uniform(-1, 4.2, count // 800 + 1), 800)[:count]
    envelope[(np.arange(count) // 4000) % 5 == 3] = 0
    return np.clip(rng.normal(0, 1, count) * envelope, -32768, 32767).astype(np.int16)


def cut(pcm, sizes):
    """Cut samples into pieces of the given sizes, over and over."""
    pieces, at, index = [], 0, 0
    while at < len(pcm):
        size = sizes[index % len(sizes)]
        pieces.append(pcm[at : at + size])
        at, index = at + size, index + 1
    return pieces


def torch_log_mel(pcm):
    """Return torchaudio's log-mel frames [F, mels] of samples."""
    mel = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=40, center=False
    )
    return mel(torch.from_numpy(pcm.astype(np.float32) / 32768)).T.clamp(1e-5, 1e9).log()


def torch_stream(made, pcm):
    """Return the specification's probability at every mel frame."""
    streaming = torch_network.StreamingCRNN(made)
    state = streaming.initial_state()
    return np.array([streaming(state, frame[None]).item() for frame in torch_log_mel(pcm)])


def engine_stream(engine, pieces):
    front_end = LogMel(engine.features)
    mel_state, state = front_end.initial_state(), engine.initial_state()
    values = [
        engine.advance(state, front_end.advance(mel_state, piece[None]))[0, 0] for piece in pieces
    ]
    return np.concatenate(values)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(st.just(1), st.integers(2, 400), st.integers(400, 9000)), min_size=1, max_size=8
    )
)
def test_any_split_gives_the_specification(sizes):
    made, pcm = network(), speech_like(1.5, seed=len(sizes))
    if max(sizes) < 50:
        pcm = pcm[:9000]  # one sample at a time is thousands of calls
    found = engine_stream(engine_from_torch(made), cut(pcm, sizes))
    assert np.abs(found - torch_stream(made, pcm)).max() < 1e-4


@pytest.mark.parametrize("architecture", [Architecture(), SMALL])
def test_ten_seconds_at_once_and_in_hops_give_the_specification(architecture):
    made, pcm = network(architecture), speech_like(10)
    expected = torch_stream(made, pcm)
    for size in (HOP, len(pcm)):
        found = engine_stream(engine_from_torch(made), cut(pcm, [size]))
        assert np.abs(found - expected).max() < 1e-4
    assert np.ptp(expected) > 0.2  # it was no constant that agreed


def test_log_mel_is_torchaudios():
    pcm = speech_like(3)
    front_end = LogMel()
    found = front_end.advance(front_end.initial_state(), pcm[None])[0]
    expected = torch_log_mel(pcm).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3


def test_streaming_is_offline_when_the_window_covers_the_clip():
    made = network(Architecture(steps=40))
    frames = torch.randn(2, 220, 40) * 4 - 6
    steps = (220 - 20) // 8 + 1
    assert steps <= 40
    offline = made(frames).softmax(-1)[:, 1].detach().numpy()
    engine = engine_from_torch(made)
    streamed = engine.advance(engine.initial_state(2), frames.numpy())
    assert np.abs(streamed[:, 0, -1] - offline).max() < 1e-4


def test_torch_training_form_is_the_specification_at_every_step():
    made = network()
    frames = torch.randn(1, 400, 40) * 4 - 6
    by_step = made.stream(frames).softmax(-1)[0, :, 1].detach().numpy()
    streaming = torch_network.StreamingCRNN(made)
    state = streaming.initial_state()
    by_frame = np.array([streaming(state, frame[None]).item() for frame in frames[0]])
    assert np.abs(by_frame[19::8] - by_step).max() < 1e-5


def test_the_value_is_repeated_between_strides():
    engine = engine_from_torch(network())
    frames = np.random.default_rng(1).normal(-5, 4, (1, 100, 40)).astype("f")
    values = engine.advance(engine.initial_state(), frames)
    by_step, steps = engine.steps(engine.initial_state(), frames)
    assert steps == range(19, 100, 8)
    assert (values[0, 0, steps] == by_step[0, 0]).all()
    assert (values[0, 0, :19] == 0).all()
    for start in steps:
        assert (values[0, 0, start : start + 8] == values[0, 0, start]).all()
    assert len(set(values[0, 0, steps].tolist())) == len(steps)


def test_streams_side_by_side_do_not_hear_each_other():
    engine = engine_from_torch(network())
    frames = np.random.default_rng(2).normal(-5, 4, (5, 120, 40)).astype("f")
    together = engine.advance(engine.initial_state(5), frames)
    for stream in range(5):
        alone = engine.advance(engine.initial_state(), frames[stream : stream + 1])
        assert np.abs(together[stream] - alone[0]).max() < 1e-5


def test_words_side_by_side_do_not_hear_each_other():
    networks = [network(seed=seed) for seed in range(3)]
    features = FeatureSettings()
    together = CRNN(Architecture(), features, [folded_weights(n) for n in networks])
    frames = np.random.default_rng(3).normal(-5, 4, (2, 120, 40)).astype("f")
    values = together.advance(together.initial_state(2), frames)
    for word, made in enumerate(networks):
        engine = engine_from_torch(made)
        alone = engine.advance(engine.initial_state(2), frames)
        assert np.abs(values[:, word] - alone[:, 0]).max() < 1e-5


def test_a_reset_forgets_everything():
    engine = engine_from_torch(network())
    rng = np.random.default_rng(4)
    before, after = rng.normal(-5, 4, (2, 1, 133, 40)).astype("f")
    fresh = engine.advance(engine.initial_state(), after)
    state = engine.initial_state()
    engine.advance(state, before)
    state.reset()
    again = engine.advance(state, after)
    assert (again == fresh).all()


def test_one_stream_is_reset_as_if_it_had_just_begun():
    engine = engine_from_torch(network())
    front_end = LogMel()
    first, second, other = (speech_like(3, seed) for seed in (5, 6, 7))
    mel_state, state = front_end.initial_state(2), engine.initial_state(2)
    undisturbed = engine_stream(engine, cut(np.concatenate([other, other]), [HOP]))
    hops = list(
        zip(
            cut(np.concatenate([first, second]), [HOP]),
            cut(np.concatenate([other, other]), [HOP]),
            strict=True,
        )
    )
    values = []
    for index, pair in enumerate(hops):
        if index == 30:
            mel_state.tail[0] = 0
            state.reset(np.array([True, False]))
        values.append(engine.advance(state, front_end.advance(mel_state, np.stack(pair))))
    found = np.concatenate(values, axis=2)[:, 0]
    assert np.abs(found[1] - undisturbed).max() < 1e-5  # its neighbour noticed nothing
    # From the reset on the stream is what a new one would be, two frames later on the shared grid.
    heard_alone = engine_stream(engine, cut(np.concatenate([first, second])[30 * HOP :], [HOP]))
    since = found[0, 30 * 8 :]
    assert np.abs(since[: len(heard_alone)] - heard_alone).max() < 1e-5


def test_nothing_grows_and_nothing_drifts():
    engine = engine_from_torch(network())
    front_end = LogMel()
    mel_state, state = front_end.initial_state(), engine.initial_state()
    hop = speech_like(HOP / SAMPLE_RATE)[None]
    sizes, values = [], []
    for index in range(400):
        values.append(engine.advance(state, front_end.advance(mel_state, hop))[0, 0, -1])
        if index in (20, 399):
            sizes.append(
                (
                    mel_state.tail.nbytes,
                    state.frames.nbytes,
                    state.attention.window.nbytes,
                )
            )
    assert sizes[0] == sizes[1]
    # A periodic input settles into a constant answer, which no clock or cursor disturbs.
    assert np.ptp(values[-100:]) < 1e-6
    assert np.isfinite(values).all()


def test_weights_that_do_not_fit_are_refused():
    weights = folded_weights(network())
    with pytest.raises(ModelError, match=r"gru.weight_hh_l0 should have the shape \(192, 64\)"):
        CRNN(
            Architecture(),
            FeatureSettings(),
            [weights | {"gru.weight_hh_l0": np.zeros((3, 4), "f")}],
        )


def test_energies_that_could_overflow_are_refused():
    weights = folded_weights(network())
    with pytest.raises(ModelError, match="cannot be computed"):
        CRNN(
            Architecture(),
            FeatureSettings(),
            [weights | {"energy.2.weight": np.full((1, 64), 5, "f")}],
        )


def test_the_teacher_has_the_parameters_of_the_report():
    shapes = weight_shapes(Architecture(), FeatureSettings())
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 70_443
    assert sum(p.numel() for p in torch_network.TorchCRNN().parameters()) == 70_443


@pytest.mark.parametrize("shape", [{"hidden": 0}, {"stride_frames": 21}, {"steps": 0}])
def test_shapes_that_cannot_stream_are_refused(shape):
    with pytest.raises(ModelError, match="cannot stream"):
        Architecture(**shape)


def test_the_attention_of_a_step_is_that_of_the_network():
    made = network(SMALL)
    engine = engine_from_torch(made)
    frames = np.random.default_rng(0).normal(-5, 4, (2, 40, 40)).astype(np.float32)
    state = engine.initial_state(2)
    assert (state.attention.shares() == 0).all()
    with torch.no_grad():
        energies = made.energy(made.gru(made.columns(torch.from_numpy(frames)))[0])[..., 0]
    for step in range(energies.shape[1]):
        heard = SMALL.frames_of_step(step)
        start = 0 if not step else SMALL.frames_of_step(step - 1)
        engine.steps(state, frames[:, start:heard])
        window = energies[:, max(0, step + 1 - SMALL.steps) : step + 1].softmax(1).numpy()
        shares = state.attention.shares()[:, 0].T
        assert np.abs(shares[:, -window.shape[1] :] - window).max() < 1e-4
        assert (shares[:, : -window.shape[1]] == 0).all()
