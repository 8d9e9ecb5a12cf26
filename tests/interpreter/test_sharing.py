# SPDX-License-Identifier: Apache-2.0
"""Kernels that several interpreters share: equal operators only, errors that name the right one, bounded memory."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tflite2x
from tflite2x.errors import ExecutionError
from tflite2x.interpreter import KernelCache, plan
from tflite2x.interpreter.registry import CUSTOM_KERNELS
from tflite2x.ir import Model
from tflite2x.schema.enums import ActivationFunctionType
from tflite2x.schema.tables import FullyConnectedOptions, GatherOptions

RNG = np.random.default_rng(0)
X = RNG.integers(-128, 128, (3, 1, 16)).astype(np.int8)
WEIGHTS = RNG.integers(-127, 128, (8, 16)).astype(np.int8)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the operators whose kernels are prepared."""
    names: list[str] = []
    prepare = plan._prepare

    def record(kernel: Any, context: Any) -> Any:
        names.append(context.op.where)
        return prepare(kernel, context)

    monkeypatch.setattr(plan, "_prepare", record)
    return names


def dense(weights: np.ndarray = WEIGHTS, **scales: Any) -> Model:
    m = Model.new()
    g = m.main
    x = g.add_input("x", (1, 16), "int8", scale=0.1, zero_point=3)
    w = g.add_constant("w", weights, scale=[0.02] * 8)
    b = g.add_constant("b", np.arange(8, dtype=np.int32) * 100, scale=[0.002] * 8)
    y = g.add_tensor("y", (1, 8), "int8", scale=0.3, zero_point=-1)
    g.add_operator("FULLY_CONNECTED", [x, w, b], [y], FullyConnectedOptions())
    g.set_outputs([y])
    return m


def outputs(model: Model, x: np.ndarray = X, rounding: Any = "single", **kernels: Any) -> list[np.ndarray]:
    return tflite2x.Interpreter(model, rounding, **kernels).run_batch([x])


def test_copies_of_a_model_share_their_kernels(prepared: list[str]) -> None:
    model, kernels = dense(), KernelCache()
    (expected,) = outputs(model)
    prepared.clear()
    for version in (model, model.clone(), tflite2x.loads(tflite2x.dumps(model))):
        np.testing.assert_array_equal(outputs(version, kernels=kernels)[0], expected)
    assert prepared == ["subgraphs[0].operators[0] (FULLY_CONNECTED)"]
    assert len(kernels) == 1


def test_names_do_not_matter(prepared: list[str]) -> None:
    model, kernels = dense(), KernelCache()
    outputs(model, kernels=kernels)
    for tensor in model.main.tensors:
        tensor.name = f"another {tensor.name}"
    outputs(model, kernels=kernels)
    assert len(prepared) == 1


def change_weights(m: Model) -> None:
    data = WEIGHTS.copy()
    data[3, 5] ^= 1
    m.main.tensors[1].data = data


def change_bias(m: Model) -> None:
    m.main.tensors[2].data = np.arange(8, dtype=np.int32) * -90


def change_bytes(m: Model) -> None:
    m.main.tensors[1].buffer.data = (-WEIGHTS).tobytes()


def quantize(index: int, **fields: Any) -> Callable[[Model], None]:
    def change(m: Model) -> None:
        for name, value in fields.items():
            old = getattr(m.main.tensors[index].quantization, name)
            setattr(m.main.tensors[index].quantization, name, np.full_like(old, value))

    return change


def activate(m: Model) -> None:
    m.main.operators[0].options.fused_activation_function = ActivationFunctionType.RELU


def keep_dimensions(m: Model) -> None:
    m.main.operators[0].options.keep_num_dims = True


def leave_out_the_bias(m: Model) -> None:
    m.main.operators[0].set_inputs([*m.main.operators[0].inputs[:2], None])


def two_channels_apart(m: Model) -> None:
    m.main.tensors[1].quantization.scale = np.array([0.02] * 7 + [0.05], np.float32)


@pytest.mark.parametrize(
    "change",
    [
        change_weights,
        change_bias,
        change_bytes,
        quantize(0, scale=0.2),
        quantize(0, zero_point=-7),
        quantize(2, scale=0.2),
        quantize(3, scale=0.6),
        quantize(3, zero_point=40),
        two_channels_apart,
        activate,
        keep_dimensions,
        leave_out_the_bias,
        lambda m: setattr(m.main.tensors[3], "shape", (8,)),
        lambda m: m.main.operators[0].set_code("FULLY_CONNECTED", version=9),
    ],
)
def test_operators_that_differ_share_nothing(change: Callable[[Model], None], prepared: list[str]) -> None:
    model, kernels = dense(), KernelCache()
    outputs(model, kernels=kernels)
    other = model.clone()
    change(other)
    got = outputs(other, kernels=kernels)
    assert len(prepared) == 2
    np.testing.assert_array_equal(got[0], outputs(other)[0])


