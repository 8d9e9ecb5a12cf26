# SPDX-License-Identifier: Apache-2.0
"""The entry point: finds commands, and turns every error into one line and an exit code.

To add a command ``foo-bar``: write ``tflite2x/cli/foo_bar.py`` with a function ``foo_bar`` (typer reads its signature
and docstring; the docstring's first line is what ``tflite2x --help`` shows), and add ``"foo-bar"`` to COMMANDS below.
The module may import typer and the standard library; everything else is imported inside of the function. The function
raises ``Tflite2xError`` for what went wrong, and ``typer.Exit(1)`` when a check failed and its report is printed.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from tflite2x import __version__
from tflite2x.errors import Tflite2xError

#: Title in ``tflite2x --help`` -> commands, in the order shown.
COMMANDS: dict[str, tuple[str, ...]] = {
    "Rewrite": ("optimize", "set-metadata"),
    "Look": ("inspect", "explain", "ops", "passes", "trace", "report", "diff"),
    "Run": ("run", "evaluate"),
    "Take out": ("extract", "export"),
    "Check": ("verify", "why", "prove", "diagnose"),
}

#: What a shell reports for a program that a signal ended: 128 + SIGINT, 128 + SIGPIPE.
INTERRUPTED, PIPE_CLOSED = 130, 141
FAILED = 2
#: Set this variable to see where an error that should not have happened comes from.
TRACEBACK = "TFLITE2X_TRACEBACK"

# Typer has its own copy of click's exceptions since 0.26, and click's before; this names the right one.
_UsageError: type[Any] = typer.BadParameter.__mro__[1]


class _PipeClosed(Exception):  # noqa: N818 - not an error: whoever read our output has seen enough
    """Standard output was closed by its reader, as by ``| head``."""


class _Interrupted(Exception):  # noqa: N818 - the user's wish
    """Ctrl-C."""


class _Commands(TyperGroup):
    """The commands, each imported when it is called or listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _import(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise _UsageError(f"No such command {args[0]!r}.{_similar(args[0], self.list_commands(ctx))}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, names in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(n, self.get_command(ctx, n).get_short_help_str(100)) for n in names])

    def invoke(self, ctx: Any) -> Any:
        # Typer would handle both itself, differently in each version; 1, one of its exit codes, means a failed check.
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _Interrupted from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise _PipeClosed from error
            raise


def _import(name: str) -> Any:
    identifier = name.replace("-", "_")
    function = getattr(importlib.import_module(f"tflite2x.cli.{identifier}"), identifier)
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(name)(function)
    return typer.main.get_command(single)


def _similar(name: str, names: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, 1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tflite2x {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Load, rewrite, verify and write TFLite models."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words behind the program's name; those of the process by default.

    Returns:
        The exit code: 0 done; 1 the check failed, nothing was written; 2 usage or unreadable input; 130 interrupted;
        141 the reader of standard output went away.
    """
    # Python has None where the descriptor was closed before it started.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # Names in a model can hold characters that the terminal's encoding lacks.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    usual, warnings.formatwarning = warnings.formatwarning, _warning
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except (_PipeClosed, BrokenPipeError):
        _forget_output()
        return PIPE_CLOSED
    finally:
        warnings.formatwarning = usual
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = app(args=None if arguments is None else list(arguments), prog_name="tflite2x", standalone_mode=False)
    except _UsageError as error:
        return _fail(f"{error.format_message()} {_help_hint(error)}".strip(), error.exit_code)
    except Tflite2xError as error:
        return _fail(str(error), error.exit_code)
    except (_Interrupted, typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except MemoryError:
        return _fail("not enough memory", FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", FAILED)
    except (_PipeClosed, SystemExit):
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        text = f"{type(error).__name__}: {error}".replace("\n", " ")
        return _fail(f"this should not happen ({text}). Please report it; {TRACEBACK}=1 shows where.", FAILED)
    return result if isinstance(result, int) else 0


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning as one line for people, without the line of code that gave it."""
    return f"warning: {message}\n"


def _help_hint(error: Any) -> str:
    ctx = getattr(error, "ctx", None)
    return f"See '{ctx.command_path} --help'." if ctx is not None else ""


def _fail(text: str, code: int) -> int:
    """Print what went wrong, without the control characters that names in a file may have."""
    from tflite2x.explain.plain import printable

    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    print("\n".join(printable(line) for line in f"error: {text}".split("\n")), file=sys.stderr)
    return code


def _forget_output() -> None:
    """Give standard output a place where the interpreter's last flush cannot fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
