# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tflite2x.cli import main
from tflite2x.cli.arrays import Array

MANIFEST = json.loads((Path(__file__).parents[2] / "models" / "MANIFEST.json").read_text())


@pytest.fixture
def two_inputs(tmp_path: Path) -> Path:
    """A model that computes left - right, with names in a signature."""
    model = tflite2x.Model.new()
    graph = model.main
    left, right = graph.add_input("l", (1, 3), "float32"), graph.add_input("r", (1, 3), "float32")
    out = graph.add_tensor("difference", (1, 3), "float32")
    graph.add_operator("SUB", [left, right], [out])
    graph.set_outputs([out])
    model.add_signature("go", graph, inputs={"left": left, "right": right}, outputs={"out": out})
    tflite2x.save(model, tmp_path / "sub.tflite")
    return tmp_path / "sub.tflite"


def save(path: Path, array: object) -> str:
    np.save(path, np.asarray(array))
    return str(path)


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "this should not happen" not in captured.err
    return captured.err


@pytest.mark.parametrize("name", sorted(MANIFEST["models"]))
def test_a_whole_evaluation_set(name: str, models: Path, tmp_path: Path) -> None:
    entry = MANIFEST["models"][name]
    out = tmp_path / "out.npz"
    arguments = [
        "run",
        str(models / name),
        "-i",
        str(models / entry["evaluation"]),
        "--batch",
        "--real",
        "-o",
        str(out),
    ]
    assert main(arguments) == 0
    with np.load(out) as outputs, np.load(models / entry["evaluation"]) as evaluation:
        (result,) = outputs.values()
        data = dict(evaluation)
    assert result.dtype == np.float32
    assert len(result) == len(data["x"])
    if "y" in data:
        correct = int((result[:, 0].argmax(axis=-1) == data["y"]).sum())
        slack = 0 if entry["core"] == "int8" else 1
        assert abs(correct - entry["correct_in_litert_reference_kernels"]) <= slack