def test_rounding_contracts_share_nothing(prepared: list[str]) -> None:
    model, kernels = dense(), KernelCache()
    outputs(model, kernels=kernels)
    outputs(model, rounding="double", kernels=kernels)
    assert len(prepared) == 2


def gather(name: str, before: int) -> Model:
    """Indices behind some operators that change nothing."""
    m = Model.new()
    g = m.main
    x = g.add_input(f"{name} indices", (2,), "int32")
    for i in range(before):
        copy = g.add_tensor(f"copy {i}", (2,), "int32")
        g.add_operator("RESHAPE", [x, g.add_constant(f"shape {i}", np.array([2], np.int32))], [copy])
        x = copy
    table = g.add_constant(f"{name} table", np.arange(4, dtype=np.float32))
    y = g.add_tensor("y", (2,), "float32")
    g.add_operator("GATHER", [table, x], [y], GatherOptions())
    g.set_outputs([y])
    return m


def test_errors_name_the_operator_that_runs(prepared: list[str]) -> None:
    kernels, bad = KernelCache(), np.array([[1, 9]], np.int32)
    for model in (gather("first", 0), gather("second", 2)):
        tflite2x.Interpreter(model, kernels=kernels).run_batch([np.array([[0, 1]], np.int32)])
        where = model.main.operators[-1].where
        with pytest.raises(ExecutionError) as alone:
            outputs(model, bad)
        assert where in str(alone.value)
        with pytest.raises(ExecutionError) as shared:
            outputs(model, bad, kernels=kernels)
        assert str(shared.value) == str(alone.value)


def hybrid(weights: np.ndarray) -> Model:
    """Weights behind DEQUANTIZE, which is computed once."""
    m = Model.new()
    g = m.main
    x = g.add_input("x", (1, 16), "float32")
    w = g.add_constant("w", weights, scale=0.02)
    wide = g.add_tensor("wide", (8, 16), "float32")
    y = g.add_tensor("y", (1, 8), "float32")
    g.add_operator("DEQUANTIZE", [w], [wide])
    g.add_operator("FULLY_CONNECTED", [x, wide, None], [y], FullyConnectedOptions())
    g.set_outputs([y])
    return m


def test_what_follows_from_equal_constants_is_equal(prepared: list[str]) -> None:
    kernels, x = KernelCache(), X.astype(np.float32)
    outputs(hybrid(WEIGHTS), x, kernels=kernels)
    outputs(hybrid(WEIGHTS.copy()), x, kernels=kernels)
    assert len(prepared) == 2
    (got,) = outputs(hybrid(-WEIGHTS), x, kernels=kernels)
    assert len(prepared) == 4
    np.testing.assert_array_equal(got, outputs(hybrid(-WEIGHTS), x)[0])


@pytest.fixture
def own_kernel() -> Iterator[list[int]]:
    calls: list[int] = []

    @tflite2x.register_kernel("Counts", form="prepared", pure=True)
    def counts(ctx: Any) -> Any:
        calls.append(1)
        return lambda inputs: [inputs[0]]

    yield calls
    del CUSTOM_KERNELS["Counts"]


def test_kernels_of_others_are_not_shared(own_kernel: list[int]) -> None:
    m = Model.new()
    x = m.main.add_input("x", (1, 16), "int8")
    y = m.main.add_tensor("y", (1, 16), "int8")
    m.main.add_operator("Counts", [x], [y])
    m.main.set_outputs([y])
    kernels = KernelCache()
    for _ in range(2):
        outputs(m, kernels=kernels)
    assert len(own_kernel) == 2
    assert len(kernels) == 0


def test_kernels_that_were_not_used_for_long_are_dropped(prepared: list[str]) -> None:
    kernels = KernelCache(kept=10_000)  # each counts for 4,096 bytes and its constants
    models = [dense(np.roll(WEIGHTS, i, axis=1)) for i in range(5)]
    for model in models:
        outputs(model, kernels=kernels)
    assert len(kernels) == 2
    prepared.clear()
    for model in (models[3], models[4], models[3], models[0], models[3]):
        outputs(model, kernels=kernels)
    assert len(prepared) == 1
    assert len(kernels) == 2


def test_tokens_go_with_their_bytes() -> None:
    kernels = KernelCache()
    for i in range(5):
        outputs(dense(np.roll(WEIGHTS, i, axis=1)), kernels=kernels)
    kernels._kernels.clear()
    gc.collect()
    assert not kernels._tokens


@pytest.mark.parametrize("place", [0, 100, 199])
def test_tokens_tell_bytes_apart(place: int) -> None:
    kernels = KernelCache()
    model = tflite2x.Model.new()
    values = np.arange(200, dtype=np.uint8)
    other = values.copy()
    other[place] += 1
    tensors = [model.main.add_constant(None, a) for a in (values, values.copy(), other, values[:199])]
    tokens = [kernels.token(t) for t in tensors]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3
