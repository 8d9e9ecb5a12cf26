# SPDX-License-Identifier: Apache-2.0
"""Every model of the corpus is exported, compiled and equal, or refused with reasons before anything is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tflite2x
from tests.export.build import check

#: Language -> every how many models, and how many of them must be exported.
SHARES = {"c": (1, 600), "numpy": (6, 95), "rust": (20, 28)}


@pytest.mark.sweep
@pytest.mark.parametrize("lang", SHARES)
def test_every_model_is_equal_or_refused(corpus: Path, tmp_path: Path, lang: str) -> None:
    every, least = SHARES[lang]
    index = sorted(json.loads((corpus / "index.json").read_text()), key=lambda e: (e["size"], e["path"]))
    refused: list[str] = []
    chosen = index[::every]
    for number, entry in enumerate(chosen):
        folder = tmp_path / str(number)
        try:
            check(tflite2x.load(corpus / entry["path"]), lang, folder, 3, fewer=True)
        except tflite2x.Tflite2xError as error:
            refused.append(f"{entry['path']}: {error}")
            assert not folder.exists()
        except AssertionError as error:
            raise AssertionError(entry["path"]) from error
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{len(chosen) - len(refused)} of {len(chosen)} models exported and equal; refused:", *refused, sep="\n  ")
    assert len(chosen) - len(refused) >= least


@pytest.mark.parametrize("lang", SHARES)
def test_a_few_models(corpus: Path, tmp_path: Path, lang: str) -> None:
    paths = (
        "tensorflow+tflite-micro/tensorflow/lite/micro/models/keyword_scrambled_8bit.tflite",
        "tensorflow+tflite-micro/tensorflow/lite/micro/examples/mnist_lstm/trained_lstm_int8.tflite",
        "google-ai-edge+ai-edge-quantizer/ai_edge_quantizer/tests/models/partly_quantized_mnist.tflite",
    )
    for path in paths if lang != "rust" else paths[:1]:
        check(tflite2x.load(corpus / path), lang, tmp_path / Path(path).stem, 5)
