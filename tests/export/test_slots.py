# SPDX-License-Identifier: Apache-2.0
"""Memory for intermediate results is reused, and never while its value is still needed."""

from __future__ import annotations

from pathlib import Path

import pytest

import tflite2x
from tests.export.zoo import streaming, zoo
from tflite2x.export.slots import assign
from tflite2x.program import Program, Value, lower


def programs(models: Path) -> list[Program]:
    names = ("cnn_int8", "dscnn_int8", "kws_int8", "mlp_uint8")
    return [lower(m) for m in (zoo(), streaming(), *(tflite2x.load(models / f"{n}.tflite") for n in names))]


def test_no_value_is_overwritten_while_it_is_needed(models: Path) -> None:
    for program in programs(models):
        slots, home = assign(program)
        holds: dict[str, Value] = {}
        for step in program.steps:
            for value in step.inputs:
                if isinstance(value, Value) and value in home:
                    assert holds[home[value].name] is value
            if step.output in home:
                slot = home[step.output]
                assert slot.size >= step.output.size
                assert slot.dtype == step.output.dtype
                assert all(home.get(v) is not slot for v in step.inputs if isinstance(v, Value))
                holds[slot.name] = step.output
        for value in program.outputs:
            if isinstance(value, Value) and value in home:
                assert holds[home[value].name] is value
        assert len({s.name for s in slots}) == len(slots)


@pytest.mark.parametrize("name", ["cnn_int8", "dscnn_int8"])
def test_a_chain_of_layers_needs_two_buffers(models: Path, name: str) -> None:
    program = lower(tflite2x.load(models / f"{name}.tflite"))
    slots, home = assign(program)
    assert len(slots) == 2
    assert sum(s.size for s in slots) < sum(v.size for v in home)


def test_names_are_identifiers_and_differ() -> None:
    program = lower(zoo())
    names = [v.name for v in program.inputs]
    assert names == ["x_2", "stateful_call_0_y", "u", "static_", "acc_2", "f"]
    everything = names + [c.name for c in program.constants] + list({s.output.name for s in program.steps})
    assert len(set(everything)) == len(everything)
    assert all(n.isidentifier() and n.isascii() for n in everything)
