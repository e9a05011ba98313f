"""A GRU that a processor trains in two thirds of the time.

Torch keeps a graph of a dozen operations for every step, and adds to the gradients of the weights
at every step. Here the backward pass goes through the steps once, and the gradients of the weights
are one matrix product over all steps. The results are those of `nn.GRU`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx


def run_gru(gru: nn.GRU, inputs: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return what `gru(inputs, state)` returns.

    Args:
        gru: in one direction, with biases, batch first.
        inputs: [B, steps, inputs].
        state: [layers, B, hidden]; None for zero.

    """
    if inputs.is_cuda or not torch.is_grad_enabled():  # nothing to gain there
        hidden, last = gru(inputs, state)
        return hidden, last
    if state is None:
        state = inputs.new_zeros(gru.num_layers, len(inputs), gru.hidden_size)
    hidden = inputs.transpose(0, 1)
    afters: list[Tensor] = []
    for layer, before in enumerate(state):
        weights = [getattr(gru, f"{name}_l{layer}") for name in _WEIGHTS]
        hidden, after = _Layer.apply(hidden, before, *weights)  # type: ignore[no-untyped-call]
        afters.append(after)
    return hidden.transpose(0, 1), torch.stack(afters)


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class _Layer(torch.autograd.Function):
    """One layer of a GRU; r, z and n are its gates, as in the documentation of `nn.GRU`.

    From inputs [steps, B, inputs] and a state [B, hidden] to the states after all steps and after
    the last.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, inputs: Tensor, before: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        w_input, w_state, b_input, b_state = weights
        steps, sequences, _ = inputs.shape
        hidden = before.shape[1]
        shape = steps, sequences, hidden
        rz_rows, n_rows = slice(2 * hidden), slice(2 * hidden, None)
        flat = inputs.reshape(steps * sequences, -1)
        b_rz = b_input[rz_rows] + b_state[rz_rows]
        rz = torch.addmm(b_rz, flat, w_input[rz_rows].T).view(steps, sequences, -1)
        n_input = torch.addmm(b_input[n_rows], flat, w_input[n_rows].T).view(shape)
        w_rz, w_n = w_state[rz_rows].T.contiguous(), w_state[n_rows].T.contiguous()
        b_n = b_state[n_rows].expand(sequences, -1).contiguous()
        n, n_state = inputs.new_empty(shape), inputs.new_empty(shape)
        states = inputs.new_empty(steps + 1, sequences, hidden)
        state = states[0].copy_(before)
        r, z = rz.chunk(2, dim=2)
        for of_step in zip(rz, r, z, n_input, n, n_state, states[1:], strict=True):
            rz_now, r_now, z_now, n_input_now, n_now, n_state_now, after = of_step
            rz_now.addmm_(state, w_rz).sigmoid_()
            torch.addmm(b_n, state, w_n, out=n_state_now)
            torch.addcmul(n_input_now, r_now, n_state_now, out=n_now).tanh_()
            state = torch.lerp(n_now, state, z_now, out=after)
        ctx.save_for_backward(inputs, states, rz, n, n_state, w_input, w_state)
        return states[1:], state.clone()

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, ...]:
        d_after, d_state = gradients
        inputs, states, rz, n, n_state, w_input, w_state = ctx.saved_tensors  # type: ignore[attr-defined]
        steps, sequences, hidden = n.shape
        r, z = rz.chunk(2, dim=2)
        # How the state after a step depends on what the state before sends to each gate.
        by_n = (1 - z) * (1 - n * n)
        by_r = by_n * n_state * r * (1 - r)
        by_z = (states[:-1] - n) * z * (1 - z)
        by_gate = torch.stack([by_r, by_z, by_n * r], dim=2)
        d_gates = torch.empty_like(by_gate)
        d_rows = d_gates.view(steps, sequences, 3 * hidden)
        d_states = torch.empty_like(n)
        of_steps = [*zip(d_after, by_gate, z, d_states, d_gates, d_rows, strict=True)]
        for d_after_now, by_gate_now, z_now, d_now, d_gates_now, d_rows_now in reversed(of_steps):
            torch.add(d_state, d_after_now, out=d_now)
            torch.mul(d_now.unsqueeze(1), by_gate_now, out=d_gates_now)
            d_state = (d_now * z_now).addmm_(d_rows_now, w_state)
        flat = d_rows.view(steps * sequences, -1)
        d_w_state = flat.T @ states[:-1].reshape(steps * sequences, -1)
        d_b_state = flat.sum(0)
        torch.mul(d_states, by_n, out=d_gates[:, :, 2])  # inputs reach n without r
        d_w_input = flat.T @ inputs.reshape(steps * sequences, -1)
        d_inputs = (flat @ w_input).view_as(inputs)
        return d_inputs, d_state, d_w_input, d_w_state, flat.sum(0), d_b_state
