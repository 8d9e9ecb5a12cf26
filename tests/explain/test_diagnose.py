# SPDX-License-Identifier: Apache-2.0
"""diagnose names what was planted by hand-written code, says how sure it is, and says nothing where nothing fits."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tflite2x
from tests.explain.foreign import FOREIGN, foreign
from tests.explain.planted import PLANTS
from tests.explain.planted_kinds import OPERATORS, compute, kind_of
from tests.explain.planted_models import Case, all_matter, planted, random_case
from tflite2x.errors import InputError
from tflite2x.explain.diagnose import diagnose, diagnose_arrays
from tflite2x.explain.diagnose_text import render
from tflite2x.explain.diagnosis.exact import ExactOperator
from tflite2x.explain.diagnosis.models import model_of
from tflite2x.explain.diagnosis.simple import Simple
from tflite2x.schema.tables import FullyConnectedOptions

EVERY_PLANT = [(kind, plant) for kind, (_, plants) in OPERATORS.items() for plant in plants]


def test_exact_values_of_hand_written_operators_have_no_difference() -> None:
    rng = np.random.default_rng(0)
    for kind in OPERATORS:
        for _ in range(3):
            case = random_case(rng, kind)
            op = case.model.main.operators[0]
            assert kind_of(op) == kind
            exact = ExactOperator(op, "single")
            values = [None if t is None else tflite2x.Interpreter(case.model).trace(list(case.inputs)).get(t, t.data)
                      for t in op.inputs]  # fmt: skip
            twin = model_of(exact, [None if v is None else v[None] for v in values])
            assert type(twin) is not Simple, f"{kind}: no special model, or one that does not equal the kernel"
            assert planted(random_case(rng, kind), frozenset()) is None, kind


@pytest.mark.parametrize(("kind", "plant"), EVERY_PLANT)
def test_a_planted_mistake_is_named(kind: str, plant: str) -> None:
    rng = np.random.default_rng([7, *map(ord, kind + plant)])
    for _ in range(200):
        outcome = planted(random_case(rng, kind), frozenset((plant,)))
        if outcome is not None:
            break
    else:
        pytest.fail("the mistake changed nothing in 200 models")
    assert outcome.named, outcome
    assert not outcome.wrong, outcome


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_in_the_catalogue_is_never_certain(what: str) -> None:
    rng = np.random.default_rng([9, *map(ord, what)])
    seen = 0
    while seen < 6:
        found = foreign(rng, str(rng.choice(list(OPERATORS))), what)
        if found is None:
            continue
        case, mine = found
        first = diagnose(case.model, list(case.inputs), {"y": mine}).first
        right = first is not None and {n.mistakes for n in first.named} == {(FOREIGN[what],)}
        assert first is None or right or first.certainty != "certain", (case.text, first)
        seen += 1


@pytest.mark.parametrize(
    "plants",
    [
        ("wrap", "relu at 0"), ("bias forgotten", "input zero point forgotten"),
        ("floor", "output zero point forgotten"), ("weights flipped", "bias after the multiplier"),
        ("pad with 0", "truncate"),
    ],
)  # fmt: skip
def test_two_planted_mistakes_are_named_together(plants: tuple[str, str]) -> None:
    rng = np.random.default_rng([8, sum(map(ord, "".join(plants)))])
    pair = frozenset(plants)
    for _ in range(200):
        case = random_case(rng, "CONV_2D")
        if all_matter(case, pair):
            outcome = planted(case, pair)
            assert outcome is not None
            assert tuple(sorted(PLANTS[p] for p in plants)) in outcome.names, outcome
            return
    pytest.fail("the mistakes never mattered both")


def test_noise_is_not_explained() -> None:
    rng = np.random.default_rng(3)
    for kind in ("FULLY_CONNECTED", "CONV_2D"):
        case = random_case(rng, kind)
        exact = tflite2x.Interpreter(case.model).run(list(case.inputs))[0].astype(np.int64)
        mine = np.clip(exact + rng.integers(-5, 6, exact.shape), -128, 127)
        result = diagnose(case.model, list(case.inputs), {"y": mine})
        finding = result.first
        assert finding is not None
        assert finding.certainty == "none"
        assert finding.named == ()
        assert finding.tried > 100
        assert "NOTHING KNOWN FITS" in render(result)


def two_layers() -> tuple[tflite2x.Model, np.ndarray]:
    rng = np.random.default_rng(5)
    m = tflite2x.Model.new()
    g = m.main
    x = g.add_input("x", (1, 24), "int8", scale=0.05, zero_point=-7)
    w1 = g.add_constant("w1", rng.integers(-90, 90, (20, 24), dtype=np.int8), scale=0.01, zero_point=0)
    h = g.add_tensor("hidden layer", (1, 20), "int8", scale=0.06, zero_point=-20)
    w2 = g.add_constant("w2", rng.integers(-90, 90, (12, 20), dtype=np.int8), scale=0.01, zero_point=0)
    b2 = g.add_constant("b2", rng.integers(-2000, 2000, 12, dtype=np.int32), scale=0.0006, zero_point=0)
    y = g.add_tensor("y", (1, 12), "int8", scale=0.2, zero_point=5)
    g.add_operator("FULLY_CONNECTED", [x, w1, None], [h], FullyConnectedOptions(fused_activation_function=1))
    g.add_operator("FULLY_CONNECTED", [h, w2, b2], [y], FullyConnectedOptions())
    g.set_outputs([y])
    return m, rng.integers(-128, 128, (1, 24), dtype=np.int8)


def test_what_follows_from_a_mistake_before_is_not_a_mistake() -> None:
    model, x = two_layers()
    first, second = model.main.operators
    engine = tflite2x.Interpreter(model)
    trace = engine.trace([x])
    hidden = np.maximum(trace[first.outputs[0]], 0)
    values = [hidden, *(t.data for t in second.inputs[1:])]
    wrong = compute(second, values, frozenset(("bias forgotten",))).astype(np.int8)
    right = compute(second, values, frozenset()).astype(np.int8)

    one = diagnose(model, [x], {"hidden_layer": hidden, "y": right})
    assert [f.tensor for f in one.findings] == ["hidden layer"]
    assert one.follows == ("y",)
    assert ("relu at zero",) in [n.mistakes for n in one.findings[0].named]

    both = diagnose(model, [x], {"op0": hidden, "op1": wrong})
    assert [f.tensor for f in both.findings] == ["hidden layer", "y"]
    assert [n.mistakes for n in both.findings[1].named] == [("bias forgotten",)]


def test_a_mistake_is_found_from_the_output_alone() -> None:
    model, x = two_layers()
    first = model.main.operators[0]
    case = Case(model, (x,), 0, "two layers")
    outcome = planted(case, frozenset(("input zero point forgotten",)), output_only=True)
    assert outcome is not None
    assert outcome.named
    finding = diagnose(model, [x], {"y": np.zeros((1, 12), np.int8)}).first
    assert finding is not None
    assert finding.between == (first.where,)


def test_equal_values_of_any_type_and_shape() -> None:
    model, x = two_layers()
    y = tflite2x.Interpreter(model).run([x])[0]
    for mine in (y, y[0], y.astype(np.float64), y.astype(np.int32).reshape(-1)):
        result = diagnose(model, [x], {"y": mine})
        assert result.findings == ()
        assert result.equal == ("y",)
    assert render(diagnose(model, [x], {"y": y})).endswith("no difference")


def test_samples_add_evidence() -> None:
    model, x = two_layers()
    batch = np.concatenate([x, np.roll(x, 3), -1 - x])[:, None]
    (y,) = tflite2x.Interpreter(model).run_batch([batch])
    result = diagnose(model, [batch], {"y": y.astype(int) - 5}, batched=True)
    assert result.first is not None
    assert result.first.values == y.size
    assert result.first.certainty == "certain"
    assert result.first.named[0].mistakes == ("output zero point forgotten",)


def test_an_input_quantized_without_rounding_is_found_behind_the_layer() -> None:
    model, _ = two_layers()
    real = np.random.default_rng(1).normal(0, 2, (1, 24)).astype(np.float32)
    first = model.main.operators[0]
    steps = np.clip(real / np.float32(0.05) - 7, -128, 127)
    w = first.inputs[1].data.astype(np.float64)
    acc = (steps + 7) @ w.T * (float(np.float32(0.05)) * float(np.float32(0.01)) / float(np.float32(0.06)))
    hidden = np.clip(np.trunc(acc + np.copysign(0.5, acc)) - 20, -20, 127)
    integers = np.clip(np.rint(steps), -128, 127).astype(np.int8)
    found = diagnose(model, [integers], {"hidden layer": hidden}, real_inputs=[real])
    assert found.first is not None
    assert any(n.mistakes == ("not rounded",) for n in found.first.named), found.first


def test_axes_in_another_order_are_seen() -> None:
    rng = np.random.default_rng(4)
    case = random_case(rng, "CONV_2D")
    y = tflite2x.Interpreter(case.model).run(list(case.inputs))[0]
    found = diagnose(case.model, list(case.inputs), {"y": y.transpose(0, 3, 1, 2)})
    assert found.first is not None
    assert found.first.named[0].mistakes == ("NCHW",)
    other = diagnose(case.model, list(case.inputs), {"y": np.zeros((3, 5))}).first
    assert other is not None
    assert other.certainty == "shape"


def test_arrays_need_names_that_mean_something() -> None:
    model, x = two_layers()
    with pytest.raises(InputError, match="none of the arrays"):
        diagnose(model, [x], {"foo": np.zeros(7), "bar": np.zeros(3)})
    with pytest.raises(InputError, match="both stand for"):
        diagnose(model, [x], {"y": np.zeros(12), "tensor5": np.zeros(12)})
    y = tflite2x.Interpreter(model).run([x])[0]
    assert diagnose(model, [x], {"y": y, "rubbish": np.zeros(777)}).unmatched == ("rubbish",)


def test_the_other_contract_is_named_as_such() -> None:
    """TFLite Micro's numbers are no mistake, and the text says so."""
    rng = np.random.default_rng(11)
    for _ in range(60):
        case = random_case(rng, "FULLY_CONNECTED")
        micro = tflite2x.Interpreter(case.model, "double").run(list(case.inputs))[0]
        if not np.array_equal(micro, tflite2x.Interpreter(case.model).run(list(case.inputs))[0]):
            break
    found = diagnose(case.model, list(case.inputs), {"y": micro})
    assert found.first is not None
    assert ("double rounding",) in [n.mistakes for n in found.first.named]
    assert "TFLite Micro" in render(found)
    assert diagnose(case.model, list(case.inputs), {"y": micro}, rounding="double").findings == ()


