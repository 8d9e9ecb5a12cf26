# SPDX-License-Identifier: Apache-2.0
"""LiteRT beside the NumPy interpreter: a second opinion on what a model computes.

LiteRT runs in a process of its own, because it ends the process on some models.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.verification.compare import Comparison, compare
from tflite2x.verification.running import CALLS, Batch
from tflite2x.verification.structure import is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Model, Signature

Array = NDArray[Any]
#: Floats may differ by this much of the largest magnitude: sums are added in another order.
TOLERANCE = 1e-5
#: Samples of a model with state; each needs a new interpreter.
STATES = 8
_TIMEOUT = 300.0

#: Runs jobs, each an entry point (a signature, or the main subgraph). ``histories`` lists the calls that one fresh
#: interpreter gets, as pairs (job, sample).
_SCRIPT = """
import json, sys, numpy as np
from ai_edge_litert import interpreter as litert
folder = sys.argv[1]
plan = json.load(open(folder + '/plan.json'))
data = np.load(folder + '/in.npz')
inputs = [[data['%d_%d' % (j, i)] for i in range(job['inputs'])] for j, job in enumerate(plan['jobs'])]

def fresh():
    return litert.Interpreter(model_path=folder + '/model.tflite', num_threads=1,
                              experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)

def call(runner, shapes, job, arrays):
    if job['key'] is not None:
        found = runner.get_signature_runner(job['key'])(**dict(zip(job['input_names'], arrays)))
        return [found[name] for name in job['output_names']]
    details = runner.get_input_details()
    now = [a.shape for a in arrays]
    if shapes.get('main') != now:
        for d, a in zip(details, arrays):
            if tuple(d['shape']) != a.shape:
                runner.resize_tensor_input(d['index'], a.shape)
        runner.allocate_tensors()
        shapes['main'] = now
    for d, a in zip(details, arrays):
        runner.set_tensor(d['index'], a)
    runner.invoke()
    return [runner.get_tensor(d['index']) for d in runner.get_output_details()]

results = [{} for _ in plan['jobs']]
for history in plan['histories']:
    runner, shapes = fresh(), {}
    for j, k in history:
        arrays = [a[k].astype(object) if a.dtype.kind == 'S' else a[k] for a in inputs[j]]
        outputs = call(runner, shapes, plan['jobs'][j], arrays)
        results[j][k] = [np.asarray(a).astype(np.bytes_) if np.asarray(a).dtype.kind == 'O' else a for a in outputs]
np.savez(folder + '/out.npz', **{'%d_%d' % (j, i): np.stack([found[k][i] for k in sorted(found)])
                                 for j, found in enumerate(results) for i in range(len(found[0]))})
