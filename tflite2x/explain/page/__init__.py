# SPDX-License-Identifier: Apache-2.0
"""The parts of the page that ``tflite2x report`` writes: graph, tables, pictures. Nothing in it comes from outside."""
