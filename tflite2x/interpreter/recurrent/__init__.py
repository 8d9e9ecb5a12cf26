# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of the recurrent operators: LSTM cells in float, hybrid and integer form."""
