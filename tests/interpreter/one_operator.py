# SPDX-License-Identifier: Apache-2.0
"""Models of one operator, run by this interpreter and by LiteRT, one sample and several at a time."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import tflite2x
from tests.oracle import litert_interpreter

Array = NDArray[Any]

#: How many cases were compared with LiteRT, by operator.
CASES: collections.Counter[str] = collections.Counter()

#: Cases of each test; more with TFLITE2X_EXAMPLES for long runs.
EXAMPLES = int(os.environ.get("TFLITE2X_EXAMPLES", "40"))

cases = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="TFLITE2X_EXAMPLES" not in os.environ,
    suppress_health_check=list(hypothesis.HealthCheck),
)

_NAMES = {"object": "string", "float32": "float32", "bool": "bool"}


@dataclasses.dataclass
class Value:
    """One input of the operator.

    Attributes:
        array: The value.
        constant: Stored in the model; given at run time otherwise.
        steers: Says how to compute, so that samples of one batch share it.
        quantization: ``scale`` and ``zero_point``, if any.
        type: Name of the type in the model, where the array's type does not tell.
    """

    array: Array
    constant: bool = False
    steers: bool = False
    quantization: dict[str, Any] = dataclasses.field(default_factory=dict)
    type: str | None = None

    @property
    def type_name(self) -> str:
        return self.type or _NAMES.get(self.array.dtype.name, self.array.dtype.name)


def steering(array: Any, constant: bool, dtype: Any = np.int32) -> Value:
    """Make an input that says how to compute."""
    return Value(np.asarray(array, dtype), constant, steers=True)


def one_operator(
    op: str,
    options: Any,
    inputs: Sequence[Value | None],
    outputs: Sequence[tuple[str, Sequence[int]] | tuple[str, Sequence[int], dict[str, Any]]],
    *,
    custom_options: bytes | None = None,
    version: int = 1,
) -> tflite2x.Model:
    """Make a model of one operator. Outputs are (type, shape) or (type, shape, quantization)."""
    model = tflite2x.Model.new()
    graph = model.main
    tensors = []
    for i, value in enumerate(inputs):
        if value is None:
            tensors.append(None)
        elif value.constant:
            tensors.append(graph.add_constant(f"in{i}", value.array, dtype=value.type_name, **value.quantization))
        else:
            tensors.append(graph.add_input(f"in{i}", value.array.shape, value.type_name, **value.quantization))
    results = [
        graph.add_tensor(f"out{i}", tuple(shape), dtype, **(rest[0] if rest else {}))
        for i, (dtype, shape, *rest) in enumerate(outputs)
    ]
    graph.add_operator(op, tensors, results, options, custom_options=custom_options, version=version)
    graph.set_outputs(results)
    return model


def given(inputs: Sequence[Value | None]) -> list[Array]:
    """Return the arrays that are given at run time."""
    return [v.array for v in inputs if v is not None and not v.constant]


def assert_same(got: Array, expected: Array, tolerance: float = 0.0) -> None:
    """Compare type, shape and values; float values bit for bit unless a tolerance relative to the largest is given."""
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if got.dtype == object:
        assert got.tolist() == expected.tolist()
    elif tolerance and got.dtype.kind == "f":
        scale = float(np.max(np.abs(expected), initial=0.0))
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)
    else:
        np.testing.assert_array_equal(got, expected)


def run_litert(data: bytes, arrays: Sequence[Array], resolver: str) -> list[Array]:
    """Run LiteRT once. Its Python interface cannot return some empty tensors; they are made from their shape."""
    interpreter = litert_interpreter(data, resolver=resolver)
    for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    results = []
    for detail in interpreter.get_output_details():
        shape, dtype = detail["shape"], detail["dtype"]
        if 0 in shape:
            results.append(np.zeros(shape, object if dtype == np.bytes_ else dtype))
        else:
            value = interpreter.get_tensor(detail["index"])
            # A string of rank 0 comes back as bytes.
            results.append(np.array(value, object) if isinstance(value, bytes) else value)
    return results


def check(
    op: str,
    options: Any,
    inputs: Sequence[Value | None],
    outputs: Sequence[Any],
    *,
    tolerance: float = 0.0,
    custom_options: bytes | None = None,
    version: int = 1,
    resolver: str = "BUILTIN_REF",
    batch: bool = True,
) -> list[Array]:
    """Compare one case with LiteRT, and a batch of three samples with three single runs; return the outputs."""
    model = one_operator(op, options, inputs, outputs, custom_options=custom_options, version=version)
    arrays = given(inputs)
    expected = run_litert(tflite2x.dumps(model), arrays, resolver)
    engine = tflite2x.Interpreter(model)
    got = engine.run(arrays)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert_same(a, b, tolerance)
    CASES[op] += 1
    if batch and arrays:
        check_batch(engine, inputs)
    return got


def check_batch(engine: tflite2x.Interpreter, inputs: Sequence[Value | None]) -> None:
    """Compare a batch of three samples, the second one with its elements in another order, with single runs."""
    live = [v for v in inputs if v is not None and not v.constant]
    other = [v.array if v.steers else _changed(v.array) for v in live]
    samples = [[v.array for v in live], other, [v.array for v in live]]
    singles = [engine.run(s) for s in samples]
    shapes = {tuple(a.shape for a in single) for single in singles}
    if len(shapes) > 1:
        return  # samples of different shapes have no common array
    together = engine.run_batch([np.stack(column) for column in zip(*samples, strict=True)])
    for i, output in enumerate(together):
        assert len(output) in (1, 3)
        for sample, single in enumerate(singles):
            assert_same(output[sample if len(output) == 3 else 0, ...], single[i])


def _changed(array: Array) -> Array:
    """Return the elements in another order; a single float or bool changes its value (an integer may be an index)."""
    if array.size == 1 and array.dtype.kind in "fb":
        return ~array if array.dtype.kind == "b" else (array / 2 + 1).astype(array.dtype)
    return array.reshape(-1)[::-1].reshape(array.shape)


def random_array(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> Array:
    """Return any values of a type: whole range for integers, short strings, float values of many sizes.

    LiteRT's Python interface cannot set strings of rank 0.
    """
    shape = tuple(shape)
    if dtype == "string":
        flat = [bytes(rng.integers(97, 123, rng.integers(0, 6)).astype(np.uint8)) for _ in range(int(np.prod(shape)))]
        result = np.empty(len(flat), object)
        result[:] = flat
        return result.reshape(shape)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(np.bool_)
    if dtype.startswith("float"):
        return (rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 3, shape)).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


rngs = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def shapes(low: int = 0, high: int = 4, size: int = 5, least: int = 1) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw shapes of rank ``low`` to ``high``."""
    return st.lists(st.integers(least, size), min_size=low, max_size=high).map(tuple)
