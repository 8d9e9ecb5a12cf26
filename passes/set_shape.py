# SPDX-License-Identifier: Apache-2.0
"""Give an input another shape, and every tensor behind it the shape that follows.

::

    audio [1, -1] -> ...          ==>  set-shape{input=audio shape=[1 16000]}          audio [1, 16000] -> ...

Refused when the model, run once with the new shape, fails (an operator has the old size written into it). A dimension
of -1 stays open.

Claim: exact. The verifier runs the old model on inputs of the new shape.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.passes._shapes import set_shapes, try_shapes
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.interface import InterfaceChange, Resized
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model, Tensor


@dataclasses.dataclass(frozen=True)
class SetShape(Pass):
    """Give an input another shape, and every tensor behind it the shape that follows.

    Attributes:
        shape: The new shape; -1 leaves a dimension open.
        input: Name of the input, in the model or in a signature; the only one when empty.
    """

    name: ClassVar[str] = "set-shape"
    shape: tuple[int, ...] = ()
    input: str = ""

    def __post_init__(self) -> None:
        if any(d < -1 or d == 0 for d in self.shape):
            raise ValueError(f"shape {list(self.shape)} holds lengths that are neither positive nor -1")

    def _input(self, model: Model) -> Tensor:
        graph = model.main
        aliases = {n: t for s in model.signatures if s.subgraph is graph for n, t in s.inputs.items()}
        found = [t for t in graph.inputs if t.name == self.input] or [t for n, t in aliases.items() if n == self.input]
        if not self.input and len(graph.inputs) == 1:
            found = list(graph.inputs)
        if not found:
            listing = ", ".join(repr(t.name) for t in graph.inputs)
            raise self.error(f"no input is called '{self.input}'", hint=f"Inputs: {listing}.")
        return found[0]

    def requires(self, model: Model) -> None:
        """The input exists and has as many dimensions."""
        tensor = self._input(model)
        if len(self.shape) != len(tensor.shape):
            raise self.error(f"shape {list(self.shape)} for '{tensor.name}', which has {len(tensor.shape)} dimensions")

    def run(self, model: Model) -> PassResult:
        """Take over the shapes of a trial run."""
        result = PassResult()
        tensor = self._input(model)
        graph = tensor.subgraph
        static = tuple(max(1, d) for d in self.shape)
        signature = tuple(self.shape) if -1 in self.shape else None
        if tuple(tensor.shape) == static and (tensor.shape_signature or tensor.shape) == (signature or static):
            return result
        shapes = try_shapes(graph, {tensor: static})
        if isinstance(shapes, str):
            raise self.error(shapes, where=tensor.where)
        # What follows from an input whose shape is now fixed is fixed as well.
        open_elsewhere = any(-1 in (t.shape_signature or ()) for t in graph.inputs if t is not tensor)
        for other in shapes:
            if not open_elsewhere and signature is None:
                other.shape_signature = None
        called = {t for g in model.subgraphs if g is not graph for t in g.inputs}
        followers = [t for t, shape in shapes.items() if t in called and tuple(t.shape) != shape]
        result.count("shapes changed", set_shapes(shapes) or 1)
        tensor.shape_signature = signature
        # Operators such as IF hand the shape on to the subgraphs that they call.
        result.interface += [InterfaceChange("input", t, t, Resized(), "new") for t in (*graph.inputs, *followers)]
        return result
