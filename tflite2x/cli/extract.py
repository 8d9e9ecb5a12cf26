# SPDX-License-Identifier: Apache-2.0
"""``tflite2x extract``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tflite2x.ir import Subgraph, Tensor


def extract(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    sources: Annotated[
        list[str],
        typer.Option(
            "--from",
            metavar="TENSOR",
            show_default=False,
            help="A tensor that becomes an input: name, or #N for its index. Repeat for more; the inputs by default.",
        ),
    ] = [],  # noqa: B006 - typer makes a new list
    targets: Annotated[
        list[str],
        typer.Option(
            "--to",
            metavar="TENSOR",
            show_default=False,
            help="A tensor that becomes an output. Repeat for more; the outputs by default.",
        ),
    ] = [],  # noqa: B006
    subgraph: Annotated[int, typer.Option("--subgraph", metavar="N", help="The subgraph to cut from.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write; MODEL.part.tflite by default.", show_default=False
        ),
    ] = None,
) -> None:
    """Cut a runnable model out of a model: what computes some tensors from others."""
    from tflite2x.errors import InputError
    from tflite2x.ir import load, save
    from tflite2x.rewrite.extract import extract as cut

    loaded = load(model)
    if not 0 <= subgraph < len(loaded.subgraphs):
        raise InputError(f"the model has no subgraph {subgraph}", hint=f"It has {len(loaded.subgraphs)}.")
    graph = loaded.subgraphs[subgraph]
    inputs = [_tensor(graph, text) for text in sources]
    outputs = [_tensor(graph, text) for text in targets] or list(graph.outputs)
    if not outputs:
        raise InputError(f"{graph.where} has no outputs", hint="Choose tensors with --to.")
    if not inputs:
        inputs = _needed_inputs(outputs)
    part = cut(graph, inputs, outputs)
    destination = output if output is not None else model.with_name(f"{model.name.removesuffix('.tflite')}.part.tflite")
    save(part, destination)
    count = sum(len(g.operators) for g in part.subgraphs)
    print(f"wrote {destination}: {count} operators, {len(part.main.inputs)} inputs, {len(part.main.outputs)} outputs")


def _needed_inputs(outputs: list[Tensor]) -> list[Tensor]:
    """Return the inputs of the subgraph that the outputs depend on, in order."""
    graph = outputs[0].subgraph
    found = set(outputs)
    waiting = list(outputs)
    while waiting:
        op = waiting.pop().producer
        for tensor in op.inputs if op is not None else ():
            if tensor is not None and tensor not in found:
                found.add(tensor)
                waiting.append(tensor)
    return [t for t in graph.inputs if t in found]


def _tensor(graph: Subgraph, text: str) -> Tensor:
    from tflite2x.errors import InputError

    if text.startswith("#") and text[1:].isdigit():
        if int(text[1:]) >= len(graph.tensors):
            raise InputError(f"{graph.where} has no tensor {text}", hint=f"It has {len(graph.tensors)}.")
        return graph.tensors[int(text[1:])]
    found = [t for t in graph.tensors if t.name == text]
    if not found:
        import difflib

        close = difflib.get_close_matches(text, [t.name for t in graph.tensors if t.name], 1, 0.3)
        hint = f"Did you mean '{close[0]}'?" if close else "'tflite2x inspect' lists the names."
        raise InputError(f"{graph.where} has no tensor '{text}'", hint=hint)
    if len(found) > 1:
        listing = ", ".join(f"#{t.index}" for t in found)
        raise InputError(f"{len(found)} tensors are called '{text}'", hint=f"Choose one of {listing}.")
    return found[0]
