# SPDX-License-Identifier: Apache-2.0
"""``python -m tflite2x`` is ``tflite2x``."""

from __future__ import annotations

import sys

from tflite2x.cli import main

if __name__ == "__main__":
    sys.exit(main())
