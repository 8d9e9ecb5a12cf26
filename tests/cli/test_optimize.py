# SPDX-License-Identifier: Apache-2.0
"""``tflite2x optimize``, ``verify``, ``passes``: files, exit codes, and that a failed check writes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.verification.wrong import OneScale, OneWeight, SwapInputs
from tflite2x.cli import main
from tflite2x.rewrite import Pass, register_pass

for wrong in (OneWeight, OneScale, SwapInputs):
    register_pass(wrong)

NAMES = ["logistic_float", "logistic_int8", "mlp_uint8", "cnn_int8", "dense_3d_int8", "dscnn_int8", "kws_int8"]


@pytest.fixture
def model(models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(models / "logistic_int8.tflite", tmp_path / "m.tflite"))


@pytest.mark.parametrize("target", ["tflite", "xcore"])
@pytest.mark.parametrize("name", NAMES)
def test_own_models(models: Path, tmp_path: Path, name: str, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(shutil.copy(models / f"{name}.tflite", tmp_path))
    assert main(["optimize", str(path), "--target", target, "--report", str(tmp_path / "r.json")]) == 0
    written = path.with_name(f"{name}.{target}.tflite")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["total"]["after"]["nbytes"] == written.stat().st_size
    assert all(row["verification"]["passed"] for row in report["passes"])
    assert f"wrote {written}" in capsys.readouterr().out
    # XC_fc claims up to 1 LSB per layer, which later layers may amplify a little.
    limits = ["--max-lsb", "3"] if target == "xcore" else []
    assert main(["verify", "--adapt", str(path), str(written), *limits]) == 0


def test_default_and_given_output(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = model.read_bytes()
    assert main(["optimize", str(model), "--passes", "cleanup", "-q"]) == 0
    assert capsys.readouterr().out == ""
    assert model.with_name("m.custom.tflite").exists()
    assert model.read_bytes() == original
    assert main(["optimize", str(model), "--target", "tflite", "-o", str(model), "-v"]) == 0
    assert tflite2x.load(model).main.inputs[0].dtype.name == "INT8"
    assert "QUANTIZE removed: the input is int8 now" in capsys.readouterr().out


@pytest.mark.parametrize("when", ["each", "end"])
@pytest.mark.parametrize("wrong", ["test-one-weight", "test-one-scale"])
def test_a_failed_check_writes_nothing(model: Path, wrong: str, when: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, report = model.with_name("out.tflite"), model.with_name("r.json")
    out.write_bytes(b"old")
    arguments = ["optimize", str(model), "-o", str(out), "--passes", f"strip-float-io,{wrong},cleanup"]
    assert main([*arguments, "--verify", when, "--report", str(report)]) == 1
    said = capsys.readouterr()
    assert f"error: pass {wrong}: claimed exact" in said.err
    assert "the first tensor that differs: tensor '" in said.err
    assert "(FULLY_CONNECTED)" in said.err
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in model.parent.iterdir()) == ["m.tflite", "out.tflite", "r.json"]
    assert any(not row["verification"]["passed"] for row in json.loads(report.read_text())["passes"]) or when == "end"
    assert main([*arguments, "--verify", "off", "-q"]) == 0


def test_swapped_operands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.verification.build import two_inputs

    path = tmp_path / "two.tflite"
    tflite2x.save(two_inputs(), path)
    assert main(["optimize", str(path), "--passes", "test-swap-inputs"]) == 1
    assert "'difference' computed by subgraphs[0].operators[0] (SUB)" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["two.tflite"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--passes", "strip-flaot-io"], "Did you mean 'strip-float-io'?\n  strip-flaot-io\n  ^^^^"),
        (["--passes", "@nothing.txt"], "cannot read the recipe"),
        (["--samples", "0"], "0 samples cannot show anything"),
        (["--samples", "many"], "neither a number nor an .npz file"),
        (["--samples", "gone.npz"], "cannot read the samples"),
        (["--target", "esp32"], "Invalid value"),
    ],
)
def test_usage_errors(model: Path, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimize", str(model), "-t", "tflite", *arguments]) == 2
    assert text in capsys.readouterr().err
    assert [p.name for p in model.parent.iterdir()] == ["m.tflite"]


def test_unreadable_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimize", str(tmp_path / "gone.tflite"), "-t", "tflite"]) == 2
    (tmp_path / "bad.tflite").write_bytes(b"this is no model")
    assert main(["optimize", str(tmp_path / "bad.tflite"), "-t", "tflite"]) == 2
    assert "bad.tflite" in capsys.readouterr().err


def test_samples_from_a_file(model: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = str(models / "digits_eval.npz")
    assert main(["optimize", str(model), "-t", "tflite", "--samples", samples]) == 0
    assert "360 samples" in capsys.readouterr().out


def test_recipe_is_recorded(model: Path) -> None:
    recipe = model.with_name("recipe.txt")
    recipe.write_text("strip-float-io{outputs=false}  # inputs only\ncleanup\n")
    assert main(["optimize", str(model), "--passes", f"@{recipe}", "--record", "-q"]) == 0
    (entry,) = [m for m in tflite2x.load(model.with_name("m.custom.tflite")).metadata if m.name == "tflite2x.recipe"]
    assert bytes(entry.data) == b"strip-float-io{outputs=false},cleanup"


def test_verify_differences(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = tflite2x.load(model)
    OneWeight()(changed)
    other = tmp_path / "other.tflite"
    tflite2x.save(changed, other)
    assert main(["verify", str(model), str(other)]) == 1
    assert "first difference: tensor" in capsys.readouterr().out
    assert main(["verify", str(model), str(other), "--json", "--samples", "8", "--max-relative", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"]
    assert not found["equal"]
    assert found["first"]["operator"].endswith("(FULLY_CONNECTED)")


def test_verify_wants_one_interface(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimize", str(model), "-t", "tflite", "-q"]) == 0
    stripped = str(model.with_name("m.tflite.tflite"))
    assert main(["verify", str(model), stripped]) == 2
    assert "'--adapt' converts" in capsys.readouterr().err
    assert main(["verify", stripped, str(model), "--adapt"]) == 0
    assert "equal on 34 samples, bit for bit" in capsys.readouterr().out


def test_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["passes"]) == 0
    assert "strip-float-io" in capsys.readouterr().out
    assert main(["passes", "fixpoint", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"][0]["name"] == "limit"
    assert main(["passes", "strip-float-io"]) == 0
    assert "takes over the name" in capsys.readouterr().out


def test_help_imports_no_pass_and_no_numpy() -> None:
    code = (
        "import sys; from tflite2x.cli import main; main(['optimize', '--help'])\n"
        "assert not [m for m in sys.modules if m == 'numpy' or m.startswith('tflite2x.passes')], sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_custom_pass_is_known_by_its_class(model: Path) -> None:
    @register_pass
    class Sets(Pass):
        name = "test-sets-description"

        def run(self, model: tflite2x.Model) -> tflite2x.PassResult:
            model.description = str(np.float32(1))
            return tflite2x.PassResult(modified=True)

    assert main(["optimize", str(model), "-p", "test-sets-description", "-q"]) == 0
    assert tflite2x.load(model.with_name("m.custom.tflite")).description == "1.0"


@pytest.mark.parametrize(("place", "text"), [("m.tflite", "replace the model"), ("o.tflite", "replace the result")])
def test_a_report_never_replaces_a_model(
    model: Path, place: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, output, report = model.read_bytes(), model.with_name("o.tflite"), model.with_name(place)
    assert main(["optimize", str(model), "-o", str(output), "--report", str(report)]) == 2
    assert text in capsys.readouterr().err
    assert model.read_bytes() == before
    assert not output.exists()


def test_a_report_without_folder_is_found_before_anything_is_written(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = model.with_name("o.tflite")
    assert main(["optimize", str(model), "-o", str(output), "--report", str(model.parent / "no" / "r.json")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.full((2, 1, 28, 28), np.nan, np.float32), "NaN or infinity"),
        (np.full((2, 1, 28, 28), 1j, np.complex64), "complex64"),
        (np.full((2, 1, 28, 28), "a"), "do not fit"),
    ],
)
def test_samples_of_an_integer_model_must_be_numbers(
    models: Path, tmp_path: Path, array: np.ndarray, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "s.npy", array)
    path, output = str(models / "mlp_uint8.tflite"), tmp_path / "o.tflite"
    assert main(["optimize", path, "-o", str(output), "--samples", str(tmp_path / "s.npy")]) == 2
    assert text in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--samples", "99999999999999999999"], "Ask for fewer"),
        (["--samples", "1000000000"], "Ask for fewer"),
        (["--seed", "-1"], "the seed is -1"),
    ],
)
def test_absurd_numbers_are_refused(
    model: Path, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = model.with_name("o.tflite")
    assert main(["optimize", str(model), "-o", str(output), *arguments]) == 2
    assert text in capsys.readouterr().err
    assert not output.exists()
