# SPDX-License-Identifier: Apache-2.0
"""A plug-in of tflite2x: one pass and one kernel."""
