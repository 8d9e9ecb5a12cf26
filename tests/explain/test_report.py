# SPDX-License-Identifier: Apache-2.0
"""The page of ``tflite2x report``: whole, self-contained, safe, and a browser can show it."""

from __future__ import annotations

import base64
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tflite2x.cli.main import main
from tflite2x.errors import InputError
from tflite2x.explain.page.pictures import histogram_svg, weight_png
from tflite2x.explain.report import layer_errors, report

_VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """Collects what a page is made of, and fails on tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.text: list[str] = []
        self.tags: dict[str, int] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name == "src":
                self.sources.append(value or "")
        if tag not in _VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> without a start"
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("name", ["kws_int8", "mlp_uint8", "dense_3d_int8", "cnn_float"])
def test_the_page_is_whole_and_needs_nothing(name: str, models: Path) -> None:
    model = tflite2x.load(models / f"{name}.tflite")
    text = report(model)
    page = Page(text)
    assert page.stack == []
    assert len(page.ids) == len(set(page.ids))
    assert all(link[1:] in page.ids for link in page.links), page.links
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not re.search(r"https?:|<script|@import|url\(", text)
    boxes = page.tags["g"]
    assert boxes == len(model.main.operators) + len(model.main.inputs) + len(model.main.outputs)
    words = "".join(page.text)
    for op in model.main.operators:
        assert op.name in words
    for title in ("Graph", "Sizes", "Operators", "Quantization", "Weights"):
        assert title in words
    assert text == report(model)  # nothing random, no time


def test_errors_by_layer(models: Path) -> None:
    model = tflite2x.load(models / "kws_int8.tflite")
    with np.load(models / "kws_eval.npz") as file:
        data = dict(file)
    errors = layer_errors(model, data, samples=16)
    assert errors.samples == 16
    assert errors.accuracy is not None
    assert errors.accuracy[0] > 0.8
    assert len(errors.comparison.pairs) == 11
    page = "".join(Page(report(model, errors)).text)
    assert "Error by layer" in page
    assert "16 samples" in page
    other = layer_errors(model, data, other=tflite2x.load(models / "kws_float.tflite"), samples=4)
    assert "kws_float.tflite" in other.reference
    with pytest.raises(InputError, match="no array 'x'"):
        layer_errors(model, {"y": data["y"]})
    with pytest.raises(InputError, match="no samples"):
        layer_errors(model, {"x": data["x"][:0]})


def test_integer_samples_stand_for_real_numbers(models: Path) -> None:
    model = tflite2x.load(models / "dense_3d_int8.tflite")
    x = np.random.default_rng(0).integers(-128, 128, (5, 16, 48), dtype=np.int8)
    errors = layer_errors(model, {"x": x})
    assert errors.comparison.pairs[0].snr is not None
    assert errors.comparison.pairs[0].snr > 100
    assert errors.comparison.pairs[-1].snr is not None
    assert errors.comparison.pairs[-1].snr > 10


def test_names_from_a_file_are_text_and_nothing_else() -> None:
    model = tflite2x.Model.new("<script>alert(1)</script>\x1b[31m")
    g = model.main
    x = g.add_input('"><img src=x onerror=alert(1)>', (1, 4), "float32")
    y = g.add_tensor("</svg><b>&amp;\u202e", (1, 4), "float32")
    g.add_operator("<evil>&", [x], [y], custom_options=b"")
    g.set_outputs([y])
    text = report(model)
    page = Page(text)
    assert page.stack == []
    assert "img" not in page.tags
    assert "script" not in page.tags
    assert "\x1b" not in text
    assert "<evil>&" in "".join(page.text)


def test_many_operators_and_subgraphs_stay_readable() -> None:
    from tflite2x.schema.tables import AddOptions

    model = tflite2x.Model.new()
    g = model.main
    x = g.add_input("x", (1, 4), "float32")
    last = x
    for i in range(300):
        new = g.add_tensor(f"t{i}", (1, 4), "float32")
        g.add_operator("ADD", [last, x], [new], AddOptions())
        last = new
    g.set_outputs([last])
    model.add_subgraph("second")
    text = report(model)
    assert Page(text).stack == []
    width = int(re.search(r'<svg class="graph"[^>]*width="(\d+)"', text)[1])  # type: ignore[index]
    assert width < 1200
    assert len(text) < 500_000


def test_pictures_show_the_weights() -> None:
    values = np.zeros((3, 4), np.int8)
    values[1, 2], values[2, 0] = 100, -100
    data = weight_png(values, 0)
    raw = base64.b64decode(data.split(",")[1])
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", raw[16:24])
    body = zlib.decompress(raw[raw.index(b"IDAT") + 4 : raw.index(b"IEND") - 8])
    pixels = np.frombuffer(body, np.uint8).reshape(height, 1 + 3 * width)[:, 1:].reshape(height, width, 3)
    colours = {tuple(int(v) for v in c) for c in pixels.reshape(-1, 3)}
    assert {(178, 24, 43), (33, 102, 172), (255, 255, 255)} <= colours
    for shape, axis in (((8, 3, 3, 5), 0), ((1, 3, 3, 7), 3), ((10, 784), 0), ((2, 1), 0), ((300, 2), 0)):
        assert weight_png(np.random.default_rng(0).normal(size=shape), axis).startswith("data:image/png")
    assert weight_png(np.zeros((2, 2)), 0)
    assert histogram_svg(np.array([]), "empty") == ""
    assert histogram_svg(np.array([1.0, 1.0]), "one value").count("<rect") == 1


def test_the_command_writes_one_file(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "page.html"
    model, data = str(models / "logistic_int8.tflite"), str(models / "digits_eval.npz")
    assert main(["report", model, "-o", str(target), "--data", data, "--samples", "8"]) == 0
    assert "page.html" in capsys.readouterr().out
    assert "8 samples of digits_eval.npz" in target.read_text()
    before = target.read_bytes()
    assert main(["report", model, "-o", str(target), "--data", str(models / "MANIFEST.json")]) == 2
    assert main(["report", model, "-o", str(target), "--against", model]) == 2
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_the_page_never_replaces_the_model_or_the_data(tmp_path: Path, models: Path) -> None:
    model = Path(shutil.copy(models / "logistic_int8.tflite", tmp_path))
    before = model.read_bytes()
    assert main(["report", str(model), "-o", str(model)]) == 2
    assert model.read_bytes() == before


@pytest.mark.parametrize("value", [np.nan, 1j])
def test_samples_must_be_real_numbers(
    tmp_path: Path, models: Path, value: complex, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "data.npz", x=np.full((2, 28, 28), value))
    arguments = ["report", str(models / "mlp_uint8.tflite"), "-o", str(tmp_path / "page.html")]
    assert main([*arguments, "--data", str(tmp_path / "data.npz")]) == 2
    assert "NaN" in capsys.readouterr().err or isinstance(value, complex)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium")
def test_a_browser_shows_it(tmp_path: Path, models: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(report(tflite2x.load(models / "cnn_int8.tflite")))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync",
               f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    shown: Any = Page(re.sub(r"<!DOCTYPE[^>]*>", "", done.stdout))
    assert shown.tags["g"] == 10
    assert shown.tags["img"] == 5


def test_a_picture_of_infinite_weights() -> None:
    weights = np.array([[np.inf, 1.0], [-np.inf, np.nan]], np.float32)
    assert weight_png(weights, 0)
