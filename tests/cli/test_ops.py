# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

import tflite2x
from tflite2x.cli import main
from tflite2x.interpreter import unregister_kernel


def test_json_lists_kernels_with_types(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "--json"]) == 0
    kernels = {k["name"]: k for k in json.loads(capsys.readouterr().out)}
    assert not kernels["FULLY_CONNECTED"]["custom"]
    assert any("int8" in types for types in kernels["FULLY_CONNECTED"]["types"])
    assert kernels["FULLY_CONNECTED"]["verified"]
    assert list(kernels) == sorted(kernels, key=lambda name: (kernels[name]["custom"], name))


def test_text_counts_them_and_shows_kernels_of_users(capsys: pytest.CaptureFixture[str]) -> None:
    tflite2x.register_kernel("MyOwnOperator", lambda op, inputs: inputs[0])
    try:
        assert main(["ops"]) == 0
    finally:
        unregister_kernel("MyOwnOperator")
    *lines, _, last = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["operator", "types", "verified", "against"]
    assert last == f"{sum(not line.startswith(' ') for line in lines) - 1} operators"
    assert any(line.startswith("MyOwnOperator (custom)") for line in lines)
