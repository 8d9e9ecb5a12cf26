# SPDX-License-Identifier: Apache-2.0
"""Exported float32 code: equal to LiteRT's reference bit for bit, near to the interpreter, in all languages."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tflite2x
from tests.export.build import SANITIZE, check, command, compile_c, compile_rust, need
from tests.export.float_zoo import FULL, INEXACT, Floats, detector, float_zoo
from tests.oracle import litert_interpreter
from tflite2x.errors import UnsupportedError
from tflite2x.export import LANGUAGES, export, numpy_file
from tflite2x.export.vectors import is_sensitive, make
from tflite2x.export.writing import Source
from tflite2x.interpreter import Interpreter
from tflite2x.ir import Model, save
from tflite2x.program import Program, lower
from tflite2x.schema import tables as o
from tflite2x.schema.enums import Padding
from tflite2x.verification.samples import generate_all

Array = NDArray[Any]
FLOATS = ("cnn_float", "dscnn_float", "kws_float", "logistic_float", "mlp_float")


class Compiled:
    """The C code of a model as a shared library."""

    def __init__(self, model: Model, folder: Path, *flags: str) -> None:
        export(model, folder, lang="c", test_vectors=0, name="net")
        flags = flags or ("-std=c99", "-O2", "-ffp-contract=off")
        subprocess.run(
            [need("gcc"), *flags, "-shared", "-fPIC", "-o", "net.so", "net.c", "net_data.c"], cwd=folder, check=True
        )
        self._run = ctypes.CDLL(str(folder / "net.so")).net_run
        self.program: Program = lower(model)

    def run(self, inputs: list[Array]) -> list[Array]:
        outputs = [np.empty(v.shape, v.dtype) for v in self.program.outputs]
        kept = [np.ascontiguousarray(a) for a in inputs]
        self._run(*(ctypes.c_void_p(a.ctypes.data) for a in (*kept, *outputs)))
        return outputs


def numpy_code(model: Model, folder: Path) -> Any:
    """Return the ``run`` of the model's NumPy file."""
    export(model, folder, lang="numpy", test_vectors=0, name="net")
    namespace: dict[str, Any] = {"__name__": "net"}
    exec((folder / "net.py").read_text(), namespace)
    return namespace["run"]


def reference(model: Model, folder: Path, inputs: list[Array]) -> list[Array]:
    """Run LiteRT's reference kernels."""
    save(model, folder / "model.tflite")
    oracle = litert_interpreter(folder / "model.tflite")
    for detail, value in zip(oracle.get_input_details(), inputs, strict=True):
        oracle.set_tensor(detail["index"], value)
    oracle.invoke()
    return [oracle.get_tensor(d["index"]) for d in oracle.get_output_details()]


def near(mine: Array, other: Array, part: float) -> bool:
    finite = np.abs(other[np.isfinite(other)]).max(initial=0)
    with np.errstate(invalid="ignore"):
        close = np.abs(mine.astype(np.float64) - other) <= part * finite
    return bool(np.all(close | (mine == other) | (np.isnan(mine) & np.isnan(other))))


@pytest.mark.parametrize("seed", range(3))
def test_every_operator_equals_litert_bit_for_bit_but_for_rounded_functions(tmp_path: Path, seed: int) -> None:
    model = float_zoo(seed=seed, reference=True)
    compiled, numpy = Compiled(model, tmp_path / "c"), numpy_code(model, tmp_path / "numpy")
    for inputs in zip(*generate_all(model.main, 4, seed), strict=True):
        expected = reference(model, tmp_path, list(inputs))
        for results in (compiled.run(list(inputs)), numpy(*inputs)):
            for tensor, mine, theirs in zip(model.main.outputs, results, expected, strict=True):
                assert tensor.producer is not None
                if tensor.producer.name in INEXACT:
                    assert near(mine, theirs, 3e-7), tensor.producer.where
                else:
                    np.testing.assert_array_equal(mine, theirs, tensor.producer.where)


