import pytest
import torch
from torch import nn

from wakeword_daemon.training.fit.gru import run_gru

pytestmark = pytest.mark.torch

LAYERS, INPUTS, HIDDEN = 2, 5, 3


@pytest.fixture
def gru():
    torch.manual_seed(0)
    return nn.GRU(INPUTS, HIDDEN, LAYERS, batch_first=True).double()


def by_torch(gru, *given):
    return gru(*given)


def outcome(run, gru, inputs, state):
    """Return outputs, last states and all gradients of a loss on both."""
    given = [inputs.clone().requires_grad_()]
    if state is not None:
        given.append(state.clone().requires_grad_())
    gru.zero_grad()
    hidden, last = run(gru, *given, *([None] if state is None else []))
    (hidden.sin().sum() + last.square().sum()).backward()
    return [hidden, last, *(one.grad for one in (*given, *gru.parameters()))]


@pytest.mark.parametrize("sequences", [1, 4])
@pytest.mark.parametrize("steps", [1, 2, 9])
@pytest.mark.parametrize("fresh", [True, False])
def test_outputs_and_gradients_are_those_of_torch(gru, sequences, steps, fresh):
    inputs = torch.randn(sequences, steps, INPUTS, dtype=torch.float64)
    state = None if fresh else torch.randn(LAYERS, sequences, HIDDEN, dtype=torch.float64)
    ours = outcome(run_gru, gru, inputs, state)
    theirs = outcome(by_torch, gru, inputs, state)
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape
        assert torch.allclose(our, their, rtol=0, atol=1e-12)


def test_a_gradient_of_the_outputs_alone_or_of_the_last_state_alone(gru):
    inputs = torch.randn(2, 4, INPUTS, dtype=torch.float64)
    for part in (0, 1):
        gradients = []
        for run in (run_gru, by_torch):
            gru.zero_grad()
            run(gru, inputs, None)[part].sum().backward()
            gradients.append([weight.grad.clone() for weight in gru.parameters()])
        for our, their in zip(*gradients, strict=True):
            assert torch.allclose(our, their, rtol=0, atol=1e-12)


def test_without_gradients_it_is_torch_itself(gru):
    inputs = torch.randn(2, 4, INPUTS, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(run_gru(gru, inputs, None)[0], gru(inputs)[0])
