# SPDX-License-Identifier: Apache-2.0
"""A line that says how far a long command is: only on a terminal, only when the work takes more than a second."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

#: Seconds before the line appears, and between two updates.
DELAY, INTERVAL = 1.0, 0.1


class Progress:
    """Shows ``label 12/360 (3%)`` on standard error, and takes it away at the end.

    ::

        with Progress("running", total=360) as progress:
            for chunk in chunks:
                ...
                progress.step(len(chunk))

    Args:
        label: What is done.
        total: Number of steps, or None when it is not known.
        stream: Where to write; standard error by default. Nothing is written unless it is a terminal.
    """

    def __init__(self, label: str, total: int | None = None, *, stream: TextIO | None = None) -> None:
        self._label = label
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._enabled = self._stream.isatty()
        self._done = 0
        self._next = time.monotonic() + DELAY
        self._shown = 0

    def step(self, count: int = 1, label: str | None = None) -> None:
        """Say that ``count`` more steps are done.

        Args:
            count: Number of steps.
            label: What is done next; default: as before.
        """
        self._done += count
        self._label = label or self._label
        now = time.monotonic()
        if self._enabled and now >= self._next:
            self._next = now + INTERVAL
            self._show()

    def _show(self) -> None:
        text = f"{self._label} {self._done}"
        if self._total:
            text = f"{self._label} {self._done}/{self._total} ({100 * self._done // self._total}%)"
        text = text[: shutil.get_terminal_size().columns - 1]
        self._stream.write("\r" + text.ljust(self._shown))
        self._stream.flush()
        self._shown = len(text)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._stream.write("\r" + " " * self._shown + "\r")
            self._stream.flush()
