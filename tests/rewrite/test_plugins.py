# SPDX-License-Identifier: Apache-2.0
"""Plug-ins: the sample plug-in is installed and used; clashes name both owners; nothing is loaded too early."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tflite2x.errors import PluginError
from tflite2x.ir import Model
from tflite2x.rewrite.registry import Entry, find_pass, library_names, load_entry, merge, register_pass
from tflite2x.schema.tables import MulOptions

SOURCE = Path(__file__).parent.parent / "sample_plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the sample plug-in into a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(SOURCE, folder / "source")
    target = folder / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--disable-pip-version-check", "--target", str(target), str(source)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return target


def tflite2x_with(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from tflite2x.cli import main; sys.exit(main(sys.argv[1:]))"
    root = Path(tflite2x.__file__).parent.parent
    path = os.pathsep.join([str(site), str(root)])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    model = Model.new()
    g = model.main
    x, y = g.add_input("x", (1, 8), "float32"), g.add_tensor("y", (1, 8), "float32")
    g.add_operator("MUL", [x, x], [y], MulOptions())
    g.set_outputs([y])
    path = tmp_path / "squares.tflite"
    tflite2x.save(model, path)
    return path


def test_pass_and_kernel_of_a_plugin_are_used(site: Path, squares: Path) -> None:
    out = squares.with_name("out.tflite")
    done = tflite2x_with(site, "optimize", str(squares), "-p", "square-to-custom{note=hi},cleanup", "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert "1 places rewritten" in done.stdout
    assert "32 samples" in done.stdout
    (op,) = tflite2x.load(out).main.operators
    assert (op.name, bytes(op.custom_options or b"")) == ("SAMPLE_SQUARE", b"hi")
    np.save(squares.with_name("x.npy"), np.full((1, 8), 3, np.float32))
    ran = tflite2x_with(site, "run", str(out), "-i", str(squares.with_name("x.npy")))
    assert "9." in ran.stdout, ran.stderr


def test_plugin_is_listed_with_its_owner(site: Path) -> None:
    assert "square-to-custom" in tflite2x_with(site, "passes").stdout
    shown = tflite2x_with(site, "passes", "square-to-custom").stdout
    assert "square-to-custom (tflite2x-sample-plugin 0.3.0)" in shown
    assert "note: a text" in shown


def test_without_the_plugin_the_name_is_unknown(squares: Path) -> None:
    done = tflite2x_with(squares.parent, "optimize", str(squares), "-p", "square-to-custom")
    assert done.returncode == 2
    assert "there is no pass 'square-to-custom'" in done.stderr


def test_clash_names_both_owners() -> None:
    ours = Entry("cleanup", "tflite2x", "tflite2x.passes.cleanup")
    theirs = Entry("cleanup", "other-package 1.0", "other.module", "Cleanup")
    with pytest.raises(PluginError, match=r"'cleanup' is claimed by tflite2x and by other-package 1.0"):
        merge([ours], [theirs])
    assert merge([ours], [ours]) == {"cleanup": ours}


def test_registering_a_taken_name() -> None:
    from tflite2x.passes.strip_float_io import StripFloatIO

    class Impostor(StripFloatIO):
        name = "cleanup"

    with pytest.raises(PluginError, match="'cleanup' is claimed by tflite2x and by"):
        register_pass(Impostor)

    class Nameless(StripFloatIO):
        name = ""

    with pytest.raises(PluginError, match="the class has no name"):
        register_pass(Nameless)


def test_broken_plugins() -> None:
    with pytest.raises(PluginError, match="cannot be imported: No module named 'nowhere'"):
        load_entry(Entry("x", "owner 1", "nowhere", "X"))
    with pytest.raises(PluginError, match="holds no pass with the name 'x'"):
        load_entry(Entry("x", "owner 1", "tflite2x.passes.cleanup", "Cleanup"))
    with pytest.raises(PluginError, match="holds no pass with the name 'x'"):
        load_entry(Entry("x", "owner 1", "tflite2x.passes.cleanup", "Nothing.inside"))


@pytest.mark.parametrize("name", library_names())
def test_every_pass_of_the_library_loads_and_is_documented(name: str) -> None:
    cls = find_pass(name)
    assert cls.name == name
    text = cls.documentation()
    assert "Claim:" in text
    assert text.splitlines()[0].endswith((".", ".:"))
    assert "::\n\n    " in text, "no drawing"


@pytest.fixture
def third_party(tmp_path: Path) -> Path:
    """Return a folder with two packages, as installed: a broken pass, and names that others have as well."""
    site = tmp_path / "third"
    (site / "third_party").mkdir(parents=True)
    (site / "third_party" / "__init__.py").write_text("")
    (site / "third_party" / "broken.py").write_text("x = undefined_name\n")
    (site / "third_party" / "kernels.py").write_text("def negate(op, inputs):\n    return -inputs[0]\n")
    passes = "[tflite2x.passes]\nbroken = third_party.broken:Broken\n"
    kernels = "[tflite2x.kernels]\nNEGATE = third_party.kernels:negate\n"
    for name, text in (("one", passes + kernels), ("two", kernels), ("three", "[tflite2x.passes]\ncleanup = a.b:C\n")):
        info = site / name / f"third_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: third-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(text)
    return site


def _sites(*folders: Path) -> Path:
    return Path(os.pathsep.join(map(str, folders)))


def test_a_broken_plugin_is_listed_and_hides_no_other(third_party: Path, squares: Path) -> None:
    site = _sites(third_party, third_party / "one")
    listed = tflite2x_with(site, "passes")
    assert listed.returncode == 0, listed.stderr
    assert "the pass 'broken' of third-one 1.0 cannot be imported: NameError: name 'undefined_name'" in listed.stdout
    assert "\ncleanup " in listed.stdout
    used = tflite2x_with(site, "optimize", str(squares), "-p", "broken")
    assert used.returncode == 2
    assert "third-one 1.0 cannot be imported: NameError" in used.stderr


def test_a_pass_of_the_library_that_a_plugin_claims_is_an_error(third_party: Path, squares: Path) -> None:
    site = _sites(third_party, third_party / "three")
    done = tflite2x_with(site, "optimize", str(squares), "-p", "cleanup")
    assert done.returncode == 2
    assert "the pass 'cleanup' is claimed by tflite2x and by third-three 1.0" in done.stderr
    assert tflite2x_with(site, "optimize", str(squares), "-p", "dedupe-buffers", "-q").returncode == 0


def test_a_kernel_that_two_plugins_claim_is_an_error(third_party: Path, tmp_path: Path) -> None:
    model = Model.new()
    g = model.main
    x, y = g.add_input("x", (1, 8), "float32"), g.add_tensor("y", (1, 8), "float32")
    g.add_operator("NEGATE", [x], [y])
    g.set_outputs([y])
    path = tmp_path / "negate.tflite"
    tflite2x.save(model, path)
    np.save(tmp_path / "x.npy", np.full((1, 8), 3, np.float32))
    run = ("run", str(path), "-i", str(tmp_path / "x.npy"))
    assert "-3." in tflite2x_with(_sites(third_party, third_party / "one"), *run).stdout
    done = tflite2x_with(_sites(third_party, third_party / "one", third_party / "two"), *run)
    assert done.returncode == 2
    owners = "third-one 1.0 (third_party.kernels:negate) and by third-two 1.0 (third_party.kernels:negate)"
    assert f"the kernel of the custom operator 'NEGATE' is claimed by {owners}" in done.stderr
