# SPDX-License-Identifier: Apache-2.0
"""Printed NumPy functions of whole models: every operator's, on the values that reach it, equals the interpreter.

Integers bit for bit; floats within 1e-6 of the largest value (functions without a C library round otherwise).
"""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.export.compare import random_array
from tests.interpreter.test_lstm import Cell, integer_model
from tflite2x.explain.arithmetic import numpy_function
from tflite2x.explain.plain_numpy import Printer
from tflite2x.interpreter import Interpreter
from tflite2x.program.numpy_code import operator_code, values_of
from tflite2x.schema.tables import CastOptions, GatherOptions


def values(rng: np.random.Generator, tensor: Any) -> Any:
    """Random values; wide integers are indices and sizes as a rule, and small."""
    dtype = tensor.numpy_dtype
    if dtype.kind in "iu" and dtype.itemsize >= 4 and not tensor.quantization:
        return rng.integers(0, 3, tensor.shape).astype(dtype)
    return random_array(rng, tensor.shape, dtype.name, 0)


class Report:
    """How many operators were compared, and what has no printed form."""

    def __init__(self) -> None:
        self.equal: collections.Counter[str] = collections.Counter()
        self.missing: collections.Counter[str] = collections.Counter()


def check_model(model: tflite2x.Model, report: Report, seed: int = 0) -> None:
    """Compare every operator of the main subgraph on the values of one run."""
    rng = np.random.default_rng(seed)
    graph = model.main
    trace = Interpreter(model).trace([values(rng, t) for t in graph.inputs])
    printer = Printer(graph, "single")
    for op in graph.operators:
        if op.outputs and all(t is not None and printer.lowering.known(t) is not None for t in op.outputs):
            continue
        states = [t for t in op.inputs if t is not None and (t.is_variable or t.dtype.name == "RESOURCE")]
        if states or op.name in ("VAR_HANDLE", "CALL_ONCE"):
            continue  # what lives between runs: exports are held to it as a whole
        try:
            steps, lowering = printer.forms(op)
        except tflite2x.Tflite2xError as error:
            report.missing[f"{op.name}: {error.what}"] += 1
            continue
        if any(t is not None and t in trace and trace[t].shape != t.shape for t in (*op.inputs, *op.outputs)):
            report.missing[f"{op.name}: shapes at run time differ from the model's"] += 1
            continue
        code = operator_code("function", steps, "")
        namespace: dict[str, Any] = {}
        exec(compile(code, op.where, "exec"), namespace)
        reads, writes = values_of(steps)
        known = {lowering.operand(t): trace[t] for t in op.inputs if t is not None and lowering.known(t) is None}
        with np.errstate(all="ignore"):
            results = namespace["function"](*(known[v] for v in reads))
        wanted = {lowering.operand(t): trace[t] for t in op.outputs if t is not None}
        for value, result in zip(writes, results if len(writes) > 1 else [results], strict=True):
            compare(result, wanted[value], f"{model.path} {op.where}\n{code[-2000:]}")
        report.equal[op.name] += 1


def compare(result: Any, expected: Any, where: str) -> None:
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape), where
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(result, expected, err_msg=where)
        return
    finite = np.abs(expected[np.isfinite(expected)])
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6 * float(finite.max(initial=0)), err_msg=where)


def distinct(corpus: Path, largest: float, most: int = 400) -> list[Path]:
    index = json.loads((corpus / "index.json").read_text())
    chosen: dict[str, Path] = {}
    for entry in sorted(index, key=lambda e: (e["size"], e["path"])):
        if entry["size"] < largest and entry["operators"] <= most:
            chosen.setdefault(entry["sha256"], corpus / entry["path"])
    return list(chosen.values())


def run_corpus(paths: list[Path]) -> tuple[Report, int]:
    report, models = Report(), 0
    for path in paths:
        try:
            model = tflite2x.load(path)
            if any(t.numpy_dtype.kind not in "biuf" for t in model.main.inputs):
                continue
            rng = np.random.default_rng(0)
            Interpreter(model).trace([values(rng, t) for t in model.main.inputs])
        except tflite2x.Tflite2xError:
            continue  # not runnable: damaged on purpose, or with operators of other people's
        check_model(model, report)
        models += 1
    return report, models


@pytest.mark.parametrize("name", sorted(p.name for p in (Path(__file__).parents[2] / "models").glob("*.tflite")))
def test_every_operator_of_the_projects_models(models: Path, name: str) -> None:
    report = Report()
    check_model(tflite2x.load(models / name), report)
    assert not report.missing
    assert report.equal


def test_small_models_of_the_corpus(corpus: Path) -> None:
    report, models = run_corpus(distinct(corpus, 6_000)[:120])
    assert models >= 80
    assert report.equal.total() >= 80


@pytest.mark.sweep
def test_models_of_the_corpus(corpus: Path) -> None:
    report, models = run_corpus(distinct(corpus, 4e6))
    print(f"\n{report.equal.total()} operators of {models} models are equal; without a form: {report.missing.total()}")
    for what, count in report.missing.most_common():
        print(f"  {count:4} {what}")
    assert models >= 400


def built(name: str, inputs: list[Any], outputs: list[Any], options: Any = None) -> Any:
    return tflite2x.Model.build(name, inputs, outputs, options).main.operators[0]


