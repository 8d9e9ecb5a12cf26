# SPDX-License-Identifier: Apache-2.0
"""Repeat passes until a whole round changes nothing.

``fixpoint{limit=5}(fold-constants,remove-identities)`` runs both passes in turn. It stops after the first round in
which neither changed the model. When ``limit`` rounds were not enough, the passes undo each other's work, and that is
an error.

::

    round  fold-constants              remove-identities
    1      SHAPE -> PACK is folded     the RESHAPE that it fed goes
    2      no change                   no change                      ==>  done

Claim: that of its members.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.group import Group


@dataclasses.dataclass(frozen=True)
class Fixpoint(Group):
    """Repeat passes until a whole round changes nothing.

    Attributes:
        passes: The members.
        limit: Rounds after which the group gives up with an error; 2 or more.
    """

    name: ClassVar[str] = "fixpoint"
    passes: tuple[Pass, ...] = dataclasses.field(default=(), metadata={"body": True})
    limit: int = 20

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValueError: There are fewer than two rounds: the last one is there to see that nothing changes any more.
        """
        if self.limit < 2:
            raise ValueError(f"limit is {self.limit}; the first round changes, another one sees that all is done: 2")

    def members(self) -> tuple[Pass, ...]:
        """Return the passes of this group in order."""
        return self.passes

    def rounds(self) -> int:
        """Return the bound on the number of rounds."""
        return self.limit
