# SPDX-License-Identifier: Apache-2.0
"""Choices that several commands offer."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class RoundingChoice(enum.StrEnum):
    """Whose integer arithmetic to follow."""

    SINGLE = "single"
    DOUBLE = "double"


class Oracle(enum.StrEnum):
    """Who may give a second opinion."""

    LITERT = "litert"


#: ``--rounding``, where it says whose arithmetic to follow.
Rounding = Annotated[
    RoundingChoice,
    typer.Option(
        help="Whose arithmetic. single: LiteRT as released; double: TFLite Micro. `tflite2x ops` says where they differ"
    ),
]