@pytest.mark.parametrize("name", FLOATS)
def test_models_equal_litert(models: Path, tmp_path: Path, name: str) -> None:
    """A last SOFTMAX or LOGISTIC may differ in the last place; the layers before must not."""
    model = tflite2x.load(models / f"{name}.tflite")
    last, parts = model.main.operators[-1], [(model, 0.0)]
    if last.name in INEXACT:
        logits = model.clone()
        before = logits.main.operators[-1].inputs[0]
        assert before is not None
        logits.main.set_outputs([before])
        parts = [(model, 3e-7), (logits, 0.0)]
    (inputs,) = generate_all(model.main, 10, seed=3)
    for part, tolerance in parts:
        compiled = Compiled(part, tmp_path / f"c{tolerance}")
        for value in inputs:
            (mine,), (theirs,) = compiled.run([value]), reference(part, tmp_path, [value])
            assert near(mine, theirs, tolerance)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_operator(tmp_path: Path, lang: str) -> None:
    check(float_zoo(seed=5), lang, tmp_path, 30)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", FLOATS)
def test_models(models: Path, tmp_path: Path, name: str, lang: str) -> None:
    if lang == "rust" and name != "kws_float":
        pytest.skip("the others are part of the sweep")
    check(tflite2x.load(models / f"{name}.tflite"), lang, tmp_path, 20 if lang != "c" else 200)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_integer_code_has_no_floats_and_float_code_says_so(models: Path, tmp_path: Path, lang: str) -> None:
    for name, arithmetic in (("mlp_float", "float32"), ("mlp_uint8", "integer")):
        folder = tmp_path / name
        export(tflite2x.load(models / f"{name}.tflite"), folder, lang=lang, test_vectors=1, name="net")
        main = {"c": "net.h", "rust": "src/lib.rs", "numpy": "net.py"}[lang]
        text = (folder / main).read_text()
        article = "an" if arithmetic == "integer" else "a"
        assert f"net: {article} {arithmetic} reference implementation of a neural network." in text
        code = {"c": "net.c", "rust": "src/kernels.rs", "numpy": "net.py"}[lang]
        floats = {"c": "float ", "rust": "f32", "numpy": "np.float32"}[lang]
        assert (floats in (folder / code).read_text()) == (arithmetic == "float32")


