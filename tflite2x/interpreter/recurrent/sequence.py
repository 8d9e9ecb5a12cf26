# SPDX-License-Identifier: Apache-2.0
"""Running a cell along the time axis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from tflite2x.errors import InputError
from tflite2x.interpreter.kernel import Array


class Cell(Protocol):
    """What a recurrent cell offers."""

    def inputs(self, x: Array, aux: Array | None) -> dict[int, Any]:
        """Return each gate's share that does not depend on the state, for all steps at once."""

    def step(self, shares: dict[int, Any], output: Array, cell: Array) -> tuple[Array, Array]:
        """Advance by one step and return the new states."""


def run_sequence(
    cell: Cell, x: Array, output_state: Array, cell_state: Array, *, forward: bool = True, aux: Array | None = None
) -> Array:
    """Run a cell over a sequence and leave the new states in the state arrays.

    Args:
        cell: The cell.
        x: Inputs [time, N, batch, n_input]; N is the sample axis.
        output_state: State array [N, ...] with batch * n_output elements per sample.
        cell_state: State array [N, ...] with batch * n_cell elements per sample.
        forward: From the first step to the last, or the other way round.
        aux: Auxiliary inputs [time, N, batch, n_aux].

    Returns:
        Outputs [time, N, batch, n_output].
    """
    steps, _, batch = x.shape[:3]
    samples = len(output_state)
    for state in (output_state, cell_state):
        if state[0].size % batch if batch else state[0].size:
            raise InputError(f"a state of {state[0].size} elements does not fit a batch of {batch}")
    if batch == 0:
        return np.zeros((steps, samples, 0, output_state.shape[-1]), output_state.dtype)
    # The state belongs to N samples even where the inputs are common to all of them.
    output = output_state.reshape(samples, batch, -1)
    memory = cell_state.reshape(samples, batch, -1)
    shares = cell.inputs(x, aux)
    results: list[Array] = [output] * steps
    order: Iterable[int] = range(steps) if forward else reversed(range(steps))
    for t in order:
        output, memory = cell.step({gate: share[t] for gate, share in shares.items()}, output, memory)
        results[t] = output
    output_state[...] = output.reshape(output_state.shape)
    cell_state[...] = memory.reshape(cell_state.shape)
    return np.stack(results) if results else np.zeros((0, *output.shape), output.dtype)