def test_json_has_everything() -> None:
    model, x = two_layers()
    y = tflite2x.Interpreter(model).run([x])[0].astype(int) - 5
    text = json.dumps(diagnose(model, [x], {"y": y}).to_dict())
    finding = json.loads(text)["findings"][0]
    assert finding["certainty"] in ("certain", "likely")
    assert finding["named"][0]["mistakes"] == ["output zero point forgotten"]
    assert finding["examples"][0]["exact"].keys() >= {"sum", "rounded", "result"}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda e: e + 128, "shift by 128"), (lambda e: e - 9, "output zero point forgotten"),
        (lambda e: np.maximum(e, 0), "relu at zero"), (lambda e: np.clip(e, -100, 60), "clamp bounds"),
        (lambda e: -e, "sign"), (lambda e: e + 3, "constant"), (lambda e: e * 0.25 + 7.5, "other scale"),
    ],
)  # fmt: skip
def test_patterns_without_a_model(change: object, name: str) -> None:
    expected = np.random.default_rng(2).integers(-128, 128, (4, 25)).astype(np.int8)
    found = diagnose_arrays(expected, change(expected.astype(int)), zero_point=9).first  # type: ignore[operator]
    assert found is not None
    assert found.certainty in ("likely", "ambiguous")  # never certain without the arithmetic
    assert (name,) in [n.mistakes for n in found.named]


