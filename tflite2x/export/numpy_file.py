# SPDX-License-Identifier: Apache-2.0
"""A program as one NumPy file: a function per operator, one that runs them all, and a check against test vectors."""

from __future__ import annotations

from typing import Any

from tflite2x.export.writing import Source, about, allowance, describe, step_comment, subject, tolerance
from tflite2x.program import Const, Program, Value
from tflite2x.program.numpy_code import function_code, module_code, one_line, values_of
from tflite2x.program.steps import Step


def files(program: Program, source: Source) -> dict[str, bytes]:
    """Return the file of the export, without test vectors."""
    functions: list[str] = []
    calls: list[str] = []
    helpers: set[str] = set()
    for name, steps in _operators(program):
        inputs, outputs = values_of(steps)
        needed = [v for v in dict.fromkeys(s.output for s in steps) if v in _read_later(program, steps) or v in outputs]
        doc = "\n".join(step_comment(s) for s in steps)
        text, used = function_code(name, steps, inputs, needed, doc)
        helpers |= used
        functions.append(text)
        calls.append(f"    {', '.join(v.name for v in needed)} = {name}({', '.join(v.name for v in inputs)})")
    docs = [f"    {v.name}: {describe(v)}" for v in program.inputs]
    arguments = ", ".join(v.name for v in program.inputs)
    states = ", ".join(v.name for v in program.states)
    results = ", ".join(v.name for v in program.outputs)
    shapes = [f"    {v.name} = np.asarray({v.name}).reshape({tuple(v.shape)})" for v in program.inputs]
    run = "\n".join(
        [
            f"def run({arguments}):",
            f'    """Run the network once; returns a list with {len(program.outputs)} arrays.',
            "",
            *(one_line(d) if not d.startswith("    ") else "    " + one_line(d) for d in docs),
            '    """',
            *([f"    global {states}"] if states else []),
            *shapes,
            *(_quiet(calls) if program.arithmetic == "float" else calls),
            f"    return [{results}]",
            "",
        ]
    )
    lines = about(program, source, subject(program))
    lines += ["", "Needs NumPy 2 only. `python FILE [vectors.bin]` checks it against its test vectors."]
    head = '"""' + "\n".join(one_line(line) for line in lines) + '\n"""\n'
    parts = [*functions, *([_reset(program, states)] if states else []), run, _check(program)]
    body = "\n\n".join(parts)
    used_names = {c for c in program.constants if _is_used(c, program, body)}
    constants = [c for c in program.constants if c in used_names]
    text = module_code(head, constants, helpers, body)
    return {f"{program.name}.py": text.encode()}


def load(program: Program, source: Source) -> dict[str, Any]:
    """Return the names that the generated file defines, among them ``run``."""
    (text,) = files(program, source).values()
    namespace: dict[str, Any] = {"__name__": program.name}
    exec(compile(text, f"{program.name}.py", "exec"), namespace)
    return namespace


def _quiet(calls: list[str]) -> list[str]:
    return ['    with np.errstate(all="ignore"):  # infinities and NaN need no warning', *("    " + c for c in calls)]


def _reset(program: Program, states: str) -> str:
    body = "".join(f"    {v.name} = {start.name}\n" for v, start in program.states.items())
    return f'def reset():\n    """Forget what was kept from earlier runs."""\n    global {states}\n{body}\n\nreset()\n'


def _is_used(const: Const, program: Program, body: str) -> bool:
    return const in program.outputs or const.name in body


def _operators(program: Program) -> list[tuple[str, list[Step]]]:
    """Group neighbouring steps of one operator; returns the names of their functions."""
    groups: list[tuple[str, list[Step]]] = []
    previous = ""
    for step in program.steps:
        if step.origin == previous:
            groups[-1][1].append(step)
        else:
            groups.append((f"compute_{step.output.name}", [step]))
            previous = step.origin
    return groups


def _read_later(program: Program, steps: list[Step]) -> set[Value | Const]:
    inside = set(map(id, steps))
    return {v for s in program.steps if id(s) not in inside for v in s.inputs} | {*program.outputs, *program.states}


def _check(program: Program) -> str:
    fields: list[tuple[str, Value | Const]] = [(f"input_{i}", v) for i, v in enumerate(program.inputs)]
    fields += [(f"output_{i}", v) for i, v in enumerate(program.outputs)]
    kinds = ", ".join(f'("{n}", "{_little(v.dtype)}", {tuple(v.shape)})' for n, v in fields)
    inputs = ", ".join(f'vector["input_{i}"]' for i in range(len(program.inputs)))
    part = tolerance(program)
    wrong, helper = "r.tobytes() != e.tobytes()", ""
    if part is not None:
        wrong, helper = "differs(r, e)", _DIFFERS.format(part=part)
    return f'''{helper}def main(path="vectors.bin"):
    """Compare {allowance(program)} with test vectors.

    They hold, per vector, all inputs, then all outputs, little-endian, without gaps.
    """
    layout = np.dtype([{kinds}])
    vectors = np.fromfile(path, layout)
    different = 0
    for vector in vectors:
        results = run({inputs})
        expected = [vector[f"output_{{i}}"] for i in range(len(results))]
        different += any({wrong} for r, e in zip(results, expected))
    print(f"{{len(vectors)}} test vectors, {{different}} differ")
    return int(different > 0 or len(vectors) == 0)


if __name__ == "__main__":
    import sys

    sys.exit(main(*sys.argv[1:]))
'''


_DIFFERS = '''def differs(result, expected, part={part!r}):
    """Whether any number is further away than a part of the largest magnitude; NaN must be NaN."""
    if result.dtype != np.float32:
        return result.tobytes() != expected.tobytes()
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    with np.errstate(invalid="ignore"):
        near = np.abs(result.astype(np.float64) - expected) <= part * float(largest)
    return not np.all(near | (result == expected) | (np.isnan(result) & np.isnan(expected)))


'''


def _little(dtype: str) -> str:
    return "?" if dtype == "bool" else f"<{dtype[0]}{_bits(dtype) // 8}"


def _bits(dtype: str) -> int:
    return int("".join(c for c in dtype if c.isdigit()))
