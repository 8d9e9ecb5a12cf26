# SPDX-License-Identifier: Apache-2.0
"""The machinery behind ``tflite2x diagnose``: operators by recipe, a catalogue of mistakes, and the search."""
