# SPDX-License-Identifier: Apache-2.0
"""Order of execution: the stable topological sort behind every edit."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tflite2x.errors import GraphError

if TYPE_CHECKING:
    from tflite2x.ir.operator import Operator
    from tflite2x.ir.tensor import Tensor


def stable_order(
    operators: Sequence[Operator], producer: Callable[[Tensor], Operator | None], where: str
) -> list[Operator]:
    """Return the operators with each one behind the producers of its inputs.

    Operators in a good order come back as they are. Otherwise Kahn's algorithm takes, among the operators that are
    ready, the one that stood first, so only what has to move moves.

    Args:
        operators: The operators.
        producer: Says which operator computes a tensor.
        where: The place for messages.

    Raises:
        GraphError: There is a cycle; names operators on it.
    """
    position = {op: i for i, op in enumerate(operators)}
    needs = [
        {position[p] for t in op._inputs if t is not None for p in [producer(t)] if p is not None} for op in operators
    ]
    if all(not n or max(n) < i for i, n in enumerate(needs)):
        return list(operators)
    users: list[list[int]] = [[] for _ in operators]
    for i, need in enumerate(needs):
        for j in need:
            users[j].append(i)
    missing = [len(n) for n in needs]
    ready = [i for i, n in enumerate(missing) if not n]
    order = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for user in users[i]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, user)
    if len(order) < len(operators):
        stuck = _cycle(needs, {i for i, n in enumerate(missing) if n})
        names = " -> ".join(f"operators[{i}] ({operators[i].name})" for i in stuck)
        raise GraphError(f"operators form a cycle: {names}", where=where, hint="Break it where data flows backwards.")
    return [operators[i] for i in order]


def _cycle(needs: list[set[int]], stuck: set[int]) -> list[int]:
    """Walk from need to need inside ``stuck`` until an operator comes again; return that loop in data order."""
    path: list[int] = []
    seen: dict[int, int] = {}
    i = min(stuck)
    while i not in seen:
        seen[i] = len(path)
        path.append(i)
        i = min(n for n in needs[i] if n in stuck)
    loop = path[seen[i] :]
    return [*loop, loop[0]][::-1]
