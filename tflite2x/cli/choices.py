# SPDX-License-Identifier: Apache-2.0
"""Choices that several commands offer."""

from __future__ import annotations

import enum


class RoundingChoice(enum.StrEnum):
    """Whose integer arithmetic to follow."""

    SINGLE = "single"
    DOUBLE = "double"


class Oracle(enum.StrEnum):
    """Who may give a second opinion."""

    LITERT = "litert"
