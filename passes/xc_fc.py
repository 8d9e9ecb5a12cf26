# SPDX-License-Identifier: Apache-2.0
"""Replace int8 FULLY_CONNECTED by XC_fc, XMOS's operator for xcore.ai, with a proof for each.

::

    x [1, C_in]                                   x [1, C_in]
     |   weights int8 [C_out, C_in]                |   XC_fc_0/weights int8 [C_out, P]
     |    |  bias int32 [C_out]                    |    |  XC_fc_0/bias_shift_scale int16 [G, 7, 16]
    FULLY_CONNECTED                       ==>     XC_fc
     |                                             |
    y [1, C_out]                                  XC_fc_0/output [1, C_out]

The largest difference between the two, over all int8 inputs and for both roundings of TFLite, is computed exactly. A
layer with more than ``max-lsb`` is left alone, and so is what XC_fc cannot compute: several rows, other types, computed
weights, weights with a zero point, sums that can leave 32 bits. A fused activation that the parameters cannot hold
becomes an operator of its own. Equal constants share their bytes, so that layers which repeat weights still do. Run
`conv-to-fc` and `bypass-reshape` before, to bring more layers into this form.

P is C_in rounded up to a multiple of 4, G the number of groups of 16 channels. The output takes its new name unless it
is an output of the subgraph. Tensors that nothing uses any more are removed.

Options: ``params`` chooses how the parameters are found: ``best`` (fewest differences), or ``2021`` (XMOS's formulas,
byte for byte). ``threads`` (1 to 5) is written into the operator's options; it does not change results. ``max-lsb`` is
the largest difference allowed. ``rounding`` names the TFLite that ``best`` aims at: ``single`` for LiteRT, ``double``
for TFLite Micro.

Claim: at most as many LSB as proved, per operator; exact where no input makes a difference.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tflite2x.errors import PipelineError, UnsupportedError
from tflite2x.passes._common import drop_if_unused
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult
from tflite2x.schema.enums import BuiltinOperator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tflite2x.ir import Buffer, Model, Operator, Subgraph, Tensor
    from tflite2x.xs3.substitution import Substitution


@dataclasses.dataclass(frozen=True)
class XcFc(Pass):
    """Replace int8 FULLY_CONNECTED by XC_fc, with a proof for each.

    Attributes:
        params: ``best`` or ``2021``.
        threads: Hardware threads, 1 to 5.
        max_lsb: Largest difference from TFLite that is accepted.
        rounding: The TFLite that ``best`` aims at.
    """

    name: ClassVar[str] = "xc-fc"
    params: Literal["best", "2021"] = "best"
    threads: int = 1
    max_lsb: int = 1
    rounding: Literal["single", "double"] = "single"

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            PipelineError: One is out of range.
        """
        if not 1 <= self.threads <= 5:
            raise PipelineError(f"threads is {self.threads}", where=f"pass {self.name}", hint="Choose 1 to 5.")
        if self.max_lsb < 0:
            raise PipelineError(f"max-lsb is {self.max_lsb}", where=f"pass {self.name}", hint="Choose 0 or more.")

    def run(self, model: Model) -> PassResult:
        """Replace every operator that qualifies."""
        result, made = PassResult(), _Made(model)
        for graph in model.subgraphs:
            for op in graph.operators:
                if op.opcode == BuiltinOperator.FULLY_CONNECTED and sites.allowed(op):
                    self._visit(op, made, result)
        return result

    def _visit(self, op: Operator, made: _Made, result: PassResult) -> None:
        from tflite2x.xs3.substitution import substitute

        try:
            found = substitute(op, self.params, self.rounding, self.max_lsb, made.substitutions)
        except UnsupportedError as error:
            result.leave(op, error.what)
            return
        if found.unproved:
            result.leave(op, f"not proved against every TFLite: {found.unproved}")
            return
        if found.bound > self.max_lsb:
            result.leave(op, f"it could differ from TFLite by {found.bound} LSB, more than max-lsb={self.max_lsb}")
            return
        result.replace(op, _describe(found))
        result.count("FULLY_CONNECTED replaced by XC_fc")
        if found.bound:
            result.at_most(found.bound, "proved for every int8 input")
        if found.clamp is not None:
            result.count(f"{found.clamp} split off")
        self._replace(op, found, made)

    def _replace(self, op: Operator, found: Substitution, made: _Made) -> None:
        from tflite2x.xs3 import options
        from tflite2x.xs3.operator import CUSTOM_CODE

        graph, out = op.subgraph, op.outputs[0]
        x, *constants = op.inputs
        label = made.free_label()
        if found.clamp is not None:
            activated = out
            out = graph.add_tensor(
                None, out.shape, out.dtype, quantization=out.quantization, shape_signature=out.shape_signature
            )
            op.set_output(0, out)
            graph.add_operator(found.clamp, [out], [activated], index=op.index + 1)
        if not _is_interface(out):
            out.name = f"{label}/output"
        weights = made.constant(graph, f"{label}/weights", found.weights)
        bso = made.constant(graph, f"{label}/bias_shift_scale", found.bso)
        op.set_inputs([x, weights, bso])
        op.set_code(CUSTOM_CODE, version=1)
        op.options = None
        channels, columns = found.layer.weights.shape
        op.custom_options = options.encode(options.plan(channels, columns, self.threads))
        drop_if_unused(*constants)


def _describe(found: Substitution) -> str:
    texts = {"single": "LiteRT", "double": "TFLite Micro"}
    proofs = ", ".join(f"{texts[r]} {p.bound} LSB at {100 * p.share:.4f} %" for r, p in found.proofs.items())
    behind = f", followed by {found.clamp}" if found.clamp is not None else ""
    return f"XC_fc{behind}; largest difference and share of accumulators with one: {proofs}"


def _is_interface(tensor: Tensor) -> bool:
    """Whether callers may know the tensor by its name."""
    return tensor.is_output or any(
        entry.tensor is tensor for s in tensor.subgraph.model.signatures for entry in s.output_entries
    )


class _Made:
    """What one run of the pass has made already; equal layers and constants are made once.

    Attributes:
        substitutions: By layer.
    """

    def __init__(self, model: Model) -> None:
        self.substitutions: dict[Hashable, Substitution] = {}
        self._names = {t.name for g in model.subgraphs for t in g.tensors}
        self._numbers = itertools.count()
        self._buffers: dict[tuple[str, bytes], Buffer] = {}

    def free_label(self) -> str:
        """Return ``XC_fc_<k>`` with the next number that no tensor of the model uses."""
        return next(f"XC_fc_{k}" for k in self._numbers if f"XC_fc_{k}/weights" not in self._names)

    def constant(self, graph: Subgraph, name: str, array: NDArray[Any]) -> Tensor:
        """Add a constant; where an equal one was added, both share its buffer."""
        key = array.dtype.name, array.tobytes()
        if key not in self._buffers:
            tensor = graph.add_constant(name, array)
            self._buffers[key] = tensor.buffer
        else:
            tensor = graph.add_tensor(name, array.shape, array.dtype.name)
            tensor.buffer = self._buffers[key]
        return tensor
