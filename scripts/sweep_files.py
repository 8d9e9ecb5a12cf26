# SPDX-License-Identifier: Apache-2.0
"""Load and save a whole corpus, judged by an independent reader and LiteRT, and mutate its small files.

    TFLITE2X_CORPUS=folder python scripts/sweep_files.py [--round-trip] [--mutate]

The checks are the sweep tests of tests/ir: every field equal in the object API that ships with ai-edge-litert, a second
save with the same bytes, LiteRT's outputs equal before and after; and 100,000 mutated files of which none may end in
anything but a typed error.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--round-trip", action="store_true")
    parser.add_argument("--mutate", action="store_true")
    args = parser.parse_args()
    if not os.environ.get("TFLITE2X_CORPUS"):
        parser.error("set TFLITE2X_CORPUS")
    os.chdir(Path(__file__).parent.parent)
    both = args.round_trip == args.mutate
    tests = ["tests/ir/test_corpus_round_trip.py"] if args.round_trip or both else []
    tests += ["tests/ir/test_malformed.py"] if args.mutate or both else []
    return pytest.main(["-q", "-s", "-m", "sweep", "--durations=5", *tests])


if __name__ == "__main__":
    sys.exit(main())
