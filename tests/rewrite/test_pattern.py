# SPDX-License-Identifier: Apache-2.0
"""The pattern language: what matches, and the reason when something does not."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest

import tflite2x
from tflite2x import Pass, Pipeline, Verify
from tflite2x.errors import PassError
from tflite2x.ir import Model, Operator
from tflite2x.rewrite import PatternPass
from tflite2x.rewrite.matcher import Match, Refusal, match
from tflite2x.rewrite.pattern import Pattern, build
from tflite2x.schema.enums import ActivationFunctionType
from tflite2x.schema.tables import AddOptions, FullyConnectedOptions, MulOptions, SplitOptions, SubOptions

SHAPE = (1, 4)


class Graph:
    """Builds float graphs in one line per operator."""

    def __init__(self) -> None:
        self.model = Model.new()
        self.g = self.model.main
        self.count = 0

    def input(self) -> Any:
        return self.g.add_input(f"in{len(self.g.inputs)}", SHAPE, "float32")

    def const(self, value: float = 1.0) -> Any:
        self.count += 1
        return self.g.add_constant(f"c{self.count}", np.full(SHAPE, value, np.float32))

    def op(self, code: str, *inputs: Any, options: Any = None, outputs: int = 1) -> Any:
        made = []
        for _ in range(outputs):
            self.count += 1
            made.append(self.g.add_tensor(f"t{self.count}", SHAPE, "float32"))
        self.g.add_operator(code, inputs, made, options)
        return made[0] if outputs == 1 else made

    def done(self, *outputs: Any) -> Model:
        self.g.set_outputs(outputs)
        return self.model


def at(function: Any, op: Operator) -> Match:
    import inspect

    return match(build(function, list(inspect.signature(function).parameters)[1:]), op)


def reason(function: Any, op: Operator) -> str:
    with pytest.raises(Refusal) as caught:
        at(function, op)
    return str(caught.value)


def test_names_bind_tensors_and_operators() -> None:
    b = Graph()
    x, c = b.input(), b.const()
    y = b.op("NEG", b.op("MUL", x, c, options=MulOptions()))
    b.done(y)
    found = at(lambda p, a, k: p.NEG(p.MUL(a, p.constant(k), op="mul", out="product"), op="neg"), y.producer)
    assert (found.a, found.k, found.outputs) == (x, c, (y,))
    assert (found.mul.name, found.neg.name, found.product.name) == ("MUL", "NEG", y.producer.inputs[0].name)
    assert {op.name for op in found.operators} == {"MUL", "NEG"}
    with pytest.raises(AttributeError, match="binds no 'other'"):
        found.other  # noqa: B018


def test_commutative_operators_match_both_ways() -> None:
    b = Graph()
    x, c = b.input(), b.const()
    y = b.op("ADD", c, b.op("NEG", x), options=AddOptions())
    z = b.op("SUB", c, b.op("NEG", x), options=SubOptions())
    b.done(y, z)
    assert at(lambda p, a, k: p.ADD(p.NEG(a), p.constant(k)), y.producer).a is x
    assert "is a constant, not the output of NEG" in reason(lambda p, a, k: p.SUB(p.NEG(a), k), z.producer)
    assert at(lambda p, a, k: p.SUB(p.NEG(a), k, commutative=True), z.producer).k is c


def test_one_name_is_one_tensor() -> None:
    b = Graph()
    x, u = b.input(), b.input()
    y = b.op("MUL", x, x, options=MulOptions())
    z = b.op("MUL", x, u, options=MulOptions())
    b.done(y, z)
    assert at(lambda p, a: p.MUL(a, a), y.producer).a is x
    assert reason(lambda p, a: p.MUL(a, a), z.producer).endswith("should be the same as 'a'")


def test_options_types_and_constants() -> None:
    b = Graph()
    x = b.input()
    w = b.g.add_constant("w", np.ones((4, 4), np.float32))
    relu = FullyConnectedOptions(fused_activation_function=ActivationFunctionType.RELU)
    y = b.op("FULLY_CONNECTED", x, w, None, options=relu)
    b.done(y)
    op = y.producer

    def plain(p: Any, a: Any, w: Any, bias: Any) -> Any:
        none = ActivationFunctionType.NONE
        return p.FULLY_CONNECTED(a, w, p.optional(bias), fused_activation_function=none)

    assert reason(plain, op) == f"fused_activation_function of {op.where} is RELU, not NONE"
    accepted = at(
        lambda p, a, w, bias: p.FULLY_CONNECTED(
            p.where(a, dtype="float32", rank=2, quantized=False),
            p.constant(w),
            p.optional(bias),
            fused_activation_function=lambda v: v.name.startswith("RELU"),
        ),
        op,
    )
    assert accepted.bias is None
    assert reason(lambda p, a, w, c: p.FULLY_CONNECTED(a, w, c), op) == f"input 2 of {op.where} (c) is absent"
    assert reason(lambda p, a, w: p.FULLY_CONNECTED(p.where(a, dtype="int8"), w, None), op).endswith(
        "is float32, not int8"
    )
    assert "not 3 dimensions" in reason(lambda p, a, w: p.FULLY_CONNECTED(p.where(a, rank=3), w, None), op)
    assert reason(lambda p, a, w: p.FULLY_CONNECTED(p.constant(a), w, None), op).endswith("('in0') is not a constant")
    assert reason(lambda p, a, w: p.FULLY_CONNECTED(a, p.computed(w), None), op).endswith("('w') is a constant")
    assert reason(lambda p, a: p.FULLY_CONNECTED(a), op) == f"{op.where} has 3 inputs, not 1"
    assert reason(lambda p, a: p.FULLY_CONNECTED(p.where(a, quantized=True), p.rest(a)), op).endswith("has 0 scales")


def test_rest_takes_all_inputs() -> None:
    b = Graph()
    x, u, c = b.input(), b.input(), b.const()
    y = b.op("CONCATENATION", x, u, c)
    b.done(y)
    assert at(lambda p, first, others: p.CONCATENATION(first, p.rest(others)), y.producer).others == (u, c)


def test_several_outputs() -> None:
    b = Graph()
    x = b.input()
    axis = b.g.add_constant("axis", np.array(1, np.int32))
    first, second = b.op("SPLIT", axis, x, options=SplitOptions(num_splits=2), outputs=2)
    y, z = b.op("NEG", first), b.op("ABS", second)
    b.done(y, z)

    def split(p: Any, axis: Any, x: Any) -> Any:
        one, two = p.SPLIT(axis, x, outputs=2)
        return p.NEG(one), p.ABS(two)

    def crossed(p: Any, axis: Any, x: Any) -> Any:
        one, two = p.SPLIT(axis, x, outputs=2)
        return p.NEG(two), p.ABS(one)

    found = at(split, y.producer)
    assert found.outputs == (y, z)
    assert len(found.operators) == 3
    assert reason(crossed, y.producer).endswith("is not output 1 of subgraphs[0].operators[0] (SPLIT)")


def test_branches_that_share_an_input() -> None:
    b = Graph()
    x = b.input()
    y, z = b.op("NEG", x), b.op("ABS", x)
    b.done(y, z)
    assert at(lambda p, a: (p.NEG(a), p.ABS(a)), y.producer).outputs == (y, z)
    assert reason(lambda p, a: (p.NEG(a), p.EXP(a)), y.producer) == "nothing reads these values that is EXP"


def test_interior_with_other_users_or_outputs() -> None:
    b = Graph()
    x = b.input()
    inner = b.op("NEG", x)
    y = b.op("ABS", inner)
    other = b.op("EXP", inner)
    model = b.done(y, other)

    def pattern(p: Any, a: Any) -> Any:
        return p.ABS(p.NEG(a))

    assert (
        reason(pattern, y.producer) == f"'{inner.name}' inside of the match is read by {other.producer.where} as well"
    )
    b.g.set_outputs([y, inner])
    b.g.remove_operator(other.producer)
    assert reason(pattern, y.producer) == f"'{inner.name}' inside of the match is an output of the graph"
    assert at(lambda p, a: p.ABS(p.NEG(a, keep=True)), y.producer).operators == [y.producer]
    b.g.set_outputs([y])
    assert at(pattern, y.producer).a is model.main.inputs[0]


def test_custom_operators_and_alternatives() -> None:
    b = Graph()
    x = b.input()
    y = b.op("MY_OP", b.op("RELU", x))
    b.done(y)
    assert at(lambda p, a: p("MY_OP")(p.any_of("RELU", "RELU6")(a)), y.producer).a is x
    assert reason(lambda p, a: p("MY_OP")(p.any_of("NEG", "ABS")(a)), y.producer).endswith("not from ABS or NEG")


def test_misspelt_operators_are_errors() -> None:
    with pytest.raises(AttributeError, match="there is no operator CONV2D"):
        build(lambda p, a: p.CONV2D(a), ["a"])
    with pytest.raises(TypeError, match="a pattern returns the output of an operator"):
        build(lambda p, a: a, ["a"])
    assert isinstance(build(lambda p, a: p.NEG(a), ["a"]), Pattern)


@dataclasses.dataclass(frozen=True)
class MulToAdd(PatternPass):
    """x * 2 becomes x + x."""

    name: ClassVar[str] = "test-mul-to-add"

    def pattern(self, p: Any, x: Any, two: Any) -> Any:
        return p.MUL(x, p.constant(two), out="y")

    def check(self, m: Match) -> None:
        m.require((np.asarray(m.two.data) == 2).all(), f"'{m.two.name}' holds {np.unique(m.two.data).tolist()}")

    def rewrite(self, m: Match, b: Any) -> Any:
        return b.ADD(m.x, m.x, like=m.y, options=AddOptions())


def test_rewrite_and_verify() -> None:
    b = Graph()
    x = b.input()
    y = b.op("MUL", b.op("MUL", b.const(2), x, options=MulOptions()), b.const(3), options=MulOptions())
    model = b.done(b.op("MUL", y, b.const(2), options=MulOptions()))
    report = Pipeline([MulToAdd()]).run(model, Verify())
    assert [op.name for op in b.g.operators] == ["ADD", "MUL", "ADD"]
    assert [r.where for r in report.passes[0].result.replaced] == [
        "subgraphs[0].operators[0] (MUL)",
        "subgraphs[0].operators[2] (MUL)",
    ]
    assert [reason for _, _, reason in report.left_alone()] == [f"'{y.producer.inputs[1].name}' holds [3.0]"]
    assert [c.replaced for c in MulToAdd().candidates(tflite2x.loads(tflite2x.dumps(model)))] == [False]


def test_nested_matches_need_several_rounds() -> None:
    """NEG of NEG, five times: each rewrite makes the next match."""

    @dataclasses.dataclass(frozen=True)
    class DoubleNeg(PatternPass):
        name: ClassVar[str] = "test-double-neg"

        def pattern(self, p: Any, x: Any) -> Any:
            return p.NEG(p.NEG(x))

        def rewrite(self, m: Match, b: Any) -> Any:
            return m.x

    b = Graph()
    value = b.op("ABS", b.input())
    for _ in range(11):
        value = b.op("NEG", value)
    model = b.done(value)
    Pipeline([DoubleNeg()]).run(model, Verify())
    assert [op.name for op in b.g.operators] == ["ABS", "NEG"]
    assert b.g.outputs[0].name == value.name


def test_rewrites_without_end_are_stopped() -> None:
    @dataclasses.dataclass(frozen=True)
    class Grow(PatternPass):
        name: ClassVar[str] = "test-grow"

        def pattern(self, p: Any, x: Any) -> Any:
            return p.NEG(x, out="y")

        def rewrite(self, m: Match, b: Any) -> Any:
            return b.NEG(b.NEG(b.NEG(m.x, like=m.y), like=m.y), like=m.y)

    b = Graph()
    model = b.done(b.op("NEG", b.input()))
    before = tflite2x.dumps(model)
    with pytest.raises(PassError, match="keep making new matches"):
        Pipeline([Grow()]).run(model)
    assert tflite2x.dumps(model) == before


def test_a_refused_rewrite_leaves_nothing_behind() -> None:
    @dataclasses.dataclass(frozen=True)
    class ChangesItsMind(PatternPass):
        name: ClassVar[str] = "test-changes-its-mind"

        def pattern(self, p: Any, x: Any) -> Any:
            return p.NEG(x, out="y")

        def rewrite(self, m: Match, b: Any) -> Any:
            b.MUL(m.x, b.constant(np.full(SHAPE, -1, np.float32)), like=m.y)
            m.refuse("on second thought")

    b = Graph()
    model = b.done(b.op("NEG", b.input()))
    tensors = len(model.main.tensors)
    report = Pipeline([ChangesItsMind()]).run(model, Verify())
    assert [op.name for op in model.main.operators] == ["NEG"]
    assert len(model.main.tensors) == tensors
    assert [reason for _, _, reason in report.left_alone()] == ["on second thought"]


def test_a_pattern_pass_is_a_pass() -> None:
    assert isinstance(MulToAdd(), Pass)
    assert str(MulToAdd()) == "test-mul-to-add"


@dataclasses.dataclass(frozen=True)
class ReturnsReason(PatternPass):
    """Refuse by returning the reason."""

    name: ClassVar[str] = "returns-reason"

    def pattern(self, p: Any, x: Any) -> Any:
        return p.NEG(x, out="y")

    def check(self, m: Match) -> str | None:
        return f"'{m.y.name}' stays" if m.y.is_output else None

    def rewrite(self, m: Match, b: Any) -> Any:
        return b.ABS(m.x, like=m.y)


def test_check_may_return_its_reason() -> None:
    b = Graph()
    y = b.op("NEG", b.op("NEG", b.input()))
    model = b.done(y)
    (first, second) = ReturnsReason().candidates(model)
    assert (first.replaced, second.replaced, second.reason) == (True, False, f"'{y.name}' stays")
    report = Pipeline([ReturnsReason()]).run(model)
    assert [op.name for op in model.main.operators] == ["ABS", "NEG"]
    assert report.left_alone() == [("returns-reason", "subgraphs[0].operators[1] (NEG)", f"'{y.name}' stays")]


@dataclasses.dataclass(frozen=True)
class Faulty(PatternPass):
    """Make one of the mistakes that authors make."""

    name: ClassVar[str] = "faulty"
    mistake: str = ""

    def requires(self, model: Model) -> None:
        if self.mistake == "requires":
            raise self.error("not this model")

    def pattern(self, p: Any, x: Any) -> Any:
        if self.mistake == "type":
            x = p.where(x, dtype="int9")
        return p.NEG(p.NEG(x, out="t"), out="y")

    def check(self, m: Match) -> None:
        if self.mistake == "name":
            m.require(m.other, "")

    def rewrite(self, m: Match, b: Any) -> Any:
        if self.mistake == "like":
            return b.ABS(m.x)
        return m.t


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        ("requires", "not this model"),
        ("type", "there is no type int9"),
        ("name", "the pattern binds no 'other'"),
        ("like", "missing 1 required keyword-only argument: 'like'"),
        ("", "returns 't1', which the match takes away"),
    ],
)
def test_mistakes_are_named_by_why_and_by_run(mistake: str, text: str) -> None:
    b = Graph()
    model = b.done(b.op("ABS", b.op("NEG", b.op("NEG", b.input()))))
    with pytest.raises(PassError, match="pass faulty") as caught:
        Faulty(mistake).candidates(model)
    assert text in str(caught.value)
    with pytest.raises(PassError, match="pass faulty") as caught:
        Faulty(mistake)(model)
    assert text in str(caught.value)


def test_a_misspelled_option_is_said() -> None:
    b = Graph()
    y = b.op("ADD", b.input(), b.input(), options=AddOptions())
    b.done(y)
    why = reason(lambda p, u, v: p.ADD(u, v, fused_activation=0), y.producer)
    assert "has no option 'fused_activation'; it has fused_activation_function, pot_scale_int16" in why


def test_conditions_on_a_value_add_up() -> None:
    b = Graph()
    y = b.op("NEG", b.input())
    b.done(y)
    why = reason(lambda p, x: p.NEG(p.where(p.where(x, dtype="int8"), rank=2)), y.producer)
    assert "is float32, not int8" in why


@dataclasses.dataclass(frozen=True)
class OneForTwo(PatternPass):
    """Give both halves of a SPLIT the same value."""

    name: ClassVar[str] = "one-for-two"
    fresh: bool = True

    def pattern(self, p: Any, axis: Any, x: Any) -> Any:
        return p.SPLIT(axis, p.NEG(x, op="neg", keep=True), outputs=2, op="split")

    def rewrite(self, m: Match, b: Any) -> Any:
        value = b.ABS(m.neg.outputs[0], like=m.outputs[0]) if self.fresh else m.neg.outputs[0]
        return value, value


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("listed", [(), (0,), (1,), (0, 1)])
def test_one_value_for_two_outputs(fresh: bool, listed: tuple[int, ...]) -> None:
    b = Graph()
    axis = b.g.add_constant("axis", np.array(0, np.int32))
    halves = b.op("SPLIT", axis, b.op("NEG", b.input()), options=SplitOptions(num_splits=2), outputs=2)
    last = b.op("SUB", *halves, options=SubOptions())
    model = b.done(last, *(halves[i] for i in listed))
    result = OneForTwo(fresh)(model)
    kinds = [op.name for op in model.main.operators]
    if len(listed) == 2:
        assert "would be another output once more" in result.left_alone[0].reason
        assert kinds == ["NEG", "SPLIT", "SUB"]
        return
    assert kinds == (["NEG", "ABS", "SUB"] if fresh else ["NEG", "SUB"])
    (operands,) = {tuple(op.inputs) for op in model.main.operators if op.name == "SUB"}
    assert operands[0] is operands[1]
    assert operands[0].producer is model.main.operators[-2]
    assert model.main.outputs[1:] == tuple(halves[i] for i in listed)
    tflite2x.loads(tflite2x.dumps(model)).check()
