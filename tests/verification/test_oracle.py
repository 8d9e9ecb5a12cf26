# SPDX-License-Identifier: Apache-2.0
"""LiteRT beside the interpreter: signatures, state, strings, and what it is not asked about."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain
from tests.verification.test_state_and_subgraphs import branches, counter
from tflite2x import Pipeline, Verify
from tflite2x.interpreter import Interpreter, registry
from tflite2x.ir import Model
from tflite2x.passes.strip_float_io import StripFloatIO
from tflite2x.verification import oracle
from tflite2x.verification.running import make_batches

pytest.importorskip("ai_edge_litert")


def opinion(model: Model, samples: int = 4) -> str:
    batches, outputs, _ = make_batches(Interpreter(model), Verify(samples))
    return oracle.second_opinion(model, batches, outputs)


def two_entries() -> Model:
    model = chain(2, float_io=False)
    other = model.add_subgraph("other")
    x, y = other.add_input("x", (2, 3), "float32"), other.add_tensor("y", (2, 3), "float32")
    z = other.add_tensor("z", (2, 3), "float32")
    other.add_operator("NEG", [x], [y])
    other.add_operator("ABS", [y], [z])
    other.set_outputs([z, y])
    model.add_signature("other", other, inputs={"given": x}, outputs={"negative": y, "size": z})
    return model


def test_all_signatures_are_asked() -> None:
    assert opinion(two_entries()) == "LiteRT agrees on 8 samples"


def test_outputs_without_a_name_are_not_asked() -> None:
    model = two_entries()
    signature = model.signatures[1]
    signature.output_entries = signature.output_entries[:1]
    said = opinion(model)
    assert said.startswith("LiteRT agrees on 4 samples; LiteRT was not asked: subgraphs[1]: no signature names")


def test_state_is_followed_through_calls() -> None:
    assert opinion(counter(), 12) == f"LiteRT agrees on {2 * oracle.STATES} samples, 3 calls in a row each"


def test_a_disagreement_over_state_is_reported() -> None:
    model = counter()
    batches, outputs, _ = make_batches(Interpreter(model), Verify(4))
    outputs[1][0] = np.array(outputs[1][0])
    outputs[1][0][-1] += 1  # the last of three calls
    assert oracle.second_opinion(model, batches, outputs).startswith("LiteRT DISAGREES with the interpreter")


def test_strings() -> None:
    model = Model.build(
        "EQUAL", [{"shape": (3,), "dtype": "string"}] * 2, [{"shape": (3,), "dtype": "bool"}],
    )  # fmt: skip
    assert opinion(model) == "LiteRT agrees on 4 samples"


def test_called_subgraphs_and_open_shapes() -> None:
    assert opinion(branches()) == "LiteRT agrees on 4 samples"
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 4), "float32", shape_signature=(-1, 4))
    y = g.add_tensor("y", (1, 4), "float32", shape_signature=(-1, 4))
    g.add_operator("NEG", [x], [y])
    g.set_outputs([y])
    assert opinion(model) == "LiteRT agrees on 6 samples"


@pytest.mark.parametrize("every", ["pass", "end"])
def test_both_models_are_asked(every: str) -> None:
    report = Pipeline([StripFloatIO()]).run(chain(), Verify(4, every=every, oracle="litert"))  # type: ignore[arg-type]
    assert report.total is not None
    assert report.passes[0].verdict is not None
    notes = report.passes[0].verdict.notes + report.total.notes
    assert notes == ["before: LiteRT agrees on 4 samples", "after: LiteRT agrees on 4 samples"]


def test_an_unknown_operator_is_what_litert_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CUSTOM_KERNELS", dict(registry.CUSTOM_KERNELS))
    model = Model.build("NOBODY_KNOWS", [{"shape": (1,), "dtype": "float32"}], [{"shape": (1,), "dtype": "float32"}])
    tflite2x.register_kernel("NOBODY_KNOWS", lambda op, inputs: inputs[0], replace=True)
    assert "LiteRT was not asked: " in opinion(model)
