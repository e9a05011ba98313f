"""Both steps agree with the specification in torch, for any split of the input."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.recordings import cut

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine import native
from wakeword_daemon.engine.crnn import CRNN, weight_shapes
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.numpy_stream import NumpyStream
from wakeword_daemon.engine.plan import pack
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import ModelError
from wakeword_daemon.training.fit import network as torch_network
from wakeword_daemon.training.fit.export import engine_from_torch, folded_weights

pytestmark = pytest.mark.torch

SMALL = Architecture(
    channels=3, kernel_mels=4, kernel_frames=11, stride_mels=3, stride_frames=5, hidden=7,
    layers=1, attention=5, steps=4,
)  # fmt: skip


@pytest.fixture(params=["C", "numpy"])
def stream_of(request):
    """What makes a stream through networks, with either step."""
    if request.param == "numpy":
        return NumpyStream
    step = native.native_step()
    if step is None:
        pytest.skip("the step in C was not built here: python hatch_build.py")
    return lambda networks: step.Stream(pack(networks))


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


def torch_log_mel(pcm):
    """Return torchaudio's log-mel frames [F, mels] of samples."""
    mel = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=40, center=False
    )
    return mel(torch.from_numpy(pcm.astype(np.float32) / 32768)).T.clamp(1e-5, 1e9).log()


def torch_stream(made, frames):
    """Return the specification's probability at every mel frame [F, mels]."""
    streaming = torch_network.StreamingCRNN(made)
    state = streaming.initial_state()
    return np.array([streaming(state, frame[None]).item() for frame in frames])


def assert_alike(made, expected, architecture, tolerance=1e-4):
    """Hold steps against the probabilities that the specification has at every frame."""
    ends = range(architecture.kernel_frames - 1, len(expected), architecture.stride_frames)
    assert [frame for frame, _, _ in made] == list(ends)
    found = np.array([probability for _, _, (probability,) in made])
    assert np.abs(found - expected[ends]).max() < tolerance


def heard(stream, pieces):
    return [step for piece in pieces for step in stream.hear(piece)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(st.just(1), st.integers(2, 400), st.integers(400, 9000)), min_size=1, max_size=8
    )
)
def test_any_split_of_the_input_gives_the_probabilities_of_the_specification(stream_of, sizes):
    made, pcm = network(), speech_like(1.5, seed=len(sizes))
    if max(sizes) < 50:
        pcm = pcm[:9000]  # one sample at a time is thousands of calls
    stream = stream_of([engine_from_torch(made)])
    expected = torch_stream(made, torch_log_mel(pcm))
    assert_alike(heard(stream, cut(pcm, sizes)), expected, made.architecture)


@pytest.mark.parametrize("architecture", [Architecture(), SMALL])
def test_ten_seconds_at_once_and_in_hops_give_the_same_probabilities(stream_of, architecture):
    made, pcm = network(architecture), speech_like(10)
    expected = torch_stream(made, torch_log_mel(pcm))
    stream = stream_of([engine_from_torch(made)])
    for size in (HOP, len(pcm)):
        assert_alike(heard(stream, cut(pcm, [size])), expected, architecture)
        stream.reset()
    assert np.ptp(expected) > 0.2  # it was no constant that agreed


@pytest.mark.parametrize("architecture", [Architecture(), SMALL])
@pytest.mark.parametrize("size", [1, 3, 8, 200])
def test_frames_instead_of_samples_give_the_same_probabilities(stream_of, architecture, size):
    made, frames = network(architecture), torch.randn(200, 40) * 4 - 6
    stream = stream_of([engine_from_torch(made)])
    steps = [
        step
        for start in range(0, 200, size)
        for step in stream.hear_frames(frames[start : start + size].numpy())
    ]
    assert_alike(steps, torch_stream(made, frames), architecture)


def test_log_mel_equals_torchaudio():
    pcm = speech_like(3)
    found = LogMel().frames(pcm)
    expected = torch_log_mel(pcm).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3


def test_streaming_equals_offline_when_the_window_covers_the_clip(stream_of):
    made = network(Architecture(steps=40))
    frames = torch.randn(2, 220, 40) * 4 - 6
    assert (220 - 20) // 8 + 1 <= 40
    offline = made(frames).softmax(-1)[:, 1].detach().numpy()
    stream = stream_of([engine_from_torch(made)])
    for clip, expected in zip(frames.numpy(), offline, strict=True):
        stream.reset()
        _, _, (found,) = stream.hear_frames(clip)[-1]
        assert found == pytest.approx(expected, abs=1e-4)


