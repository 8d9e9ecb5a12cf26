# SPDX-License-Identifier: Apache-2.0
"""Exported programs compile without warnings and equal the interpreter bit for bit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.export.build import SANITIZE, check, command, compile_c, compile_rust, need
from tests.export.zoo import recurrent, streaming, windowed, zoo
from tests.oracle import litert_interpreter
from tflite2x.cli import main
from tflite2x.errors import FileAccessError, InputError, UnsupportedError
from tflite2x.export import LANGUAGES, export
from tflite2x.ir import Model
from tflite2x.verification.samples import generate_all

#: Model -> test vectors in a usual run.
QUANTIZED = {
    "dense_3d_int8": 1000, "logistic_int8": 1000, "mlp_uint8": 1000, "kws_int8": 300, "dscnn_int8": 200, "cnn_int8": 60,
}  # fmt: skip


def load(models: Path, name: str) -> Model:
    return tflite2x.load(models / f"{name}.tflite")


def with_xc_fc(model: Model) -> Model:
    """Replace the dense layers by XC_fc."""
    tflite2x.Pipeline.parse("strip-float-io,bypass-reshape,xc-fc").run(model)
    assert any(op.custom_code == "XC_fc" for op in model.main.operators)
    return model


def test_the_projects_quantized_models_are_all_here(models: Path) -> None:
    names = {p.stem for p in models.glob("*.tflite")}
    assert {n for n in names if "float" not in n} == set(QUANTIZED)


@pytest.mark.parametrize(("name", "vectors"), QUANTIZED.items())
def test_c(models: Path, tmp_path: Path, name: str, vectors: int) -> None:
    check(load(models, name), "c", tmp_path, vectors)


@pytest.mark.parametrize("name", QUANTIZED)
def test_numpy(models: Path, tmp_path: Path, name: str) -> None:
    check(load(models, name), "numpy", tmp_path, 20)


@pytest.mark.parametrize("name", ["kws_int8"])
def test_rust(models: Path, tmp_path: Path, name: str) -> None:
    check(load(models, name), "rust", tmp_path, 20)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_xc_fc(models: Path, tmp_path: Path, lang: str) -> None:
    check(with_xc_fc(load(models, "mlp_uint8")), lang, tmp_path, 200)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_operator(tmp_path: Path, lang: str) -> None:
    check(zoo(seed=5), lang, tmp_path, 30, name="zoo")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_state_lives_from_run_to_run(tmp_path: Path, lang: str) -> None:
    models = [streaming(), windowed(), windowed("int8"), recurrent(), recurrent(time_major=True, clip=0.5)]
    for name, model in zip("abcde", [*models[:3], recurrent("LSTM")] if lang == "rust" else models, strict=False):
        check(model, lang, tmp_path / name, 20)
    (code,) = (p for p in (tmp_path / "a").rglob("*") if p.name in ("net.h", "lib.rs", "net.py"))
    assert "Forget what was kept from earlier runs" in code.read_text()


@pytest.mark.parametrize("name", ["mlp_uint8", "kws_int8", "dscnn_int8"])
def test_numpy_equals_litert(models: Path, tmp_path: Path, name: str) -> None:
    model = load(models, name)
    export(model, tmp_path, lang="numpy", test_vectors=0, name="net")
    namespace: dict[str, Any] = {"__name__": "net"}
    exec((tmp_path / "net.py").read_text(), namespace)
    oracle = litert_interpreter(models / f"{name}.tflite")
    (source,), (target,) = oracle.get_input_details(), oracle.get_output_details()
    (inputs,) = generate_all(model.main, 25, seed=9)
    for value in inputs:
        oracle.set_tensor(source["index"], value)
        oracle.invoke()
        np.testing.assert_array_equal(namespace["run"](value)[0], oracle.get_tensor(target["index"]))


def test_rounding_of_tflite_micro(models: Path, tmp_path: Path) -> None:
    check(load(models, "mlp_uint8"), "c", tmp_path, 300, rounding="double")
    assert "fully_connected_real" not in (tmp_path / "net.c").read_text()


def test_checking_programs_see_a_wrong_output(models: Path, tmp_path: Path) -> None:
    model = load(models, "dense_3d_int8")
    for lang in LANGUAGES:
        folder = tmp_path / lang
        export(model, folder, lang=lang, test_vectors=3, name="net")
        vectors = bytearray((folder / "vectors.bin").read_bytes())
        vectors[-1] ^= 1
        (folder / "wrong.bin").write_bytes(vectors)
        (folder / "none.bin").write_bytes(b"")
        if lang == "c":
            run = [str(compile_c(folder, "net"))]
        elif lang == "rust":
            run = [str(compile_rust(folder))]
        else:
            run = [sys.executable, "net.py"]
        assert command([*run, "wrong.bin"], folder, code=1) == "3 test vectors, 1 differ\n"
        command([*run, "none.bin"], folder, code=1)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_same_model_same_files_that_name_their_model(models: Path, tmp_path: Path, lang: str) -> None:
    first = export(load(models, "logistic_int8"), tmp_path / "a", lang=lang)
    second = export(load(models, "logistic_int8"), tmp_path / "b", lang=lang)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    named = [p for p in first if p.suffix in (".c", ".h", ".rs", ".py")]
    assert named
    for path in named:
        assert "Made from logistic_int8.tflite (sha256 " in path.read_text()
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_missing_is_listed_and_nothing_is_written(models: Path, tmp_path: Path, lang: str) -> None:
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (4,), "float32")
    sine, cosine, total = (graph.add_tensor(name, (4,), "float32") for name in ("sine", "cosine", "total"))
    graph.add_operator("SIN", [x], [sine])
    graph.add_operator("COS", [x], [cosine])
    graph.add_operator("ADD", [sine, cosine], [total])
    graph.set_outputs([total])
    with pytest.raises(UnsupportedError) as caught:
        export(model, tmp_path / "out", lang=lang)
    text = str(caught.value)
    assert "2 of 3 operators" in text
    for op in graph.operators:
        assert (op.where in text) == (op.name != "ADD")
    assert not (tmp_path / "out").exists()


def test_wrong_arguments(models: Path, tmp_path: Path) -> None:
    model = load(models, "dense_3d_int8")
    with pytest.raises(InputError, match="Choose one of c, rust, numpy"):
        export(model, tmp_path, lang="fortran")
    with pytest.raises(InputError):
        export(model, tmp_path, test_vectors=-1)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileAccessError):
        export(model, tmp_path / "file")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_files_of_an_export_arrive_together(models: Path, tmp_path: Path, lang: str) -> None:
    """A folder in the place of the last file stops the export: what was there stays, and nothing else appears."""
    model, folder = load(models, "dense_3d_int8"), tmp_path / "new" / "out"
    written = export(model, folder, lang=lang, name="net")
    (folder / "mine.txt").write_text("kept")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert set(before) == {*written, folder / "mine.txt"}
    written[-1].unlink()
    written[-1].mkdir()
    del before[written[-1]]
    with pytest.raises(FileAccessError, match="Nothing was changed"):
        export(load(models, "mlp_uint8"), folder, lang=lang, name="net")
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    written[-1].rmdir()
    export(model, folder, lang=lang, name="net")
    assert len(list(folder.rglob("*"))) == len([p for p in folder.rglob("*") if p.is_dir()]) + len(before) + 1
    assert sorted(p.name for p in tmp_path.rglob("*.tmp")) == []


def test_a_folder_that_cannot_be_made(models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file" / "out", Path("/proc/nowhere/out")):
        with pytest.raises(FileAccessError, match="cannot be written"):
            export(load(models, "dense_3d_int8"), bad)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_arrays_numpy(models: Path, tmp_path: Path) -> None:
    model = load(models, "cnn_int8")
    (path,) = export(model, tmp_path, lang="numpy", arrays=True)
    namespace: dict[str, object] = {}
    exec(path.read_text(), namespace)
    conv = model.main.operators[0]
    for role, tensor in zip(("weights", "bias"), conv.inputs[1:], strict=True):
        assert tensor is not None
        assert tensor.quantization is not None
        np.testing.assert_array_equal(namespace[f"conv_2d_0_{role}"], tensor.data)
        np.testing.assert_array_equal(namespace[f"conv_2d_0_{role}_scale"], tensor.quantization.scale)
    assert conv.inputs[0] is not None
    assert conv.inputs[0].quantization is not None
    assert namespace["conv_2d_0_input_0_zero_point"] == conv.inputs[0].quantization.zero_point


def test_arrays_of_float_models_compile(models: Path, tmp_path: Path) -> None:
    model = load(models, "kws_float")
    export(model, tmp_path, lang="c", arrays=True, name="net")
    command([need("gcc"), "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "net_arrays.c"], tmp_path)
    export(model, tmp_path, lang="rust", arrays=True, name="net")
    command([need("rustc"), "--edition=2021", "--crate-type=lib", "-Dwarnings", "net_arrays.rs"], tmp_path)
    assert "conv_2d_0_weights" in (tmp_path / "net_arrays.h").read_text()


def test_arrays_of_odd_constants(tmp_path: Path) -> None:
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (3,), "float32")
    odd = graph.add_constant("odd", np.array([np.inf, -np.inf, np.nan], np.float32))
    least = graph.add_constant("least", np.array([-(1 << 31), -(1 << 63)], np.int64))
    y = graph.add_tensor("y", (3,), "float32")
    graph.add_operator("ADD", [x, odd], [y])
    graph.add_operator("RESHAPE", [y, least], [graph.add_tensor("z", (3,), "float32")])
    graph.set_outputs([y])
    export(model, tmp_path, lang="c", arrays=True, name="net")
    command([need("gcc"), "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "net_arrays.c"], tmp_path)
    export(model, tmp_path, lang="rust", arrays=True, name="net")
    command([need("rustc"), "--edition=2021", "--crate-type=lib", "-Dwarnings", "net_arrays.rs"], tmp_path)
    (path,) = export(model, tmp_path, lang="numpy", arrays=True, name="net")
    namespace: dict[str, object] = {}
    exec(path.read_text(), namespace)
    np.testing.assert_array_equal(namespace["add_0_input_1"], odd.data)


def test_command(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(models / "dense_3d_int8.tflite"), "-o", str(tmp_path / "x"), "--lang", "c", "--vectors", "5"]
    assert main(["export", *arguments]) == 0
    assert "dense_3d_int8_check.c" in capsys.readouterr().out
    assert (tmp_path / "x" / "vectors.bin").stat().st_size == 5 * (16 * 48 + 16 * 32)
    sine = Model.build("SIN", [{"shape": (4,), "dtype": "float32"}], [{"shape": (4,), "dtype": "float32"}])
    tflite2x.save(sine, tmp_path / "sine.tflite")
    assert main(["export", str(tmp_path / "sine.tflite"), "-o", str(tmp_path / "y")]) == 2
    assert "SIN of FLOAT32" in capsys.readouterr().err
    assert not (tmp_path / "y").exists()


@pytest.mark.sweep
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", QUANTIZED)
def test_a_thousand_inputs(models: Path, tmp_path: Path, name: str, lang: str) -> None:
    check(load(models, name), lang, tmp_path, 1000)


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["logistic_int8", "mlp_uint8", "cnn_int8"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_thousand_inputs_with_xc_fc(models: Path, tmp_path: Path, name: str, lang: str) -> None:
    check(with_xc_fc(load(models, name)), lang, tmp_path, 1000)


@pytest.mark.sweep
def test_sanitizers_find_nothing(models: Path, tmp_path: Path) -> None:
    check(zoo(), "c", tmp_path / "zoo", 200, *SANITIZE)
    for number, model in enumerate((windowed(), windowed("int8"), recurrent(), recurrent(time_major=True, clip=0.5))):
        check(model, "c", tmp_path / f"state {number}", 200, *SANITIZE)
    for name in QUANTIZED:
        check(load(models, name), "c", tmp_path / name, 20, *SANITIZE)


@pytest.mark.sweep
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_mobilenet(corpus: Path, tmp_path: Path, lang: str) -> None:
    model = tflite2x.load(corpus / "zhenhuaw-me+tflite2onnx/assets/tests/mobilenet_v1_0.25_128_quant.tflite")
    check(model, lang, tmp_path, 1000 if lang == "c" else 100)