def test_code_that_may_reorder_floats_does_not_compile(models: Path, tmp_path: Path) -> None:
    export(tflite2x.load(models / "mlp_float.tflite"), tmp_path, test_vectors=0, name="net")
    done = subprocess.run([need("gcc"), "-ffast-math", "-c", "net.c"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0
    assert b"must be rounded to float32" in done.stderr


def test_no_flag_is_needed_against_contraction(tmp_path: Path) -> None:
    """Compilers fuse products and sums by default where the processor can; the code itself forbids it."""
    processor = Path("/proc/cpuinfo")
    if not processor.exists() or "fma" not in processor.read_text():
        pytest.skip("this processor cannot fuse")
    model = float_zoo("weighted", seed=2)
    (inputs, *_) = zip(*generate_all(model.main, 1, 3), strict=True)
    plain, fused = (
        Compiled(model, tmp_path / "plain"),
        Compiled(model, tmp_path / "fused", "-std=gnu99", "-O3", "-mfma"),
    )
    for mine, theirs in zip(fused.run(list(inputs)), plain.run(list(inputs)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_makefile_builds_the_checking_program(models: Path, tmp_path: Path) -> None:
    export(tflite2x.load(models / "mlp_float.tflite"), tmp_path, test_vectors=5, name="net")
    assert "-ffp-contract=off" in (tmp_path / "Makefile").read_text()
    assert "5 test vectors, 0 differ" in command([need("make"), "check"], tmp_path)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_checking_programs_see_a_wrong_float(models: Path, tmp_path: Path, lang: str) -> None:
    """A change of one part in 10,000 of the largest output is seen, one in the last place is not."""
    model = tflite2x.load(models / "kws_float.tflite")
    export(model, tmp_path, lang=lang, test_vectors=2, name="net")
    if lang == "c":
        run = [str(compile_c(tmp_path, "net"))]
    else:
        run = [str(compile_rust(tmp_path))] if lang == "rust" else [sys.executable, "net.py"]
    size = model.main.outputs[0].nbytes
    for factor, differ in ((1e-4, 1), (1e-8, 0)):
        vectors = np.frombuffer((tmp_path / "vectors.bin").read_bytes(), np.float32).copy()
        place = int(np.argmax(vectors[-size // 4 :])) - size // 4
        vectors[place] *= np.float32(1 + factor)
        (tmp_path / "changed.bin").write_bytes(vectors.tobytes())
        assert command([*run, "changed.bin"], tmp_path, code=differ) == f"2 test vectors, {differ} differ\n"


def sensitive(seed: int = 0) -> Model:
    """Build a convolution whose results are rounded to integers, and weighted: a step may differ by the last place."""
    z = Floats(seed)
    x = z.graph.add_input("x", FULL, "float32")
    options = o.Conv2DOptions(padding=Padding.SAME, stride_h=1, stride_w=1)
    y = z.one("CONV_2D", [x, z.values((32, 3, 3, 4)), z.values((32,))], 1, 6, 8, 32, options=options)
    quantized = z.op("QUANTIZE", [y], [z.out((1, 6, 8, 32), "int16", 0.0005)], o.QuantizeOptions())[0]
    z.one("DEQUANTIZE", [quantized], 1, 6, 8, 32, options=o.DequantizeOptions())
    return z.finish()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_detections(tmp_path: Path, lang: str) -> None:
    """Both ways to suppress boxes, of floats and of bytes."""
    for regular, dtype in (
        ((False, "float32"), (True, "uint8"))
        if lang == "rust"
        else itertools.product((False, True), ("float32", "uint8"))
    ):
        model, folder = detector(regular=regular, dtype=dtype), tmp_path / f"{regular} {dtype}"
        check(model, lang, folder, 20)
        _, outputs = make(model, lower(model), Source("x", "y"), 20, 1, "single")
        assert [a.shape for a in outputs] == [(20, 1, 8, 4), (20, 1, 8), (20, 1, 8), (20, 1)]
        assert len(np.unique(outputs[1])) > 2
        assert outputs[3].max() > 5


@pytest.mark.parametrize("lang", LANGUAGES)
def test_inputs_on_which_the_last_place_decides_are_left_out(tmp_path: Path, lang: str) -> None:
    model = sensitive()
    assert is_sensitive(lower(model))
    assert not is_sensitive(lower(float_zoo("weighted")))
    check(model, lang, tmp_path, 10, fewer=True)
    inputs, outputs = make(model, lower(model), Source("x", "y"), 10, 1, "single")
    everywhere = Interpreter(model).run_batch(inputs)
    assert 0 < len(inputs[0]) <= 10
    for mine, theirs in zip(outputs, everywhere, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_when_all_inputs_are_such_inputs_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = numpy_file.load
    monkeypatch.setattr(numpy_file, "load", lambda *a: {**load(*a), "differs": lambda *b: True})
    with pytest.raises(UnsupportedError, match="whole steps"):
        export(sensitive(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.sweep
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", FLOATS)
def test_a_thousand_inputs(models: Path, tmp_path: Path, name: str, lang: str) -> None:
    check(tflite2x.load(models / f"{name}.tflite"), lang, tmp_path, 1000)


@pytest.mark.sweep
def test_sanitizers_find_nothing(models: Path, tmp_path: Path) -> None:
    for seed in range(3):
        check(float_zoo(seed=seed), "c", tmp_path / f"zoo {seed}", 100, *SANITIZE)
    for regular in (False, True):
        check(detector(regular=regular, dtype="uint8"), "c", tmp_path / f"detector {regular}", 100, *SANITIZE)
    for name in FLOATS:
        check(tflite2x.load(models / f"{name}.tflite"), "c", tmp_path / name, 20, *SANITIZE)


@pytest.mark.sweep
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_float_mobilenet(corpus: Path, tmp_path: Path, lang: str) -> None:
    model = tflite2x.load(corpus / "zhenhuaw-me+tflite2onnx/assets/tests/mobilenet_v1_0.25_128.tflite")
    check(model, lang, tmp_path, {"c": 1000, "rust": 100, "numpy": 20}[lang])
