# SPDX-License-Identifier: Apache-2.0
"""A trace by LiteRT itself, where it is installed.

It runs in a process of its own, because it ends the process on some models.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.explain.trace import TensorTrace, describe
from tflite2x.interpreter.kernel import Array

if TYPE_CHECKING:
    from tflite2x.ir import Model

_TIMEOUT = 300.0
_SCRIPT = """
import sys, numpy as np
from ai_edge_litert import interpreter as litert
folder, wanted = sys.argv[1], [int(i) for i in sys.argv[2:]]
runner = litert.Interpreter(model_path=folder + '/model.tflite', num_threads=1,
                            experimental_preserve_all_tensors=True,
                            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)
details = runner.get_input_details()
with np.load(folder + '/in.npz') as data:
    inputs = [data[str(i)] for i in range(len(data.files))]
for d, a in zip(details, inputs):
    if tuple(d['shape']) != a.shape:
        runner.resize_tensor_input(d['index'], a.shape)
runner.allocate_tensors()
for d, a in zip(details, inputs):
    runner.set_tensor(d['index'], a)
runner.invoke()
found = {}
for i in wanted:
    try:
        found[str(i)] = runner.get_tensor(i)
    except ValueError:  # LiteRT keeps no value of it
        pass
np.savez(folder + '/out.npz', **found)
"""


def litert_trace(model: Model, inputs: Sequence[Array], tensors: Sequence[TensorTrace]) -> list[TensorTrace]:
    """Run a model with LiteRT's reference kernels, and return the tensors that our trace has.

    Left out are tensors of called subgraphs, 4-bit and string tensors, and those whose value LiteRT does not keep.

    Args:
        model: The model.
        inputs: One array per input, in model order.
        tensors: Our trace of it: which tensors to return.

    Raises:
        UnsupportedError: LiteRT is not installed.
        ExecutionError: LiteRT refuses the model, or ends on it.
    """
    from tflite2x.ir import save

    if importlib.util.find_spec("ai_edge_litert") is None:
        raise UnsupportedError(
            "LiteRT is not installed", hint="Install it: pip install 'tflite2x[litert]', or ai-edge-litert."
        )
    wanted = [t for t in tensors if t.subgraph == 0 and t.type not in ("int4", "uint4", "int2", "string")]
    if any(a.dtype.kind not in "biuf" for a in inputs):
        raise UnsupportedError("LiteRT's trace is taken of numeric inputs only")
    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder) / "model.tflite")
        named: dict[str, Any] = {str(i): a for i, a in enumerate(inputs)}
        np.savez(Path(folder) / "in.npz", **named)
        indices = [str(t.index) for t in wanted]
        try:
            done = subprocess.run(
                [sys.executable, "-c", _SCRIPT, folder, *indices],
                capture_output=True, text=True, timeout=_TIMEOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ExecutionError(f"LiteRT took more than {_TIMEOUT:.0f} s") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise ExecutionError(
                f"LiteRT does not run the model: {said[-1] if said else f'it ended with code {done.returncode}'}"
            )
        with np.load(Path(folder) / "out.npz") as data:
            values = {int(name): data[name] for name in data.files}
    graph = model.main
    return [
        describe(graph.tensors[t.index], values[t.index])
        for t in wanted
        if t.index in values and values[t.index].shape == t.shape
    ]