def test_patterns_without_a_model_admit_defeat() -> None:
    rng = np.random.default_rng(2)
    expected = rng.integers(-128, 128, (4, 25)).astype(np.int8)
    found = diagnose_arrays(expected, rng.permutation(expected.reshape(-1)).reshape(4, 25)).first
    assert found is not None
    assert found.certainty == "none"
    assert diagnose_arrays(expected, expected).findings == ()


def test_values_that_are_no_numbers_are_a_difference_like_others() -> None:
    model, x = two_layers()
    for mine in (np.full((1, 12), np.nan), np.full((1, 12), np.inf), np.full((1, 12), 1e30)):
        result = diagnose(model, [x], {"y": mine})
        assert result.first is not None
        assert result.first.certainty in ("none", "partial")
        assert "12 of 12 values differ" in render(result)
        json.dumps(result.to_dict())
    assert diagnose_arrays(np.zeros(4), np.full(4, np.nan)).first is not None


def test_equal_values_that_are_no_numbers_are_no_difference() -> None:
    special = np.array([[1.0, np.nan, np.inf, -np.inf, 2.0, 3.0]], np.float32)
    assert diagnose_arrays(special, special.copy()).findings == ()
    first = diagnose_arrays(special, special + np.float32(1)).first
    assert first is not None
    assert (first.differing, first.largest) == (3, 1.0)
    m = tflite2x.Model.new()
    g = m.main
    x, y = g.add_input("x", (1, 6), "float32"), g.add_tensor("y", (1, 6), "float32")
    g.add_operator("ABS", [x], [y])
    g.set_outputs([y])
    assert diagnose(m, [special], {"y": np.abs(special)}).equal == ("y",)
    found = diagnose(m, [special], {"y": np.abs(special) + np.float32(2)}).first
    assert found is not None
    assert (found.differing, found.largest) == (3, 2.0)


def test_real_numbers_of_a_quantized_tensor_are_compared_as_integers() -> None:
    model, x = two_layers()
    y_tensor = model.main.outputs[0]
    q = y_tensor.quantization
    y = tflite2x.Interpreter(model).run([x])[0]
    real = (y.astype(np.float32) - np.float32(q.zero_point[0])) * q.scale[0]
    assert diagnose(model, [x], {"y": real}).equal == ("y (given as real numbers)",)
    shifted = (np.clip(y.astype(int) - 5, -128, 127) - q.zero_point[0]) * q.scale[0]
    first = diagnose(model, [x], {"y": shifted}).first
    assert first is not None
    assert "real numbers" in first.note
    assert ("output zero point forgotten",) in [n.mistakes for n in first.named]


def test_a_lone_difference_is_not_called_one_of_several() -> None:
    model, x = two_layers()
    y = tflite2x.Interpreter(model).run([x])[0].astype(int)
    y[0, 0] += 1
    found = diagnose(model, [x], {"y": y})
    assert found.first is not None
    assert (found.first.certainty, [n.mistakes for n in found.first.named]) == ("ambiguous", [("ceil",)])
    assert "POSSIBLY" in render(found)
    assert "ONE OF THESE" not in render(found)
