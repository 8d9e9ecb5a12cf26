# SPDX-License-Identifier: Apache-2.0
"""Values that no mistake in the catalogue describes: ``diagnose`` must not be certain of anything."""

from __future__ import annotations

import copy

import numpy as np

import tflite2x
from tests.explain.planted_cases import Array, Case, random_case
from tests.explain.planted_models import exact_of, same

#: What is done -> the only name that may be certain, if any.
FOREIGN = {
    **dict.fromkeys((
        "noise", "shuffled values", "doubled values", "the right values of another model",
        "the right values of another input", "weights of the next channel", "bias of the next channel",
        "input scale 3 % larger", "output scale 3 % larger",
        "first weight of all channels left out",
    ), ""),
    **dict.fromkeys(("input zero point one higher", "output zero point one higher"), "zero point off by one"),
}  # fmt: skip


def foreign(rng: np.random.Generator, kind: str, what: str) -> tuple[Case, Array] | None:
    """Return a model of one operator with its inputs, and wrong values; None where that is not possible there.

    Args:
        rng: Source of all choices.
        kind: Kind of operator.
        what: One of FOREIGN.
    """
    state = copy.deepcopy(rng)
    case = random_case(rng, kind)
    exact = exact_of(case)
    mine = (
        _outputs(rng, kind, what, case, exact)
        if what in list(FOREIGN)[:5]
        else _changed(random_case(state, kind), what)
    )
    if mine is None or mine.shape != exact.shape or same(mine, exact):
        return None
    return case, mine


def _outputs(rng: np.random.Generator, kind: str, what: str, case: Case, exact: Array) -> Array | None:
    whole = exact.dtype.kind != "f"
    wide = exact.astype(np.int64) if whole else exact
    info = np.iinfo(exact.dtype) if whole else np.finfo(exact.dtype)
    if what == "noise":
        noise = rng.integers(-3, 4, exact.shape) * (rng.random(exact.shape) < rng.choice([0.02, 0.3, 1.0]))
        return np.clip(wide + noise * (1 if whole else float(np.std(exact))), info.min, info.max)
    if what == "shuffled values":
        return np.asarray(rng.permuted(exact))
    if what == "doubled values":
        return np.clip(wide * 2, info.min, info.max)
    other = random_case(rng, kind)
    if what == "the right values of another model":
        return exact_of(other)
    if any(a.shape != b.shape for a, b in zip(case.inputs, other.inputs, strict=True)):
        return None
    return exact_of(Case(case.model, other.inputs, 0, case.text))


def _changed(case: Case, what: str) -> Array | None:
    """Compute with a constant or a parameter changed; the case is a fresh copy."""
    op = case.model.main.operators[0]
    constants = [t for t in op.inputs if t is not None and t.is_constant and t.dtype.name != "INT32"]
    x, y = next(t for t in op.inputs if t is not None and t.is_input), op.outputs[0]
    if what.startswith(("weights", "first weight")):
        if not constants or constants[0].data.ndim < 2:
            return None
        w = constants[0]
        if what.startswith("first weight"):
            data = w.data.copy()
            data[..., 0] = 0
            w.data = data
        else:
            w.data = np.roll(w.data, 1, axis=-1 if op.name == "DEPTHWISE_CONV_2D" else 0)
    elif what.startswith("bias"):
        biases = [t for t in op.inputs if t is not None and t.name == "b"]
        if not biases:
            return None
        biases[0].data = np.roll(biases[0].data, 1)
    else:
        tensor = x if what.startswith("input") else y
        q = tensor.quantization
        copied = op.name.endswith("POOL_2D") or op.name in ("PAD", "XC_fc", "SOFTMAX")  # no arithmetic with it
        if q is None or not q.scale.size or copied:
            return None
        if "scale" in what:
            q.scale = (q.scale * np.float32(1.03)).astype(np.float32)
        elif int(q.zero_point[0]) + 1 > np.iinfo(tensor.numpy_dtype).max or tensor.dtype.name == "INT16":
            return None
        else:
            q.zero_point = q.zero_point + 1
    try:
        return exact_of(case)
    except tflite2x.Tflite2xError:
        return None
