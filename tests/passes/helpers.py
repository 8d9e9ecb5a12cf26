# SPDX-License-Identifier: Apache-2.0
"""What the tests of passes share: run a pipeline with verification, and compare with LiteRT."""

from __future__ import annotations

import numpy as np

import tflite2x
from tests.oracle import litert_run
from tflite2x import Pipeline, Verify
from tflite2x.ir import Model, Subgraph, Tensor


def run(model: Model, text: str, samples: int = 16) -> tflite2x.Report:
    """Run a pipeline twice: it verifies, and the second run changes nothing."""
    report = Pipeline.parse(text).run(model, Verify(samples=samples))
    once = tflite2x.dumps(model)
    assert not Pipeline.parse(text).run(tflite2x.loads(once)).modified, "not idempotent"
    return report


def names(model: Model) -> list[str]:
    """Return the kinds of the operators of the main graph."""
    return [op.name for op in model.main.operators]


def reasons(report: tflite2x.Report) -> list[str]:
    """Return why places were left alone."""
    return [reason for _, _, reason in report.left_alone()]


def oracle_agrees(before: bytes, after: bytes, *, lsb: int = 0, count: int = 5) -> None:
    """Compare two models with one interface in LiteRT on random samples over the full range."""
    inputs = tflite2x.loads(before).main.inputs
    rng = np.random.default_rng(0)
    for _ in range(count):
        arrays = [_random(rng, t) for t in inputs]
        for want, got in zip(litert_run(before, arrays), litert_run(after, arrays), strict=True):
            assert want.dtype == got.dtype
            assert want.shape == got.shape
            if want.dtype.kind == "f":
                np.testing.assert_allclose(got, want, rtol=0, atol=1e-6 * max(1e-30, float(np.abs(want).max())))
            else:
                assert np.abs(want.astype(np.int64) - got).max(initial=0) <= lsb


def _random(rng: np.random.Generator, tensor: Tensor) -> np.ndarray:
    if tensor.numpy_dtype.kind == "f":
        return rng.normal(0, 2, tensor.shape).astype(tensor.numpy_dtype)
    info = np.iinfo(tensor.numpy_dtype)
    return rng.integers(info.min, info.max, tensor.shape, endpoint=True).astype(tensor.numpy_dtype)


def int8(graph: Subgraph, name: str, shape: tuple[int, ...], scale: float = 0.1, zero_point: int = 0) -> Tensor:
    """Add an int8 tensor."""
    return graph.add_tensor(name, shape, "int8", scale=scale, zero_point=zero_point)


def conv(
    shape: tuple[int, ...] = (1, 8, 8, 3),
    kernel: tuple[int, ...] = (4, 3, 3, 3),
    out: tuple[int, ...] = (1, 6, 6, 4),
    *,
    quantized: bool = True,
    depthwise: bool = False,
    pad: list[list[int]] | None = None,
    **options: object,
) -> Model:
    """Make a model with one convolution, with a PAD in front of it if wanted."""
    from tflite2x.schema.enums import Padding
    from tflite2x.schema.tables import Conv2DOptions, DepthwiseConv2DOptions

    rng = np.random.default_rng(3)
    model = Model.new()
    g = model.main
    kind = "int8" if quantized else "float32"
    first = {"scale": 0.1, "zero_point": 5} if quantized else {}
    last = {"scale": 0.5, "zero_point": -2} if quantized else {}
    x = g.add_input("x", shape, kind, **first)
    if pad is not None:
        padded = g.add_tensor("padded", [s + a + b for s, (a, b) in zip(shape, pad, strict=True)], kind, **first)
        version = 2 if quantized else 1
        g.add_operator("PAD", [x, g.add_constant("paddings", np.array(pad, np.int32))], [padded], version=version)
        x = padded
    channels = out[-1]
    if quantized:
        values = rng.integers(-127, 128, kernel).astype(np.int8)
        scales = np.linspace(0.01, 0.02, channels).astype(np.float32)
        w = g.add_constant("w", values, scale=scales, quantized_dimension=3 if depthwise else 0)
        b = g.add_constant("b", rng.integers(-999, 999, channels).astype(np.int32), scale=scales * np.float32(0.1))
    else:
        w = g.add_constant("w", rng.normal(0, 1, kernel).astype(np.float32))
        b = g.add_constant("b", rng.normal(0, 1, channels).astype(np.float32))
    y = g.add_tensor("y", out, kind, **last)
    settings = {"stride_w": 1, "stride_h": 1, "padding": Padding.VALID, **options}
    table = DepthwiseConv2DOptions(depth_multiplier=1, **settings) if depthwise else Conv2DOptions(**settings)
    code = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    g.add_operator(code, [x, w, b], [y], table, version=3 if quantized else 1)
    g.set_outputs([y])
    return model
