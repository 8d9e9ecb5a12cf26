# SPDX-License-Identifier: Apache-2.0
"""Programs and single operators as NumPy source code that imports nothing else."""

from __future__ import annotations

import base64
import textwrap
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from tflite2x.program.helpers import helper_texts
from tflite2x.program.numpy_helpers import HELPERS, NEEDS
from tflite2x.program.numpy_steps import step_lines
from tflite2x.program.steps import CopyBlock, CopyIndexed, Step
from tflite2x.program.values import Const, Value

#: Arrays up to this size are printed as numbers, larger ones compressed.
READABLE = 1024


def array_code(const: Const) -> tuple[str, bool]:
    """Return the definition of a constant, and whether it is compressed."""
    data = np.ascontiguousarray(const.data)
    note = f"{data.dtype} {list(data.shape)}" + (f": {const.note}" if const.note else "")
    comment = f"# {one_line(note)}\n"
    if data.size <= READABLE and bool(np.all(np.isfinite(data))):
        numbers = textwrap.fill(str(data.tolist()), 116, initial_indent="    ", subsequent_indent="    ")
        return f"{comment}{const.name} = np.array(\n{numbers},\n    np.{data.dtype.name})\n", False
    packed = zlib.compress(data.astype(data.dtype.newbyteorder("<")).tobytes(), 9)
    text = textwrap.fill(base64.b64encode(packed).decode(), 116, initial_indent='    "', subsequent_indent='    "')
    lines = text.replace("\n", '"\n') + '"'
    return f'{comment}{const.name} = array(\n{lines},\n    "{data.dtype.name}", {data.shape})\n', True


def one_line(text: str) -> str:
    """Make text of a model safe inside of a comment or docstring."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    return kept.replace("\\", "/").replace('"""', "'''").replace("*/", "* /").strip()


def function_code(
    name: str, steps: Sequence[Step], inputs: Sequence[Value | Const], outputs: Sequence[Value | Const], doc: str
) -> tuple[str, set[str]]:
    """Return a function that computes steps, and the helpers that it calls."""
    helpers: set[str] = set()
    lines: list[str] = []
    written: set[Value] = set()
    for step in steps:
        if step.output not in written and isinstance(step, CopyBlock | CopyIndexed):
            lines.append(f"{step.output.name} = np.empty({tuple(step.output.shape)}, np.{step.output.dtype})")
        written.add(step.output)
        code = step_lines(step)
        helpers.update(code.helpers)
        lines += code.body
    arguments = ", ".join(v.name for v in inputs)
    results = ", ".join(v.name for v in outputs)
    text = textwrap.indent(one_line_each(doc), "    ")
    body = textwrap.indent("\n".join([*lines, f"return {results}"]), "    ")
    return f'def {name}({arguments}):\n    """{text.strip()}\n    """\n{body}\n', helpers


def one_line_each(text: str) -> str:
    """Make every line of a docstring safe."""
    return "\n".join(one_line(line) for line in text.splitlines())


#: NumPy 1 computes other types, and so other numbers, for some mixtures of arrays and Python numbers.
_IMPORT = """import numpy as np

if np.lib.NumpyVersion(np.__version__) < "2.0.0":
    raise ImportError("this code needs NumPy 2: NumPy 1 chooses the types of results in another way")
"""


def module_code(head: str, constants: Iterable[Const], helpers: set[str], body: str) -> str:
    """Put a module together: imports, helpers, constants, functions."""
    arrays = [array_code(c) for c in constants]
    packed = any(p for _, p in arrays)
    imports = ["import base64", "import zlib", ""] if packed else []
    names = helpers | ({"array"} if packed else set())
    functions = "\n".join(helper_texts(names, HELPERS, NEEDS)).strip("\n")
    parts = ["\n".join([*imports, _IMPORT]), functions, *(t for t, _ in arrays), body]
    return head + "\n" + "\n\n".join(p for p in parts if p)


def values_of(steps: Sequence[Step]) -> tuple[list[Value], list[Value]]:
    """Return what steps read from outside, and what they compute and do not use up themselves."""
    written: dict[Value, None] = {}
    outside: dict[Value, None] = {}
    for step in steps:
        # What is read before it is written lives from run to run.
        outside.update({v: None for v in step.inputs if isinstance(v, Value) and v not in written})
        written[step.output] = None
    read = {v for step in steps for v in step.inputs}
    return list(outside), [v for v in written if v not in read]


def operator_code(name: str, steps: Sequence[Step], doc: str) -> str:
    """Return a self-contained module with one function: what one operator computes."""
    inputs, outputs = values_of(steps)
    body, helpers = function_code(name, steps, inputs, outputs, doc)
    constants = dict.fromkeys(c for step in steps for c in step.constants)
    used = [c for c in constants if c.name in body]
    return module_code("", used, helpers, body).lstrip("\n")
