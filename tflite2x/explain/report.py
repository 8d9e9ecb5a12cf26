# SPDX-License-Identifier: Apache-2.0
"""One page about a model: ``tflite2x report``. It needs no network and runs no script."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import InputError
from tflite2x.explain.plain import printable
from tflite2x.explain.samples import input_samples, real_samples
from tflite2x.explain.trace import trace
from tflite2x.explain.trace_compare import Comparison, compare_traces
from tflite2x.interpreter.kernel import Array

if TYPE_CHECKING:
    from tflite2x.ir import Model

#: Samples that errors are measured on.
SAMPLES = 32


@dataclasses.dataclass(frozen=True)
class LayerErrors:
    """How far a model's layers are from a reference.

    Attributes:
        comparison: The model's tensors against the reference's.
        reference: What the reference is, as a clause.
        source: Where the samples come from.
        samples: Number of samples.
        accuracy: Share of right answers of the model and of the reference, where there are labels.
    """

    comparison: Comparison
    reference: str
    source: str
    samples: int
    accuracy: tuple[float, float] | None


def layer_errors(
    model: Model,
    data: Mapping[str, Array],
    *,
    source: str = "the data given",
    other: Model | None = None,
    samples: int = SAMPLES,
) -> LayerErrors:
    """Measure the error of every layer.

    Args:
        model: The model, with one input.
        data: ``x``: float samples [N, ...], or integers of the model's input type; ``y``: labels [N], optional.
        source: Where the data comes from, for the page.
        other: The reference; by default the same network in real numbers (``explain.real_model``).
        samples: At most so many samples are used.

    Raises:
        InputError: There is no array ``x``, it does not fit, or the model has several inputs.
    """
    from tflite2x.explain.real_model import real_model

    if "x" not in data:
        raise InputError("the data has no array 'x'", where=source, hint="x: samples [N, ...]; y: labels, optional.")
    if len(model.main.inputs) != 1 or (other is not None and len(other.main.inputs) != 1):
        raise InputError("errors are measured on models with one input only")
    reference = real_model(model) if other is None else other
    x = np.asarray(data["x"])[:samples]
    if not len(x):
        raise InputError("the data has no samples", where=source)
    real = real_samples(x, model.main.inputs[0])
    here = trace(model, [input_samples(real, model.main.inputs[0])], batched=True)
    there = trace(reference, [input_samples(real, reference.main.inputs[0])], batched=True)
    text = "Against the same network in real numbers: what rounding and clamping activations costs"
    if other is not None:
        text = f"Against {other.path.name if other.path is not None else 'another model'}"
    accuracy = None
    labels = data.get("y")
    ends = [next((t for t in tensors if t.kind == "output"), None) for tensors in (here, there)]
    if labels is not None and all(e is not None and e.values[0].size > 1 for e in ends):
        wanted = np.asarray(labels)[:samples]
        shares = [float(np.mean(e.real().reshape(len(x), -1).argmax(axis=1) == wanted)) for e in ends if e is not None]
        accuracy = (shares[0], shares[1])
    return LayerErrors(compare_traces(here, there), text, source, len(x), accuracy)


def report(model: Model, errors: LayerErrors | None = None) -> str:
    """Return the page.

    Args:
        model: The model.
        errors: From ``layer_errors``.
    """
    from tflite2x.explain.inspect import inspect
    from tflite2x.explain.page import sections
    from tflite2x.explain.page.graph import graph_svg
    from tflite2x.explain.page.style import PAGE

    info = inspect(model)
    name = model.path.name if model.path is not None else "model"
    parts = [
        f"<h1>{escape(printable(name))}</h1>",
        f'<p class="soft">{escape(printable(info.description or ""))}, schema version {info.version}</p>',
        sections.facts(info),
        _navigation(errors is not None),
    ]
    parts.append('<h2 id="graph">Graph</h2>')
    for graph in model.subgraphs:
        if len(model.subgraphs) > 1:
            parts.append(f"<h3>Subgraph {graph.index} {escape(printable(graph.name))}</h3>")
        parts.append(f'<div class="scroll">{graph_svg(graph)}</div>')
    if errors is not None:
        parts += ['<h2 id="errors">Error by layer</h2>', sections.errors(errors)]
    parts += ['<h2 id="sizes">Sizes</h2>', sections.sizes(info)]
    for title, anchor, section in (
        ("Operators", "operators", sections.operators),
        ("Quantization", "quantization", sections.quantization),
    ):
        parts.append(f'<h2 id="{anchor}">{title}</h2>')
        for described in info.subgraphs:
            if len(info.subgraphs) > 1:
                parts.append(f"<h3>Subgraph {described.index} {escape(printable(described.name))}</h3>")
            parts.append(section(described))
    parts += ['<h2 id="weights">Weights</h2>', sections.weights(model)]
    return PAGE.substitute(title=escape(printable(f"{name} · tflite2x report")), body="\n".join(parts))


def _navigation(errors: bool) -> str:
    titles = ["Graph", *(["Errors"] if errors else []), "Sizes", "Operators", "Quantization", "Weights"]
    return "<nav>" + "".join(f'<a href="#{t.lower()}">{t}</a>' for t in titles) + "</nav>"
