# SPDX-License-Identifier: Apache-2.0
"""Remove SOFTMAX at the outputs: callers that only want the largest class do not need it.

::

    ... -> logits -> SOFTMAX -> y (output)                  ==>     ... -> logits (output)
    ... -> logits -> SOFTMAX -> p -> DEQUANTIZE -> y        ==>     ... -> logits -> DEQUANTIZE -> y

The output keeps its name; its scale and its meaning are those of the logits. SOFTMAX keeps the order of the values
(with a positive ``beta``; others are left alone).

Claim: exact. The verifier applies the removed operators to the new output and compares with the old one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.passes._common import called_subgraphs, drop_if_unused, entry_subgraphs
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.extract import extract
from tflite2x.rewrite.interface import Adapter, InterfaceChange, conversion_adapter, describe_type, join_adapters
from tflite2x.rewrite.result import PassResult
from tflite2x.schema.enums import BuiltinOperator as Op

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor


@dataclasses.dataclass(frozen=True)
class RemoveOutputSoftmax(Pass):
    """Remove SOFTMAX at the outputs."""

    name: ClassVar[str] = "remove-output-softmax"

    def run(self, model: Model) -> PassResult:
        """Look at the outputs of every subgraph that is entered from outside."""
        result = PassResult()
        called = called_subgraphs(model)
        for graph in entry_subgraphs(model):
            for output in graph.outputs:
                chain = _chain(output)
                if chain is None:
                    continue
                reason = f"operators call {graph.where}" if graph in called else _obstacle(output, *chain)
                if reason:
                    result.leave(output, reason)
                elif sites.allowed(chain[0]):
                    _remove(graph, output, *chain, result)
        return result


def _chain(output: Tensor) -> tuple[Operator, Operator | None] | None:
    """Return the SOFTMAX in front of an output, and the DEQUANTIZE between them if there is one."""
    last = output.producer
    if last is None:
        return None
    if last.opcode == Op.SOFTMAX:
        return last, None
    source = last.inputs[0] if last.opcode == Op.DEQUANTIZE else None
    before = source.producer if source is not None else None
    return (before, last) if before is not None and before.opcode == Op.SOFTMAX else None


def _obstacle(output: Tensor, softmax: Operator, dequantize: Operator | None) -> str:
    logits = softmax.inputs[0]
    assert logits is not None
    beta = softmax.options.beta if softmax.options is not None else 1.0
    if not beta > 0:
        return f"beta of SOFTMAX is {beta:g}: the order of the logits is another one"
    if output.uses:
        return f"{sites.place(output.consumers[0])} reads the output as well"
    if dequantize is not None:
        inner = softmax.outputs[0]
        if inner.is_output or len(inner.consumers) > 1:
            return f"'{inner.name}', the result of SOFTMAX, is used elsewhere as well"
    if output.subgraph.outputs.count(output) > 1:
        return "it is an output more than once"
    if logits.producer is None:
        return f"SOFTMAX reads '{logits.name}', which no operator computes"
    if logits.producer.opcode == Op.SOFTMAX or (dequantize is None and _chain(logits) is not None):
        return f"SOFTMAX reads '{logits.name}', the result of another SOFTMAX"
    if logits.is_output:
        return f"'{logits.name}', which SOFTMAX reads, is an output already"
    return ""


def _remove(
    graph: Subgraph, output: Tensor, softmax: Operator, dequantize: Operator | None, result: PassResult
) -> None:
    logits = softmax.inputs[0]
    assert logits is not None
    result.replace(softmax, f"removed: output '{output.name}' holds logits now")
    result.count("softmax removed")
    removed = extract(graph, [logits], [output])
    text = f"SOFTMAX {describe_type(logits)} -> {describe_type(output)}"
    if dequantize is None:
        graph.replace_output(output, logits)
        graph.remove_operator(softmax)
        output.name, logits.name = logits.name, output.name
        drop_if_unused(output)
        result.interface.append(InterfaceChange("output", output, logits, Adapter(removed, text), "new"))
        return
    back = conversion_adapter("QUANTIZE", output, logits)
    dequantize.set_input(0, logits)
    inner = softmax.outputs[0]
    graph.remove_operator(softmax)
    drop_if_unused(inner)
    result.interface.append(
        InterfaceChange("output", output, output, join_adapters(back, Adapter(removed, text)), "new")
    )
