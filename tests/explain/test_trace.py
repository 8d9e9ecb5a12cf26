# SPDX-License-Identifier: Apache-2.0
"""Traces: what they hold, how they travel through files, and how tensors find their counterparts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tflite2x.cli.main import main
from tflite2x.errors import ExecutionError, InputError
from tflite2x.explain.real_model import real_model
from tflite2x.explain.samples import input_samples
from tflite2x.explain.trace import NOTES, from_arrays, to_arrays, trace
from tflite2x.explain.trace_compare import compare_traces
from tflite2x.explain.trace_text import render_comparison, render_trace


@pytest.fixture(scope="module")
def kws() -> tuple[tflite2x.Model, np.ndarray[Any, Any]]:
    folder = Path(__file__).parent.parent.parent / "models"
    with np.load(folder / "kws_eval.npz") as file:
        return tflite2x.load(folder / "kws_int8.tflite"), file["x"]


def test_every_computed_tensor_is_described(kws: tuple[tflite2x.Model, Any]) -> None:
    model, x = kws
    tensors = trace(model, [x[:1]])
    assert [t.kind for t in tensors] == ["input", *["computed"] * 9, "output"]
    assert [t.operator for t in tensors[1:]] == [op.name for op in model.main.operators]
    conv = tensors[2]
    assert conv.type == "int8"
    assert conv.shape == (1, 25, 5, 32)
    assert conv.zero_points == (-128,)
    low, high = conv.range or (0, 0)
    assert (low, high) == (conv.values.min(), conv.values.max())
    real_low, real_high = conv.real_range or (0, 0)
    assert real_low == 0.0
    assert real_high == pytest.approx((high + 128) * conv.scales[0])
    ends = np.mean((conv.values == -128) | (conv.values == 127))
    assert conv.saturated == pytest.approx(ends)
    assert tensors[0].saturated is None
    text = render_trace(tensors)
    assert len(text.splitlines()) == 12
    assert f"{ends:.2%}" in text


def test_per_channel_values_become_real_along_their_axis() -> None:
    model = tflite2x.Model.new()
    g = model.main
    x = g.add_input("x", (2, 3), "int8", scale=[0.5, 1.0, 2.0], zero_point=[1, 0, 0], quantized_dimension=1)
    y = g.add_tensor("y", (3, 2), "float32")
    perm = g.add_constant("p", np.array([1, 0], np.int32))
    z = g.add_tensor("z", (2, 3), "float32")
    from tflite2x.schema.tables import DequantizeOptions, TransposeOptions

    g.add_operator("DEQUANTIZE", [x], [z], DequantizeOptions())
    g.add_operator("TRANSPOSE", [z, perm], [y], TransposeOptions())
    g.set_outputs([y])
    values = np.array([[1, 2, 3], [3, 4, 5]], np.int8)
    first, second, _ = trace(model, [values])
    np.testing.assert_array_equal(first.real(), second.values)
    batched, *_ = trace(model, [np.stack([values, values])], batched=True)
    np.testing.assert_array_equal(batched.real()[1], second.values)


def test_a_trace_survives_its_file(kws: tuple[tflite2x.Model, Any], tmp_path: Path) -> None:
    model, x = kws
    tensors = trace(model, [x[:3, None]], batched=True)
    arrays = to_arrays(tensors)
    np.savez(tmp_path / "t.npz", **{f"a{i}": v for i, v in enumerate(arrays.values())})  # any values are storable
    back = from_arrays(arrays)
    assert [t.summary() for t in back] == [t.summary() for t in tensors]
    assert compare_traces(back, tensors).first is None
    with pytest.raises(InputError, match="not a trace"):
        from_arrays({"x": np.zeros(3)})
    with pytest.raises(InputError, match="damaged"):
        from_arrays({NOTES: np.frombuffer(b"{}", np.uint8)})


def test_float_against_quantized_by_name(kws: tuple[tflite2x.Model, Any], models: Path) -> None:
    model, x = kws
    comparison = compare_traces(trace(model, [x[:1]]), trace(tflite2x.load(models / "kws_float.tflite"), [x[:1]]))
    assert {t.name for t in comparison.only_here} == {"tfl.quantize", "StatefulPartitionedCall_1:01"}
    assert comparison.only_there == ()
    by_name = {p.tensor.operator: p for p in comparison.pairs}
    assert by_name["DEQUANTIZE"].reference.operator == "SOFTMAX"
    for pair in comparison.pairs[1:]:
        assert pair.snr is not None
        a, b = pair.tensor.real(), pair.reference.real()
        expected = 10 * math.log10(np.sum(b**2) / np.sum((a.reshape(b.shape) - b) ** 2))
        assert pair.snr == pytest.approx(expected)
        assert 20 < pair.snr < 60
    assert comparison.first is not None
    assert comparison.first.tensor.operator == "DEQUANTIZE"  # the only two of one type
    assert "tensor 22" in render_comparison(comparison, "float").splitlines()[-1]


def test_tensors_are_matched_by_position_when_names_differ(kws: tuple[tflite2x.Model, Any]) -> None:
    model, x = kws
    other = model.clone()
    for i, tensor in enumerate(other.main.tensors):
        tensor.name = f"t{i}"
    comparison = compare_traces(trace(model, [x[:1]]), trace(other, [x[:1]]))
    assert [p.how for p in comparison.pairs].count("position") == 9
    assert [p.how for p in comparison.pairs].count("interface") == 2
    assert comparison.first is None
    assert all(p.tensor.index == p.reference.index for p in comparison.pairs)


def test_before_and_after_a_pass(kws: tuple[tflite2x.Model, Any]) -> None:
    model, x = kws
    stripped = model.clone()
    tflite2x.Pipeline.parse("strip-float-io,cleanup").run(stripped)
    full = trace(model, [x[:1]])
    quantized = full[1].values
    comparison = compare_traces(trace(stripped, [quantized]), full)
    assert len(comparison.pairs) == 9
    assert comparison.first is None
    assert "equal wherever the types are equal" in render_comparison(comparison, "before")
    # The stripped input has the name of the float one, which it does not equal.
    assert [p.tensor.name for p in comparison.pairs if p.differing] == ["serving_default_features:0"]


def test_names_that_moved_do_not_pair_other_shapes() -> None:
    model = tflite2x.Model.new()
    x = model.main.add_input("x", (1, 4), "float32")
    model.main.set_outputs([x])
    other = tflite2x.Model.new()
    y = other.main.add_input("x", (1, 5), "float32")
    other.main.set_outputs([y])
    comparison = compare_traces(
        trace(model, [np.zeros((1, 4), np.float32)]), trace(other, [np.zeros((1, 5), np.float32)])
    )
    assert comparison.pairs == ()
    assert len(comparison.only_here) == 1


@pytest.mark.parametrize("name", ["kws_int8", "mlp_uint8", "dscnn_int8", "dense_3d_int8"])
def test_the_real_model_is_near(name: str, models: Path) -> None:
    model = tflite2x.load(models / f"{name}.tflite")
    real = real_model(model)
    assert [op.name for op in real.main.operators if op.name in ("QUANTIZE", "DEQUANTIZE")] == []
    assert {t.dtype.name for t in real.main.tensors} <= {"FLOAT32", "INT32"}
    data = {"kws": "kws", "dense": "dense_3d"}.get(name.split("_")[0], "digits")
    with np.load(models / f"{data}_eval.npz") as file:
        values = file["x"][:4]
    x = input_samples(values, model.main.inputs[0])
    values = input_samples(values, real.main.inputs[0])
    comparison = compare_traces(trace(model, [x], batched=True), trace(real, [values], batched=True))
    assert len(comparison.pairs) == 1 + len(model.main.operators)
    assert min(p.snr for p in comparison.pairs if p.snr is not None) > 15


def test_litert_computes_the_same(kws: tuple[tflite2x.Model, Any]) -> None:
    pytest.importorskip("ai_edge_litert")
    from tflite2x.explain.trace_litert import litert_trace

    model, x = kws
    ours = trace(model, [x[:1]])
    theirs = litert_trace(model, [x[:1]], ours)
    assert len(theirs) == len(ours)
    assert compare_traces(ours, theirs).first is None


def test_a_model_that_litert_refuses_is_said_to_be_refused() -> None:
    pytest.importorskip("ai_edge_litert")
    from tflite2x.explain.trace_litert import litert_trace

    model = tflite2x.Model.new()
    x = model.main.add_input("x", (1, 4), "float32")
    y = model.main.add_tensor("y", (1, 4), "float32")
    model.main.add_operator("NO_SUCH_THING", [x], [y], custom_options=b"")
    model.main.set_outputs([y])
    with pytest.raises(ExecutionError, match="LiteRT does not run the model"):
        litert_trace(model, [np.zeros((1, 4), np.float32)], [])


def test_the_command(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(models / "kws_eval.npz") as file:
        np.save(tmp_path / "x.npy", file["x"][0])
    given = ["trace", str(models / "kws_int8.tflite"), "--input", str(tmp_path / "x.npy")]
    assert main([*given, "-o", str(tmp_path / "t.npz")]) == 0
    assert capsys.readouterr().out == ""
    assert main(given) == 0
    assert "AVERAGE_POOL_2D (6)" in capsys.readouterr().out
    assert main([*given, "--against", str(tmp_path / "t.npz")]) == 0
    assert "equal in all values" in capsys.readouterr().out
    pair = ["trace", str(tmp_path / "t.npz"), "--against", str(tmp_path / "t.npz")]
    assert main(pair) == 0
    assert "equal in all values" in capsys.readouterr().out
    assert main(["trace", str(tmp_path / "t.npz"), "--against", "litert"]) == 2
    assert main([*given, "--against", str(tmp_path / "x.npy")]) == 2
    capsys.readouterr()
    assert main([*given, "--against", "real", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["tensors"]) == 11
    assert all(p["snr"] == "inf" or p["snr"] > 20 for p in result["comparison"]["pairs"])
    # What trace writes, diagnose reads.
    assert main(["diagnose", *given[1:], "--mine", str(tmp_path / "t.npz")]) == 0
    assert "no difference" in capsys.readouterr().out
    assert main([*given, "-o", str(tmp_path / "t.txt")]) == 2
    assert main(["trace", str(models / "kws_int8.tflite")]) == 2


def test_real_samples_of_a_quantized_input(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(models / "digits_eval.npz") as file:
        np.save(tmp_path / "x.npy", file["x"][:4])
    given = ["trace", str(models / "cnn_int8.tflite"), "-i", str(tmp_path / "x.npy"), "--real", "--batch"]
    assert main([*given, "--against", str(models / "cnn_float.tflite"), "--json"]) == 0
    pairs = json.loads(capsys.readouterr().out)["comparison"]["pairs"]
    assert len(pairs) == 9
    assert all(p["how"] == "name" and p["snr"] > 30 for p in pairs)


def test_a_single_sample_is_no_batch(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.zeros((28, 28), np.uint8))
    given = ["trace", str(models / "mlp_uint8.tflite"), "-i", str(tmp_path / "x.npy")]
    assert main([*given, "--batch"]) == 2
    error = capsys.readouterr().err
    assert "no axis of samples" in error
    assert "Leave --batch out" in error
    assert main(given) == 0
