# SPDX-License-Identifier: Apache-2.0
"""Printed NumPy functions equal the interpreter bit for bit, operator by operator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.export.compare import check_operator
from tests.export.zoo import windowed, zoo
from tflite2x.interpreter.kernel import Rounding
from tflite2x.program.lowering import Lowering
from tflite2x.program.rescale import integer_multiplier, rounded

ROUNDINGS: tuple[Rounding, ...] = ("single", "double")
#: Without a form that can be printed: state, control flow, recurrent cells, custom code, hybrid arithmetic.
MODELS = sorted(p.name for p in (Path(__file__).parents[2] / "models").glob("*.tflite"))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", MODELS)
def test_every_operator_of_the_projects_models(models: Path, name: str, rounding: Rounding) -> None:
    model = tflite2x.load(models / name)
    lowering = Lowering(model.main, rounding, floats=True)
    for op in model.main.operators:
        check_operator(op, lowering)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("family", ["weighted", "elementwise", "reducing", "moving"])
def test_every_operator_type_and_geometry_with_an_integer_form(family: str, rounding: Rounding) -> None:
    for seed in range(2):
        model = zoo(family, seed=seed)
        lowering = Lowering(model.main, rounding)
        for op in model.main.operators:
            check_operator(op, lowering, seed=seed)


@pytest.mark.parametrize("state", ["int16", "int8"])
def test_operators_with_a_window_of_the_past(state: str) -> None:
    model = windowed(state)
    lowering = Lowering(model.main)
    for op in model.main.operators:
        check_operator(op, lowering)


def test_integer_multipliers_equal_the_float64_product_for_every_accumulator() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        multiplier = float(np.exp(rng.uniform(np.log(1e-6), np.log(2))))
        bound = int(rng.integers(1, 300_000))
        found = integer_multiplier(multiplier, bound, 256)
        assert found is not None
        mantissa, shift = found
        acc = np.arange(bound + 1, dtype=np.int64)
        mine = (acc * mantissa + (np.int64(1) << (shift - 1))) >> shift
        np.testing.assert_array_equal(np.minimum(mine, 256), np.minimum(rounded(acc, multiplier), 256))


def test_integer_multipliers_near_halves() -> None:
    for multiplier in (
        0.5,
        0.25,
        1 / 6,
        1 / 3,
        0.1,
        0.3,
        1.5,
        float(np.nextafter(0.5, 0)),
        float(np.nextafter(0.5, 1)),
    ):
        found = integer_multiplier(multiplier, 5000, 256)
        if found is None:
            continue
        mantissa, shift = found
        acc = np.arange(5001, dtype=np.int64)
        mine = (acc * mantissa + (np.int64(1) << (shift - 1))) >> shift
        np.testing.assert_array_equal(np.minimum(mine, 256), np.minimum(rounded(acc, multiplier), 256))
    assert integer_multiplier(0.5, 5000, 256) is not None


def quantized_models(corpus: Path, largest: float, most_operators: int = 200) -> list[Path]:
    """The quantized models of the corpus with integer activations, smallest first, equal files once."""
    index = json.loads((corpus / "index.json").read_text())
    chosen = {}
    for entry in sorted(index, key=lambda e: (e["size"], e["path"])):
        integer = any(op.split("|")[1:2] in (["INT8"], ["UINT8"], ["INT16"]) for op in entry["ops"])
        if integer and entry["size"] < largest and entry["operators"] <= most_operators:
            chosen.setdefault(entry["sha256"], corpus / entry["path"])
    return list(chosen.values())


def run_corpus(paths: list[Path]) -> tuple[int, int, list[str]]:
    """Return the number of models whose every operator was compared, of operators compared, and what has no form."""
    whole, operators = 0, 0
    missing: dict[str, None] = {}
    for path in paths:
        try:
            model = tflite2x.load(path)
        except tflite2x.Tflite2xError as error:
            missing[f"{path.name}: {error}"] = None
            continue
        lowering, complete = Lowering(model.main, floats=True), True
        for op in model.main.operators:
            if op.name in ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"):
                continue  # copies of what lives between runs: exports are held to them as a whole
            try:
                if op.outputs and all(t is not None and lowering.known(t) is not None for t in op.outputs):
                    continue
                check_operator(op, lowering, samples=2)
                operators += 1
            except tflite2x.Tflite2xError as error:
                missing[f"{op.name}: {error.what}"] = None
                complete = False
        whole += complete
    return whole, operators, list(missing)


def test_operators_of_small_quantized_corpus_models(corpus: Path) -> None:
    whole, operators, _ = run_corpus(quantized_models(corpus, 20_000)[:40])
    assert whole >= 30
    assert operators >= 35


@pytest.mark.sweep
def test_operators_of_100_quantized_corpus_models(corpus: Path) -> None:
    whole, operators, missing = run_corpus(quantized_models(corpus, 400_000))
    print(f"\n{whole} models complete, {operators} operators equal; without a form:", *missing, sep="\n  ")
    assert whole >= 100


def test_a_fully_connected_layer_without_options_has_the_schemas_defaults() -> None:
    scaled = {"dtype": "int8", "scale": 0.1}
    weights = np.arange(64, dtype=np.int8).reshape(4, 16)
    inputs = [{"shape": (1, 16), **scaled}, {"data": weights, **scaled}, None]
    model = tflite2x.Model.build("FULLY_CONNECTED", inputs, [{"shape": (1, 4), **scaled}])
    (op,) = model.main.operators
    assert op.options is None
    check_operator(op, Lowering(model.main, "single"))
