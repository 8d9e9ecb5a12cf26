# SPDX-License-Identifier: Apache-2.0
"""LiteRT beside the NumPy interpreter: a second opinion on what a model computes.

LiteRT runs in a process of its own, because it ends the process on some models.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.verification.compare import Comparison, compare
from tflite2x.verification.running import Batch
from tflite2x.verification.structure import is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Model

Array = NDArray[Any]
#: Floats may differ by this much of the largest magnitude: sums are added in another order.
TOLERANCE = 1e-5
_TIMEOUT = 300.0

_SCRIPT = """
import sys, numpy as np
from ai_edge_litert import interpreter as litert
folder = sys.argv[1]
runner = litert.Interpreter(model_path=folder + '/model.tflite', num_threads=1,
                            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)
with np.load(folder + '/in.npz') as data:
    inputs = [data[str(i)] for i in range(len(data.files))]
details = runner.get_input_details()
for d, a in zip(details, inputs):
    if tuple(d['shape']) != a.shape[1:]:
        runner.resize_tensor_input(d['index'], a.shape[1:])
runner.allocate_tensors()
results = []
for k in range(len(inputs[0])):
    for d, a in zip(details, inputs):
        runner.set_tensor(d['index'], a[k])
    runner.invoke()
    results.append([runner.get_tensor(d['index']) for d in runner.get_output_details()])
np.savez(folder + '/out.npz', **{str(i): np.stack(column) for i, column in enumerate(zip(*results))})
"""


def litert_outputs(model: Model, batch: Batch) -> list[Array] | str:
    """Run the main subgraph in LiteRT's reference kernels.

    Args:
        model: The model.
        batch: Samples for its main subgraph.

    Returns:
        The outputs with a sample axis, or why LiteRT cannot run the model.
    """
    from tflite2x.ir import save

    if batch.graph is not model.main:
        return "it runs the main subgraph only"
    if not batch.inputs or any(a.dtype.kind == "O" for a in batch.inputs):
        return "the model has no inputs, or strings"
    if is_stateful(model.subgraphs):
        return "the model has state"
    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder) / "model.tflite")
        named: Any = {str(i): a for i, a in enumerate(batch.inputs)}
        np.savez(Path(folder) / "in.npz", **named)
        try:
            done = subprocess.run(
                [sys.executable, "-c", _SCRIPT, folder], capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            return f"it took more than {_TIMEOUT:.0f} s"
        if done.returncode:
            said = done.stderr.strip().splitlines()
            return said[-1] if said else f"it ended with code {done.returncode}"
        with np.load(Path(folder) / "out.npz") as data:
            return [data[str(i)] for i in range(len(data.files))]


def second_opinion(model: Model, batches: Sequence[Batch], outputs: Sequence[Sequence[Array]]) -> str:
    """Say whether LiteRT computes the same outputs as the interpreter.

    Args:
        model: The model.
        batches: Samples.
        outputs: What the interpreter computed from them.
    """
    total, count, refusals = Comparison(), 0, []
    for batch, expected in zip(batches, outputs, strict=True):
        found = litert_outputs(model, batch)
        if isinstance(found, str):
            refusals.append(found)
            continue
        count += batch.count
        for a, b in zip(expected, found, strict=True):
            total.add(compare(b, a.reshape(b.shape) if a.size == b.size else a))
    if not count:
        return f"LiteRT was not asked: {refusals[0]}" if refusals else "LiteRT was not asked"
    if total.within(0, TOLERANCE) if total.worst_relative is not None else total.equal:
        return f"LiteRT agrees on {count} samples"
    amounts = []
    if total.shapes:
        amounts.append(total.shapes)
    if total.worst_lsb:
        amounts.append(f"{total.worst_lsb:g} LSB")
    if total.worst_relative:
        amounts.append(f"{total.worst_relative:.3g} relative")
    return f"LiteRT DISAGREES with the interpreter: up to {' and '.join(amounts)}, {total.share:.2%} of the values"
