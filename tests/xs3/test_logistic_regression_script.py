# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import re
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent.parent


def test_the_example_prints_its_table_and_draws_its_figures(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "logistic_regression.py"), "-o", str(tmp_path), "--samples", "40"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    rows = re.findall(r"^  (.+?) +(\d+\.\d\d) %", out, re.MULTILINE)
    accuracies = {name: float(value) for name, value in rows}
    assert list(accuracies) == [
        "float", "quantized (TFLite)", "vector unit, as in 2019", "XC_fc, parameters of 2021", "XC_fc, best parameters"
    ]  # fmt: skip
    assert min(accuracies.values()) > 90
    assert "at most 1 LSB from TFLite" in out
    drawn = {"input.svg": 4, "weights.svg": 10, "weight_errors.svg": 0, "output_errors.svg": 0}
    for name, pictures in drawn.items():
        root = ElementTree.fromstring((tmp_path / name).read_text())
        found = root.findall("{http://www.w3.org/2000/svg}image")
        assert len(found) == pictures
        for image in found:
            data = base64.b64decode(image.attrib["href"].removeprefix("data:image/png;base64,"))
            assert data[:8] == b"\x89PNG\r\n\x1a\n"
            start = data.index(b"IDAT") + 4
            assert len(zlib.decompress(data[start:-16])) == 28 * (1 + 3 * 28)
