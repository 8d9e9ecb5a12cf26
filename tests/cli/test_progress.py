# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import pytest

from tflite2x.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("tflite2x.cli.progress.time.monotonic", lambda: now[0])
    return now


def test_quiet_work_shows_nothing(clock: list[float]) -> None:
    stream = Terminal()
    with progress.Progress("running", 10, stream=stream) as bar:
        for _ in range(10):
            clock[0] += 0.09
            bar.step()
    assert stream.getvalue() == ""


def test_long_work_shows_a_line_and_takes_it_away(clock: list[float]) -> None:
    stream = Terminal()
    with progress.Progress("running", 360, stream=stream) as bar:
        clock[0] += 1.5
        bar.step(12)
        assert stream.getvalue() == "\rrunning 12/360 (3%)"
        bar.step(1)  # too early for an update
        clock[0] += 0.2
        bar.step(347, "writing")
    assert stream.getvalue().split("\r")[2:] == ["writing 360/360 (100%)", " " * 22, ""]


def test_without_a_total_it_counts(clock: list[float]) -> None:
    stream = Terminal()
    with progress.Progress("samples", stream=stream) as bar:
        clock[0] += 2
        bar.step(5)
    assert stream.getvalue().startswith("\rsamples 5")


def test_a_file_gets_nothing(clock: list[float]) -> None:
    stream = io.StringIO()
    with progress.Progress("running", 10, stream=stream) as bar:
        clock[0] += 5
        bar.step(3)
    assert stream.getvalue() == ""
