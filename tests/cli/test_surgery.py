# SPDX-License-Identifier: Apache-2.0
"""``tflite2x extract``, ``diff``, ``set-metadata`` and ``why``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.passes.test_cleanup import stateful
from tflite2x.cli import main
from tflite2x.errors import FormatError
from tflite2x.explain.diff import diff
from tflite2x.schema.tables import AssignVariableOptions, VarHandleOptions


@pytest.fixture
def model(models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(models / "cnn_int8.tflite", tmp_path / "m.tflite"))


def test_extract_runs_and_computes_the_same(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = tflite2x.load(model)
    ops = loaded.main.operators
    source, target = ops[2].inputs[0], ops[4].outputs[0]
    assert source is not None
    assert source.name is not None
    assert main(["extract", str(model), "--from", source.name, "--to", f"#{target.index}"]) == 0
    part = model.with_name("m.part.tflite")
    assert "3 operators, 1 inputs, 1 outputs" in capsys.readouterr().out
    x = np.random.default_rng(0).integers(-128, 128, loaded.main.inputs[0].shape).astype(np.int8)
    trace = tflite2x.Interpreter(loaded).trace([x])
    (got,) = litert_run(part, [trace[source]])
    np.testing.assert_array_equal(got, trace[target])
    assert part.stat().st_size < model.stat().st_size


def test_extract_defaults_to_the_interface(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logits = tflite2x.load(model).main.operators[0].outputs[0]
    assert main(["extract", str(model), "--to", str(logits.name)]) == 0
    part = tflite2x.load(model.with_name("m.part.tflite"))
    assert [op.name for op in part.main.operators] == ["CONV_2D"]
    assert "wrote" in capsys.readouterr().out


def test_extract_errors(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = tflite2x.load(model)
    last = loaded.main.operators[-1].outputs[0]
    first = loaded.main.operators[0].outputs[0]
    cases = [
        (["--from", "serving_default_imag"], "Did you mean 'serving_default_image:0'?"),
        (["--from", "#999"], "has no tensor #999"),
        (["--subgraph", "3"], "has no subgraph 3"),
        (["--from", str(last.name), "--to", str(first.name)], "the outputs need the input 'serving_default_image:0'"),
    ]
    for arguments, text in cases:
        assert main(["extract", str(model), *arguments]) == 2
        assert text in capsys.readouterr().err
    assert [p.name for p in model.parent.iterdir()] == ["m.tflite"]


def changes(path: Path, edit: object) -> list[str]:
    other = tflite2x.load(path)
    edit(other)  # type: ignore[operator]
    return [f"{c.kind}: {c.what}" for c in diff(tflite2x.load(path), tflite2x.loads(tflite2x.dumps(other)))]


def test_diff_of_equal_models(model: Path) -> None:
    assert main(["diff", str(model), str(model)]) == 0


def test_diff_does_not_mind_order(model: Path) -> None:
    def shuffle(m: tflite2x.Model) -> None:
        g = m.main
        g._tensors.reverse()
        m._operator_codes.reverse()
        m.add_buffer(b"unused")
        g._forget()

    assert changes(model, shuffle) == []


def test_diff_names_what_changed(model: Path) -> None:
    def weight(m: tflite2x.Model) -> None:
        t = m.main.operators[0].inputs[1]
        assert t is not None
        data = np.array(t.data)
        data[1, 0, 2, 0] += 1
        t.data = data

    def scale(m: tflite2x.Model) -> None:
        t = m.main.operators[0].inputs[1]
        assert t is not None
        assert t.quantization is not None
        t.quantization.scale = t.quantization.scale * np.where(np.arange(t.quantization.scale.size) == 4, 2, 1)

    def option(m: tflite2x.Model) -> None:
        m.main.operators[1].options.stride_w = 1

    def version(m: tflite2x.Model) -> None:
        m.main.operators[0].set_code("CONV_2D", 9)

    def metadata(m: tflite2x.Model) -> None:
        m.add_metadata("new", b"1")

    def name(m: tflite2x.Model) -> None:
        m.main.inputs[0].name = "renamed"

    assert changes(model, weight)[0].startswith(
        "constant: 1 of 288 values differ by up to 1, the first at [1, 0, 2, 0]"
    )
    assert "1 of 32 scales differ, the first at 4" in changes(model, scale)[0]
    assert changes(model, option) == ["options: stride_w: 2 became 1"]
    assert changes(model, version) == ["operator: version: 3 became 9"]
    assert changes(model, metadata) == ["metadata: added"]
    assert changes(model, name)[0] == "interface: ['serving_default_image:0'] became ['renamed']"


@pytest.mark.parametrize(("kind", "shown"), [("float32", "1.0 became 2.0"), ("int32", "1 became 2")])
def test_diff_of_scalar_constants(kind: str, shown: str) -> None:
    def scaled(value: int) -> tflite2x.Model:
        model = tflite2x.Model.new()
        g = model.main
        x, y = g.add_input("x", (1, 4), kind), g.add_tensor("y", (1, 4), kind)
        g.add_operator("MUL", [x, g.add_constant("k", np.array(value, kind))], [y])
        g.set_outputs([y])
        return model

    (change,) = diff(scaled(1), scaled(2))
    assert change.what.startswith("1 of 1 values differ by up to ")
    assert change.what.endswith(f"the first at []: {shown}")


def test_a_folder_and_a_lonely_file_are_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimize", "."]) == 2
    assert "should not happen" not in capsys.readouterr().err
    assert main(["verify", str(model)]) == 2
    assert "there is nothing to compare it with. Give a second .tflite file." in capsys.readouterr().err


def test_diff_matches_variables_and_operators_that_compute_nothing() -> None:
    def model(bias: float = 0.0) -> tflite2x.Model:
        model = stateful()
        g = model.main
        x = g.inputs[0]
        for _ in range(2):  # variables without names
            y = g.add_tensor("sum", (1, 2), "float32")
            g.add_operator("ADD", [x, g.add_tensor(None, (1, 2), "float32", is_variable=True)], [y])
            x = y
        handle = g.add_tensor("other", (), "resource")
        g.add_operator("VAR_HANDLE", [], [handle], VarHandleOptions(container="", shared_name="w"))
        value = g.add_constant("k", np.full((1, 2), bias, np.float32))
        g.add_operator("ASSIGN_VARIABLE", [handle, value], [], AssignVariableOptions())
        g.set_outputs([x])
        return model

    assert not diff(model(), model())
    assert [(c.kind, c.where[-11:]) for c in diff(model(), model(1.0))] == [("constant", "inputs[1] ('k')"[-11:])]
    other = model()
    other.main.remove_operator(other.main.operators[-1])
    assert [c.what for c in diff(model(), other)] == ["removed (computed nothing)"]


def test_diff_of_a_file_with_itself(corpus: Path) -> None:
    paths = sorted(p for p in corpus.rglob("*.tflite") if p.stat().st_size < 300_000)[::7]
    assert paths
    for path in paths:
        try:
            first, second = tflite2x.load(path), tflite2x.load(path)
        except FormatError:
            continue
        assert not diff(first, second), path


def test_diff_matches_the_interface_by_name() -> None:
    def sums(outputs: int = 1) -> tflite2x.Model:
        model = tflite2x.Model.new()
        g = model.main
        a, b = g.add_input("a", (1, 4), "float32"), g.add_input("b", (1, 4), "float32")
        y, z = g.add_tensor("y", (1, 4), "float32"), g.add_tensor("z", (1, 4), "float32")
        g.add_operator("SUB", [a, b], [y])
        g.add_operator("NEG", [y], [z])
        g.set_outputs([y, z, g.add_constant("k", np.full(3, outputs, np.int8))])
        model.add_signature("s", g, inputs={"u": a, "v": b}, outputs={"w": y})
        return model

    first = sums()
    assert not diff(first, sums())
    swapped = sums()
    swapped.main.set_inputs(swapped.main.inputs[::-1])
    assert [c.what for c in diff(first, swapped)] == ["['a', 'b'] became ['b', 'a']"]
    crossed = sums()
    g = crossed.main
    crossed.remove_signature(crossed.signatures[0])
    crossed.add_signature("s", g, inputs={"u": g.inputs[1], "v": g.inputs[0]}, outputs={"w": g.outputs[1]})
    assert [c.what for c in diff(first, crossed)] == [
        "inputs: 'u' is 'b' instead of 'a'", "inputs: 'v' is 'a' instead of 'b'", "outputs: 'w' is 'z' instead of 'y'"
    ]  # fmt: skip
    assert [c.where for c in diff(first, sums(2))] == ["subgraphs[0].outputs[2] ('k')"]


def test_diff_of_an_optimized_model(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = models / "logistic_int8.tflite"
    out = tmp_path / "x.tflite"
    assert main(["optimize", str(path), "-o", str(out), "-q"]) == 0
    assert main(["diff", str(path), str(out), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    whats = [c["what"] for c in found if c["kind"] == "operator"]
    assert any(w.startswith("removed (computed 'tfl.quantize')") for w in whats)
    assert "kind: 'FULLY_CONNECTED' became 'XC_fc'" in whats
    assert not any("SOFTMAX" in w for w in whats)


def test_set_metadata(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tflite2x.load(model)
    (tmp_path / "labels.txt").write_bytes(b"a\nb\n")
    arguments = ["--text", "note=hello=world", "--file", f"labels={tmp_path / 'labels.txt'}"]
    assert (
        main(["set-metadata", str(model), *arguments, "--remove", "min_runtime_version", "--description", "mine"]) == 0
    )
    after = tflite2x.load(model)
    assert after.description == "mine"
    assert {m.name: m.data for m in after.metadata if m.name != "CONVERSION_METADATA"} == {
        "note": b"hello=world",
        "labels": b"a\nb\n",
    }
    assert {c.kind for c in diff(before, after)} == {"metadata", "model"}
    assert main(["set-metadata", str(model), "--text", "note=other"]) == 0
    assert [m.data for m in tflite2x.load(model).metadata if m.name == "note"] == [b"other"]
    for wrong, text in (
        (["--text", "x"], "x is not NAME=VALUE"),
        (["--text", "=x"], "=x is not NAME=VALUE"),
        (["--text", "a=1", "--text", "a=2"], "'a' is to be set and removed, or set twice"),
        (["--text", "a=1", "--remove", "a"], "'a' is to be set and removed, or set twice"),
        (["--remove", "nobody"], "has no metadata 'nobody'"),
        ([], "nothing to set"),
        (["--file", "a=/nowhere/b"], "cannot read"),
    ):
        assert main(["set-metadata", str(model), *wrong]) == 2
        assert text in capsys.readouterr().err


def test_why(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "bypass-reshape", str(model)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("replaced    subgraphs[0].operators[6] (FULLY_CONNECTED): reads in front of")
    assert said[1].startswith("left alone  subgraphs[0].operators[7] (FULLY_CONNECTED): input 0 of")
    assert said[1].endswith("comes from subgraphs[0].operators[6] (FULLY_CONNECTED), not from RESHAPE")
    assert said[-1] == "bypass-reshape: 1 of 2 places replaced"
    assert main(["why", "conv-to-fc", str(model), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [c["replaced"] for c in found] == [False] * 3
    assert main(["why", "cleanup,cleanup", str(model)]) == 2
    assert main(["why", "xc-fc", str(model), "--after", "bypass-reshape"]) == 0
    assert "xc-fc: 2 of 2 places replaced" in capsys.readouterr().out
    assert main(["why", "merge-requantize", str(model)]) == 0
    assert "finds nothing to look at" in capsys.readouterr().out
    assert main(["why", "set-batch{n=3}", str(model)]) == 0  # a pass without places
    assert "set-batch{n=3} names no places; it would report: " in capsys.readouterr().out


def test_oracle(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    path = str(models / "logistic_int8.tflite")
    out = str(tmp_path / "o.tflite")
    assert main(["optimize", path, "-o", out, "--oracle", "litert", "--samples", "4"]) == 0
    said = capsys.readouterr().out
    assert "before: LiteRT agrees on 6 samples" in said
    assert "after: LiteRT was not asked" in said  # XC_fc is no operator of LiteRT
    assert main(["verify", path, path, "--oracle", "litert", "--samples", "4"]) == 0
    assert "B: LiteRT agrees on 6 samples" in capsys.readouterr().out