def test_npy_in_and_npy_out_like_litert(models: Path, tmp_path: Path) -> None:
    sample = np.random.default_rng(0).integers(-128, 128, (1, 16, 48), np.int8)
    source, out = save(tmp_path / "in.npy", sample), tmp_path / "out.npy"
    path = models / "dense_3d_int8.tflite"
    assert main(["run", str(path), "--input", source, "-o", str(out)]) == 0
    (expected,) = litert_run(path, [sample])
    result = np.load(out)
    assert result.dtype == np.int8
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("way", ["order", "by name", "npz by tensor", "npz by signature", "npz in order"])
def test_ways_to_give_inputs(way: str, two_inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right = np.full((1, 3), 5, np.float32), np.full((1, 3), 2, np.float32)
    npz = tmp_path / "in.npz"
    words = [save(tmp_path / "left.npy", left), save(tmp_path / "right.npy", right)]
    if way == "by name":
        words = [f"r={words[1]}", f"left={words[0]}"]
    elif way != "order":
        names = {"npz by tensor": ("r", "l"), "npz by signature": ("right", "left"), "npz in order": ("b", "a")}[way]
        arrays = [right, left] if way != "npz in order" else [left, right]
        np.savez(npz, **{names[0]: arrays[0], names[1]: arrays[1]})  # type: ignore[arg-type]
        words = [str(npz)]
    arguments = ["run", str(two_inputs)]
    for word in words:
        arguments += ["-i", word]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "difference: float32 [1, 3]\n[[3. 3. 3.]]\n"


def test_values_decide_whether_a_type_fits(
    two_inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubles, integers = save(tmp_path / "d.npy", [[0.1, 0.2, 0.3]]), save(tmp_path / "i.npy", [[1, 2, 3]])
    assert main(["run", str(two_inputs), "-i", doubles, "-i", integers]) == 0
    assert "float32 [1, 3]\n[[-0.9 -1.8 -2.7]]" in capsys.readouterr().out


@pytest.mark.parametrize("value", [1.5, 200, 2**24 + 1])
def test_values_that_do_not_fit_are_refused(
    value: float, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "in.npy", np.full((1, 16, 48), value))
    message = error_of(["run", str(models / "dense_3d_int8.tflite"), "-i", source], capsys)
    assert "cannot become int8 without loss" in message


def test_wrong_inputs(two_inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = save(tmp_path / "one.npy", np.zeros((1, 3), np.float32))
    names = tmp_path / "names.npz"
    np.savez(names, q=np.zeros(3), s=np.zeros(3), t=np.zeros(3))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(names.read_bytes()[:100])
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    wide = save(tmp_path / "wide.npy", np.zeros((1, 4), np.float32))
    model = str(two_inputs)
    listing = "Inputs: 'l' or 'left' float32 [1, 3], 'r' or 'right' float32 [1, 3]."
    cases: dict[str, list[str]] = {
        f"1 arrays for 2 inputs. {listing}": ["-i", one],
        f"0 arrays for 2 inputs. {listing}": [],
        f"no array for input 'r'. {listing}": ["-i", f"l={one}"],
        "input 'l' is given twice": ["-i", f"l={one}", "-i", f"left={one}"],
        "some inputs are given by name and some by order": ["-i", f"l={one}", "-i", one],
        "the model has no input 'm'": ["-i", f"m={one}"],
        "no array has the name of an input; arrays: 'q', 's', 't'": ["-i", str(names)],
        "3 arrays for one input": ["-i", f"l={names}", "-i", f"r={one}"],
        "text.npy: not an .npy or .npz file": ["-i", str(tmp_path / "text.npy")],
        "cut.npz: not an .npy or .npz file": ["-i", str(tmp_path / "cut.npz")],
        "objects.npy: not an .npy or .npz file": ["-i", str(tmp_path / "objects.npy")],
        "missing.npy: cannot be read": ["-i", str(tmp_path / "missing.npy")],
        "Use --batch to run many samples, or --resize": ["-i", one, "-i", wide],
        "the model has no signature 'stop'. Signatures: 'go'.": ["-i", one, "-i", one, "--signature", "stop"],
        "out.txt is neither .npz nor .npy": ["-i", one, "-i", one, "-o", str(tmp_path / "out.txt")],
        "cannot be written": ["-i", one, "-i", one, "-o", str(tmp_path / "no" / "folder.npz")],
    }
    for expected, arguments in cases.items():
        assert expected in error_of(["run", model, *arguments], capsys), arguments
    assert not (tmp_path / "out.txt").exists()


def test_hints_are_for_the_command_line(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = save(tmp_path / "in.npy", np.zeros((7, 1, 16, 48), np.int8))
    model = str(models / "dense_3d_int8.tflite")
    message = error_of(["run", model, "-i", samples], capsys)
    assert message.endswith("Use --batch to run many samples.\n")
    short = save(tmp_path / "short.npy", np.zeros((7, 1, 15, 48), np.int8))
    message = error_of(["run", model, "-i", short, "--batch"], capsys)
    assert message.endswith("Use --resize to run the model with another shape.\n")


def test_batches_run_in_parts_and_agree_with_single_runs(models: Path, tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-128, 128, (150, 16, 48), np.int8)
    source, out = save(tmp_path / "in.npy", samples), tmp_path / "out.npy"
    path = models / "dense_3d_int8.tflite"
    assert main(["run", str(path), "-i", source, "--batch", "-o", str(out)]) == 0
    result = np.load(out)
    assert result.shape == (150, 1, 16, 32)
    interpreter = tflite2x.Interpreter(tflite2x.load(path))
    for i in (0, 63, 64, 128, 149):
        np.testing.assert_array_equal(result[i], interpreter.run([samples[i][None]])[0])


def test_real_numbers_are_quantized_like_the_operator_does(models: Path, tmp_path: Path) -> None:
    path = models / "dense_3d_int8.tflite"
    model = tflite2x.load(path)
    (x,), (y,) = model.main.inputs, model.main.outputs
    assert x.quantization is not None
    assert y.quantization is not None
    scale, zero_point = x.quantization.scale[0], int(x.quantization.zero_point[0])
    steps = np.linspace(-140, 140, 16 * 48 * 2 + 1)[:-1:2].reshape(1, 16, 48)
    real = (steps * scale).astype(np.float32)
    real[0, 0, :4] = np.array([0.5, -0.5, 1.5, -2.5], np.float32) * scale
    out = tmp_path / "out.npy"
    assert main(["run", str(path), "-i", save(tmp_path / "in.npy", real), "--real", "-o", str(out)]) == 0

    adapter = tflite2x.Model.new()
    source = adapter.main.add_input("x", real.shape, "float32")
    quantized = adapter.main.add_tensor("q", real.shape, "int8", scale=scale, zero_point=zero_point)
    adapter.main.add_operator("QUANTIZE", [source], [quantized])
    adapter.main.set_outputs([quantized])
    (integers,) = litert_run(tflite2x.dumps(adapter), [real])
    (expected,) = litert_run(path, [integers])
    expected_real = (expected.astype(np.float64) - y.quantization.zero_point[0]) * y.quantization.scale[0]
    np.testing.assert_array_equal(np.load(out), expected_real.astype(np.float32))


def test_nan_cannot_be_quantized(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "in.npy", np.full((1, 16, 48), np.nan, np.float32))
    assert "NaN" in error_of(["run", str(models / "dense_3d_int8.tflite"), "-i", source, "--real"], capsys)


def test_outputs_keep_their_names_whatever_they_are(tmp_path: Path) -> None:
    model = tflite2x.Model.new()
    x = model.main.add_input("x", (2,), "float32")
    outputs = []
    for name in ("file", "../a", "file"):  # numpy.savez would refuse the first
        y = model.main.add_tensor(name, (2,), "float32")
        model.main.add_operator("ABS", [x], [y])
        outputs.append(y)
    model.main.set_outputs(outputs)
    path, out = tmp_path / "m.tflite", tmp_path / "out.npz"
    tflite2x.save(model, path)
    source = save(tmp_path / "in.npy", np.array([-1, 2], np.float32))
    assert main(["run", str(path), "-i", source, "-o", str(out)]) == 0
    first = out.read_bytes()
    with np.load(out) as file:
        arrays: dict[str, Array] = dict(file)
    assert list(arrays) == ["file", "../a", "file_2"]
    assert all(array.tolist() == [1, 2] for array in arrays.values())
    assert main(["run", str(path), "-i", source, "-o", str(out)]) == 0
    assert out.read_bytes() == first
    assert main(["run", str(path), "-i", source, "-o", str(tmp_path / "out.npy")]) == 2


def test_rounding_reaches_the_interpreter(models: Path, tmp_path: Path) -> None:
    path = models / "cnn_int8.tflite"
    sample = np.random.default_rng(2).integers(-128, 128, (1, 28, 28, 1), np.int8)
    out = tmp_path / "out.npy"
    arguments = ["run", str(path), "-i", save(tmp_path / "in.npy", sample), "-o", str(out), "--rounding", "double"]
    assert main(arguments) == 0
    expected = tflite2x.Interpreter(tflite2x.load(path), rounding="double").run([sample])[0]
    np.testing.assert_array_equal(np.load(out), expected)
