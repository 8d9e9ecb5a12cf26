# SPDX-License-Identifier: Apache-2.0
"""Writers of C, Rust and NumPy reference code.

>>> from tflite2x.export import export
>>> export(tflite2x.load("model.tflite"), "folder", lang="c", test_vectors=100)
"""

from tflite2x.export.exporting import LANGUAGES, export

__all__ = ["LANGUAGES", "export"]