"""


def litert_outputs(model: Model, batches: Sequence[Batch]) -> list[list[Array] | str]:
    """Run entry points in LiteRT's reference kernels.

    A model with state gets the same sequences of calls as from ``run_batches``, from the beginning for every sample;
    of these, the first ones only.

    Args:
        model: The model.
        batches: Samples for its entry points.

    Returns:
        For each batch the outputs with a sample axis, or why LiteRT cannot run it.
    """
    from tflite2x.ir import save

    entries = [_job(model, b) for b in batches]
    found: list[list[Array] | str] = [e if isinstance(e, str) else "" for e in entries]
    jobs = [(i, job) for i, job in enumerate(entries) if not isinstance(job, str)]
    stateful = is_stateful(model.subgraphs)
    if stateful:
        jobs = [(i, job) for i, job in jobs if not batches[i].resize]
        found = ["other shapes are not run with state" if b.resize else f for b, f in zip(batches, found, strict=True)]
        counts = {batches[i].count for i, _ in jobs}
        if len(counts) > 1 or len(jobs) < sum(not b.resize for b in batches):
            why = next((f for f in found if isinstance(f, str) and f), "entry points take different numbers of samples")
            return [f"the model has state, and {why}" for _ in batches]
    if not jobs:
        return found
    arrays = [_samples(batches[i], stateful) for i, _ in jobs]
    if stateful:
        count = min(STATES, batches[jobs[0][0]].count)
        histories = [[(j, c * count + k) for c in range(CALLS) for j in range(len(jobs))] for k in range(count)]
    else:
        histories = [[(j, k) for j, (i, _) in enumerate(jobs) for k in range(batches[i].count)]]
    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder) / "model.tflite")
        named: Any = {f"{j}_{i}": a for j, own in enumerate(arrays) for i, a in enumerate(own)}
        np.savez(Path(folder) / "in.npz", **named)
        plan = {"jobs": [job for _, job in jobs], "histories": histories}
        (Path(folder) / "plan.json").write_text(json.dumps(plan))
        said = _run(folder)
        for j, (i, _) in enumerate(jobs):
            found[i] = said if isinstance(said, str) else said[j]
    return found


def _run(folder: str) -> list[list[Array]] | str:
    command = [sys.executable, "-c", _SCRIPT, folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return f"it took more than {_TIMEOUT:.0f} s"
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return said[-1] if said else f"it ended with code {done.returncode}"
    results: dict[int, list[Array]] = {}
    with np.load(Path(folder) / "out.npz") as data:
        for name in data.files:  # in order of jobs and outputs
            array = data[name]
            results.setdefault(int(name.partition("_")[0]), []).append(
                array.astype(object) if array.dtype.kind == "S" else array
            )
    return [results.get(j, []) for j in range(max(results, default=-1) + 1)]


def _job(model: Model, batch: Batch) -> dict[str, Any] | str:
    """Return how to enter a subgraph, or why LiteRT cannot."""
    graph = batch.graph
    if graph is model.main:
        return {"key": None, "inputs": len(graph.inputs)}
    signature = next((s for s in model.signatures if s.subgraph is graph and s.key), None)
    names = [_names(signature, side) for side in ("inputs", "outputs")] if signature is not None else []
    if signature is None or None in names:
        return f"no signature names all inputs and outputs of {graph.where}"
    return {"key": signature.key, "inputs": len(graph.inputs), "input_names": names[0], "output_names": names[1]}


def _names(signature: Signature, side: str) -> list[str] | None:
    """Return the signature's names of the inputs (outputs) in the order of the subgraph; None when one has none."""
    by_tensor = {tensor: name for name, tensor in getattr(signature, side).items()}
    tensors = getattr(signature.subgraph, side)
    return [by_tensor[t] for t in tensors] if all(t in by_tensor for t in tensors) else None


def _samples(batch: Batch, stateful: bool) -> list[Array]:
    """Return the arrays of all calls: those of a model with state are rolled from call to call."""
    arrays = [a.astype(np.bytes_) if a.dtype.kind == "O" else a for a in batch.inputs]
    if not stateful:
        return arrays
    return [np.concatenate([np.roll(a, c, axis=0)[:STATES] for c in range(CALLS)]) for a in arrays]


def _comparable(expected: Array, batch: Batch, stateful: bool) -> Array:
    """Return the outputs of the interpreter for the samples that LiteRT ran."""
    if not stateful or batch.count <= STATES:
        return expected
    return np.concatenate([expected[c * batch.count :][:STATES] for c in range(CALLS)])


def second_opinion(model: Model, batches: Sequence[Batch], outputs: Sequence[Sequence[Array]]) -> str:
    """Say whether LiteRT computes the same outputs as the interpreter, and what it was not asked about.

    Args:
        model: The model.
        batches: Samples.
        outputs: What the interpreter computed from them.
    """
    total, count = Comparison(), 0
    refusals: dict[str, None] = {}
    stateful = is_stateful(model.subgraphs)
    for batch, expected, found in zip(batches, outputs, litert_outputs(model, batches), strict=True):
        if isinstance(found, str):
            refusals[f"{batch.graph.where}: {found}" if len(batches) > 1 else found] = None
            continue
        count += min(batch.count, STATES) if stateful else batch.count
        for whole, b in zip(expected, found, strict=True):
            a = _comparable(whole, batch, stateful)
            total.add(compare(b, a.reshape(b.shape) if a.size == b.size else a))
    missing = f"LiteRT was not asked: {'; '.join(refusals)}" if refusals else ""
    if not count:
        return missing or "LiteRT was not asked"
    missing = f"; {missing}" if missing else ""
    calls = f", {CALLS} calls in a row each" if stateful else ""
    if total.within(0, TOLERANCE) if total.worst_relative is not None else total.equal:
        return f"LiteRT agrees on {count} samples{calls}{missing}"
    amounts = []
    if total.shapes:
        amounts.append(total.shapes)
    if total.worst_lsb:
        amounts.append(f"{total.worst_lsb:g} LSB")
    if total.worst_relative:
        amounts.append(f"{total.worst_relative:.3g} relative")
    share = f"{total.share:.2%} of the values"
    return f"LiteRT DISAGREES with the interpreter: up to {' and '.join(amounts)}, {share}{calls}{missing}"