@pytest.mark.parametrize("target", ["int8", "uint8", "int32", "int64", "bool", "float32"])
@pytest.mark.parametrize("source", ["float32", "int32", "int8", "bool"])
def test_cast(source: str, target: str) -> None:
    types = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int8": 9}
    options = CastOptions(in_data_type=types[source], out_data_type=types[target])
    op = built("CAST", [{"shape": (40,), "dtype": source}], [{"shape": (40,), "dtype": target}], options)
    namespace: dict[str, Any] = {}
    exec(numpy_function(op), namespace)
    x = random_array(np.random.default_rng(0), (40,), source, 0)
    if source == "float32":
        x[:6] = [np.nan, np.inf, -np.inf, 3e9, -3e9, 300.5]
    expected = Interpreter(op.subgraph.model).run([x])[0]
    with np.errstate(all="ignore"):
        compare(namespace["cast_0_numpy"](x), expected, source)


@pytest.mark.parametrize(
    ("name", "arrays", "dtype"),
    [
        ("EQUAL", [np.array([[1.0, np.nan]], np.float32), np.array([[1.0, np.nan]], np.float32)], "bool"),
        ("LESS", [np.array([[1, 5, 9]], np.int32), np.array([[5]], np.int32)], "bool"),
        ("ADD", [np.array([[2**31 - 1, 5]], np.int32), np.array([[5, -9]], np.int32)], "int32"),
        ("SELECT", [np.array([True, False]), np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)], "float32"),
        ("GATHER_ND", [np.arange(12, dtype=np.float32).reshape(3, 4), np.array([[0, 1], [2, 3]], np.int32)], "float32"),
        ("GATHER", [np.arange(12, dtype=np.int8).reshape(3, 4), np.array([2, 0], np.int32)], "int8"),
        ("SIN", [np.array([[0.5, -3.0]], np.float32)], "float32"),
        ("NEG", [np.array([[5, -3]], np.int32)], "int32"),
    ],
)
def test_plain_operators(name: str, arrays: list[Any], dtype: str) -> None:
    options = GatherOptions(axis=0) if name == "GATHER" else None
    shapes = {"SELECT": (2, 3), "GATHER_ND": (2,), "GATHER": (2, 4)}
    inputs = [{"shape": a.shape, "dtype": a.dtype.name} for a in arrays]
    op = built(name, inputs, [{"shape": shapes.get(name, arrays[0].shape), "dtype": dtype}], options)
    namespace: dict[str, Any] = {}
    code = numpy_function(op)
    assert "tflite2x" not in code
    exec(code, namespace)
    with np.errstate(all="ignore"):
        result = namespace[f"{name.lower()}_0_numpy"](*arrays)
    compare(result, Interpreter(op.subgraph.model).run(arrays)[0], code)


@pytest.mark.parametrize("seed", range(24))
def test_integer_lstms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_cell = int(rng.integers(1, 8))
    projection = bool(rng.integers(2))
    cell = Cell(
        n_input=int(rng.integers(1, 6)), n_cell=n_cell,
        n_output=int(rng.integers(1, n_cell + 1)) if projection else n_cell,
        batch=int(rng.integers(1, 4)), steps=int(rng.integers(1, 5)), cifg=bool(rng.integers(2)), peephole=False,
        norm=False, projection=projection, projection_bias=bool(rng.integers(2)),
    )  # fmt: skip
    clips = (float(rng.choice([0, 0.5])), float(rng.choice([0, 0.4])))
    model = integer_model(rng, cell, bool(rng.integers(2)), bool(rng.integers(2)), int(rng.integers(-15, -8)), clips)
    (op,) = model.main.operators
    namespace: dict[str, Any] = {}
    code = numpy_function(op)
    assert "tflite2x" not in code
    found = tflite2x.explain(op)
    assert found.steps or "--numpy" in (found.reason or "")
    exec(code, namespace)
    engine = Interpreter(model)
    h_tensor, c_tensor = op.inputs[18], op.inputs[19]
    assert h_tensor is not None
    assert c_tensor is not None
    h = np.full(h_tensor.shape, h_tensor.quantization.zero_point[0], np.int8)
    c = np.zeros(c_tensor.shape, np.int16)
    for _ in range(3):  # the state goes on
        x = rng.integers(-128, 128, model.main.inputs[0].shape, dtype=np.int8)
        y, h, c = namespace[f"{op.name.lower()}_0_numpy"](x, h, c)
        compare(y, engine.run([x])[0], code)


def test_an_lstm_of_the_corpus(corpus: Path) -> None:
    model = tflite2x.load(
        corpus / "tensorflow+tflite-micro/tensorflow/lite/micro/examples/mnist_lstm/trained_lstm_int8.tflite"
    )
    (op,) = (o for o in model.main.operators if o.name == "UNIDIRECTIONAL_SEQUENCE_LSTM")
    namespace: dict[str, Any] = {}
    exec(numpy_function(op), namespace)
    x = np.random.default_rng(0).integers(-128, 128, model.main.inputs[0].shape, dtype=np.int8)
    trace = Interpreter(model).trace([x])
    assert op.inputs[18] is not None
    h = np.full(op.inputs[18].shape, op.inputs[18].quantization.zero_point[0], np.int8)
    y, _, _ = namespace[f"{op.name.lower()}_{op.index}_numpy"](trace[op.inputs[0]], h, np.zeros((1, 20), np.int16))
    compare(y, trace[op.outputs[0]], "mnist_lstm")


def test_printed_code_refuses_numpy_1(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There, types of results depend on values, and some integers would come out wrong without a word."""
    code = numpy_function(tflite2x.load(models / "mlp_uint8.tflite").main.operators[0])
    exec(compile(code, "printed", "exec"), {})
    monkeypatch.setattr(np, "__version__", "1.26.4")
    with pytest.raises(ImportError, match="NumPy 2"):
        exec(compile(code, "printed", "exec"), {})
