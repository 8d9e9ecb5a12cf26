# SPDX-License-Identifier: Apache-2.0
"""The pass library: one file per pass, file name = pass name, module docstring = its documentation."""

if __name__ == "passes":
    raise ImportError("Import tflite2x.passes instead: under the name 'passes' every pass class would exist twice.")
