# SPDX-License-Identifier: Apache-2.0
"""What a model is, and why numbers differ: functions that return data, and renderers that print it."""