def test_the_training_form_equals_the_streaming_form_at_every_step():
    made = network()
    frames = torch.randn(1, 400, 40) * 4 - 6
    by_step = made.stream(frames).softmax(-1)[0, :, 1].detach().numpy()
    streaming = torch_network.StreamingCRNN(made)
    state = streaming.initial_state()
    by_frame = np.array([streaming(state, frame[None]).item() for frame in frames[0]])
    assert np.abs(by_frame[19::8] - by_step).max() < 1e-5


@pytest.mark.parametrize(
    "shapes", [[Architecture()] * 3, [Architecture(), replace(SMALL, stride_frames=8,
    kernel_frames=20), Architecture()]],
)  # fmt: skip
def test_words_in_one_detector_do_not_influence_each_other(stream_of, shapes):
    engines = [engine_from_torch(network(shape, seed)) for seed, shape in enumerate(shapes)]
    pcm = speech_like(4, seed=3)
    together = np.array([scores for _, _, scores in stream_of(engines).hear(pcm)])
    for word, engine in enumerate(engines):
        alone = np.array([scores for _, _, scores in stream_of([engine]).hear(pcm)])
        assert np.abs(together[:, word] - alone[:, 0]).max() < 1e-5


def test_a_reset_forgets_everything(stream_of):
    engine = engine_from_torch(network())
    before, after = speech_like(1.7, seed=4), speech_like(2, seed=5)
    expected = stream_of([engine]).hear(after)
    stream = stream_of([engine])
    stream.hear(before)
    stream.reset()
    assert stream.hear(after) == expected


def test_probabilities_do_not_drift(stream_of):
    stream = stream_of([engine_from_torch(network())])
    hop = speech_like(HOP / SAMPLE_RATE)
    values = [scores[0] for _ in range(400) for _, _, scores in stream.hear(hop)]
    # A periodic input settles into a constant answer, which no clock or cursor disturbs.
    assert np.ptp(values[-100:]) < 1e-6
    assert np.isfinite(values).all()


def test_weights_that_do_not_fit_are_refused():
    weights = folded_weights(network())
    with pytest.raises(ModelError, match=r"gru.weight_hh_l0 should have the shape \(192, 64\)"):
        CRNN(
            Architecture(),
            FeatureSettings(),
            weights | {"gru.weight_hh_l0": np.zeros((3, 4), "f")},
        )


def test_energies_that_could_overflow_are_refused():
    weights = folded_weights(network())
    with pytest.raises(ModelError, match="cannot be computed"):
        CRNN(
            Architecture(),
            FeatureSettings(),
            weights | {"energy.2.weight": np.full((1, 64), 5, "f")},
        )


def test_the_teacher_has_70443_parameters():
    shapes = weight_shapes(Architecture(), FeatureSettings())
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 70_443
    assert sum(p.numel() for p in torch_network.TorchCRNN().parameters()) == 70_443


@pytest.mark.parametrize("shape", [{"hidden": 0}, {"stride_frames": 21}, {"steps": 0}])
def test_shapes_that_cannot_stream_are_refused(shape):
    with pytest.raises(ModelError, match="cannot stream"):
        Architecture(**shape)


def test_the_traced_attention_equals_that_of_the_network():
    made = network(SMALL)
    stream = NumpyStream([engine_from_torch(made)])
    frames = np.random.default_rng(0).normal(-5, 4, (40, 40)).astype(np.float32)
    assert (stream.attention_weights() == 0).all()
    with torch.no_grad():
        energies = made.energy(made.gru(made.columns(torch.from_numpy(frames[None])))[0])[0, :, 0]
    for step in range(len(energies)):
        heard = SMALL.frames_of_step(step)
        start = 0 if not step else SMALL.frames_of_step(step - 1)
        stream.hear_frames(frames[start:heard])
        window = energies[max(0, step + 1 - SMALL.steps) : step + 1].softmax(0).numpy()
        shares = stream.attention_weights()
        assert np.abs(shares[-len(window) :] - window).max() < 1e-4
        assert (shares[: -len(window)] == 0).all()
