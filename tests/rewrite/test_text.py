# SPDX-License-Identifier: Apache-2.0
"""The text form of pipelines: typed options, round trip, and errors that point at the place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite2x import passes
from tflite2x.errors import FileAccessError, PipelineError
from tflite2x.ir import Model
from tflite2x.passes.fixpoint import Fixpoint
from tflite2x.rewrite import Pass, PassResult, Pipeline, register_pass


@register_pass
@dataclasses.dataclass(frozen=True)
class Options(Pass):
    """A pass that has every type of option."""

    name: ClassVar[str] = "test-options"
    count: int = 3
    ratio: float = 0.5
    fast: bool = False
    level: Literal["low", "best", 2021] = "low"
    label: str = "x"
    limit: int | None = None
    any_of: int | str = 0
    names: tuple[str, ...] = ()
    pair: tuple[int, float] = (1, 2.0)

    def run(self, model: Model) -> PassResult:
        return PassResult()


@register_pass
@dataclasses.dataclass(frozen=True)
class Checked(Pass):
    """A pass that checks its own options, one of which has no default."""

    name: ClassVar[str] = "test-checked"
    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n is {self.n} and must be positive")

    def run(self, model: Model) -> PassResult:
        return PassResult()


def only(text: str) -> Pass:
    (found,) = Pipeline.parse(text).passes
    return found


def test_options_get_their_types() -> None:
    text = (
        'test-options{count=0x10 ratio=1e-3, fast level=2021 label="a b, \\"c\\" {}" '
        "limit=7 any-of=q names=[a,b c] pair=[2 3]}"
    )
    assert only(text) == Options(
        16, 1e-3, True, 2021, 'a b, "c" {}', 7, "q", ("a", "b", "c"), (2, 3.0)
    )  # fmt: skip


def test_defaults_are_not_printed() -> None:
    assert str(Pipeline([Options(), Options(fast=True, limit=4)])) == "test-options,test-options{fast limit=4}"


def test_underscores_are_accepted_in_keys() -> None:
    assert only("test-options{any_of=3}") == Options(any_of=3)


def test_fixpoint_nests() -> None:
    text = "fixpoint{limit=5}(test-options,fixpoint(test-options{fast}))"
    assert only(text) == Fixpoint((Options(), Fixpoint((Options(fast=True),))), limit=5)
    assert str(Pipeline.parse(text)) == text


def test_empty_pipeline() -> None:
    assert Pipeline.parse("  ") == Pipeline() == Pipeline([])


words = st.text(max_size=8)
options = st.builds(
    Options,
    count=st.integers(),
    ratio=st.floats(allow_nan=False),
    fast=st.booleans(),
    level=st.sampled_from(["low", "best", 2021]),
    label=words,
    limit=st.none() | st.integers(),
    any_of=st.integers() | words,
    names=st.lists(words, max_size=3).map(tuple),
    pair=st.tuples(st.integers(), st.floats(allow_nan=False)),
)


@given(st.lists(options | st.builds(Fixpoint, st.lists(options, min_size=1, max_size=2).map(tuple)), max_size=3))
def test_round_trip(passes: list[Pass]) -> None:
    pipeline = Pipeline(passes)
    assert Pipeline.parse(str(pipeline)) == pipeline


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("test-optoins", 0, "no pass 'test-optoins'"),
        ("test-options,", 12, "missing behind the comma"),
        ("test-options,,test-options", 13, "expected the name of a pass but found ','"),
        ("test-options test-options", 13, "unexpected 't'"),
        ("test-options}", 12, "unexpected '}'"),
        ("test-options{count=3", 12, "'{' is not closed"),
        ("test-options{names=[a", 19, "'[' is not closed"),
        ('test-options{label="a', 19, "quotation mark is not closed"),
        ("fixpoint(test-options", 8, "'(' is not closed"),
        ("test-options{nope=3}", 13, "no option 'nope'"),
        ("test-options{count=3 count=4}", 21, "given twice"),
        ("test-options{count=x}", 19, "'x' does not fit option 'count'"),
        ("test-options{count}", 18, "'true' does not fit"),
        ("test-options{level=high}", 19, "does not fit option 'level'"),
        ("test-options{fast=perhaps}", 18, "does not fit option 'fast'"),
        ("test-options{count=}", 19, "expected a value but found '}'"),
        ("test-options{pair=[1]}", 18, "does not fit option 'pair'"),
        ("test-options(test-options)", 0, "takes no passes"),
        ("test-options,fixpoint", 13, "needs passes in parentheses"),
        ("test-checked", 0, "cannot be made"),
        ("test-checked{n=0}", 0, "n is 0 and must be positive"),
    ],
)
def test_errors_point_at_the_place(text: str, column: int, what: str) -> None:
    with pytest.raises(PipelineError) as caught:
        Pipeline.parse(text)
    assert what in str(caught.value)
    _, shown, caret = str(caught.value).rsplit("\n", 2)
    assert shown == f"  {text}"
    assert caret.index("^") == column + 2


def test_suggestion() -> None:
    with pytest.raises(PipelineError, match="Did you mean 'test-options'"):
        Pipeline.parse("test-optoins")


def test_value_errors_say_what_fits() -> None:
    with pytest.raises(PipelineError, match="It takes one of low, best, 2021"):
        Pipeline.parse("test-options{level=high}")


def test_recipe_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.txt").write_text("test-options{fast}  # the last line has no end")
    recipe = tmp_path / "recipe.txt"
    recipe.write_text(
        "# what we always do\n\ntest-options  # first\n  test-options{count=4\n     limit=2}\n@sub/more.txt\n"
    )
    want = Pipeline([Options(), Options(count=4, limit=2), Options(fast=True)])
    assert Pipeline.parse(f"@{recipe}") == want
    assert Pipeline.parse("@recipe.txt", base=tmp_path) == want


def test_recipe_errors_name_file_and_line(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.txt"
    recipe.write_text("test-options\ntest-options{count=many}\n")
    with pytest.raises(PipelineError) as caught:
        Pipeline.parse(f"@{recipe}")
    assert caught.value.where == f"{recipe}:2:20"
    assert str(caught.value).endswith(f"  test-options{{count=many}}\n{' ' * 21}^")


def test_recipe_that_is_missing_or_endless(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match="No such file"):
        Pipeline.parse("@nothing.txt", base=tmp_path)
    (tmp_path / "loop.txt").write_text("@loop.txt")
    with pytest.raises(PipelineError, match="include each other"):
        Pipeline.parse("@loop.txt", base=tmp_path)


def test_options_that_a_pass_refuses() -> None:
    with pytest.raises(PipelineError, match=r"threads is 9\. Choose 1 to 5\.\n  xc-fc") as caught:
        Pipeline.parse("xc-fc{threads=9}")
    assert ".." not in str(caught.value)
    with pytest.raises(PipelineError, match="limit is 1; "):
        Pipeline.parse("fixpoint{limit=1}(cleanup)")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: passes.XcFc(params="nope"), "pass xc-fc: option 'params' is 'nope'. It takes one of best, 2021."),
        (lambda: passes.XcFc(threads=2.5), "option 'threads' is 2.5. It takes a whole number."),
        (lambda: passes.StripFloatIO(inputs="no"), "option 'inputs' is 'no'. It takes true or false."),
        (lambda: passes.RenameTensors(old="a", new="b"), "option 'old' is 'a'. It takes a list [..] of values"),
        (lambda: passes.FoldConstants(growth=None), "option 'growth' is None. It takes a whole number."),
        (lambda: passes.Fixpoint(passes=("cleanup",)), "It takes passes in a tuple, such as (Cleanup(),)."),
        (lambda: "cleanup", "'cleanup' is not a pass. Give objects, such as [Cleanup()]"),
        (lambda: passes.Cleanup, "is not a pass"),
    ],
)
def test_options_given_in_python_are_checked(make: Any, text: str) -> None:
    with pytest.raises(PipelineError) as caught:
        Pipeline([make()])
    assert text in str(caught.value)


def test_lists_and_numbers_of_numpy_print_back() -> None:
    pipeline = Pipeline([passes.SetShape(shape=[1, 16]), passes.SetBatch(n=np.int64(3))])  # type: ignore[arg-type]
    assert str(pipeline) == "set-shape{shape=[1 16]},set-batch{n=3}"
    assert str(Pipeline.parse(str(pipeline))) == str(pipeline)
    with pytest.raises(PipelineError, match="option 'params'"):
        passes.XcFc(params="nope")(Model.new())  # type: ignore[arg-type]


def test_recipe_of_another_editor(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes(b"\xef\xbb\xbftest-options{count=4\r\n}\r\ntest-options\r\n")
    assert Pipeline.parse("@r.txt", base=tmp_path) == Pipeline([Options(count=4), Options()])
