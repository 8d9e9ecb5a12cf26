# SPDX-License-Identifier: Apache-2.0
"""The entry point: light imports, one line per error, exit codes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tflite2x import __version__, errors
from tflite2x.cli import main

cli = importlib.import_module("tflite2x.cli.main")
NAMES = [name for names in cli.COMMANDS.values() for name in names]
HEAVY = ("numpy", "networkx", "tflite", "flatbuffers", "ml_dtypes", "rich", "pydantic")


def python(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], [], *([name, "--help"] for name in NAMES)], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom tflite2x.cli import main\ncode = main(sys.argv[1:])\n"
        f"print(sorted(set(sys.modules) & set({HEAVY})), file=sys.stderr)\nsys.exit(code)"
    )
    result = python(code, *arguments)
    assert (result.returncode, result.stderr.strip()) == (0, "[]")
    assert result.stdout


def test_help_lists_every_command_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in NAMES:
        identifier = name.replace("-", "_")
        function = getattr(importlib.import_module(f"tflite2x.cli.{identifier}"), identifier)
        summary = function.__doc__.strip().split("\n\n")[0].rstrip(".")
        assert f" {name} {summary.split('.')[0][:50]}" in text


def test_every_command_file_is_registered() -> None:
    helpers = {"__init__", "main", "progress", "arrays"}
    files = {path.stem for path in Path(str(cli.__file__)).parent.glob("*.py")} - helpers
    commands = {name.replace("-", "_") for name in NAMES}
    assert commands <= files
    unregistered = {
        stem
        for stem in files - commands
        if callable(getattr(importlib.import_module(f"tflite2x.cli.{stem}"), stem, None))
    }
    assert unregistered == set()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tflite2x {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspec"], "No such command 'inspec'. Did you mean 'inspect'? See 'tflite2x --help'."),
        (["--nonsense"], "--nonsense"),
        (["inspect"], "Missing argument 'MODEL'. See 'tflite2x inspect --help'."),
        (["inspect", "a", "b"], "unexpected extra argument"),
        (["inspect", "--nonsense", "a"], "No such option: --nonsense"),
        (["inspect", "/nonexistent/model.tflite"], "/nonexistent/model.tflite: cannot be read"),
        (["run", "--rounding", "third", "a"], "'third' is not one of"),
        (["verify", "a", "b", "--max-lsb", "nan"], "nan is no tolerance"),
        (["verify", "a", "b", "--max-relative", "-1"], "-1 is no tolerance"),
    ],
)
def test_usage_errors_are_one_line_and_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let ``tflite2x ops`` do what a test wants."""

    def install(function: Any) -> None:
        import tflite2x.explain.ops

        monkeypatch.setattr(tflite2x.explain.ops, "operators", function)

    return install


def raising(error: BaseException) -> Any:
    def function() -> None:
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (errors.VerificationError("outputs differ", where="pass xc-fc"), 1, "pass xc-fc: outputs differ"),
        (errors.PassError("it broke", hint="Leave it out."), 1, "it broke. Leave it out."),
        (errors.FormatError("no model"), 2, "no model"),
        (
            errors.UnsupportedError("no kernel", where="operators[0] (a\x1b[31m)"),
            2,
            "operators[0] (a\\x1b[31m): no kernel",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 2, "not enough memory"),
        (OSError(28, "No space left on device", "out.npz"), 2, "out.npz: No space left on device"),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, text: str, command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(error))
    assert main(["ops"]) == code
    assert capsys.readouterr().err.strip() == f"error: {text}"


def test_a_bug_is_one_line_with_a_way_to_the_traceback(
    command: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command(raising(ZeroDivisionError("two\nlines")))
    assert main(["ops"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "ZeroDivisionError: two lines" in message
    assert cli.TRACEBACK in message
    monkeypatch.setenv(cli.TRACEBACK, "1")
    with pytest.raises(ZeroDivisionError):
        main(["ops"])


def test_a_reader_that_goes_away_is_not_an_error() -> None:
    # `true` reads nothing; the output is longer than a pipe holds, so that writing must fail.
    code = (
        "import sys\nimport tflite2x.explain.ops as o\no.render = lambda kernels: 'x' * 10**6\n"
        "from tflite2x.cli import main\nsys.exit(main(['ops']))"
    )
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    os.close(read)
    _, message = process.communicate()
    assert (process.returncode, message) == (141, "")


def test_python_m_is_the_same_program() -> None:
    result = subprocess.run([sys.executable, "-m", "tflite2x", "--version"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, f"tflite2x {__version__}\n")


def test_names_outside_of_the_terminals_encoding_do_not_stop_it(tmp_path: Path) -> None:
    import tflite2x

    model = tflite2x.Model.new()
    x = model.main.add_input("größe\x1b[31m", (1,), "float32")
    model.main.set_outputs([x])
    tflite2x.save(model, tmp_path / "m.tflite")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        [sys.executable, "-m", "tflite2x", "inspect", str(tmp_path / "m.tflite")],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "gr\\xf6\\xdfe\\x1b[31m" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("arguments", [["passes"], ["passes", "no-such-pass"], ["--help"]])
def test_a_closed_output_is_no_error(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "tflite2x", *arguments]
    shell = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True)
    assert shell.returncode == (2 if "no-such-pass" in arguments else 0)
    assert "Traceback" not in shell.stderr
    silent = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command])
    assert silent.returncode == shell.returncode
