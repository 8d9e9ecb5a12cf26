# SPDX-License-Identifier: Apache-2.0
"""A program as C99: a header, the code, the constants, and a program that checks test vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tflite2x.export.c_helpers import HELPERS, NEEDS
from tflite2x.export.c_kernels import KERNELS
from tflite2x.export.slots import assign
from tflite2x.export.writing import (
    Source,
    about,
    allowance,
    describe,
    float32_text,
    rows_of_numbers,
    step_comment,
    subject,
    tolerance,
    unread,
    variant,
)
from tflite2x.program import Const, Program, Value
from tflite2x.program.helpers import helper_texts
from tflite2x.program.numpy_code import one_line
from tflite2x.program.steps import Step

#: C99 has names for them in math.h only, which this code does without.
_NOT_FINITE = {"inf": "(1.0f / 0.0f)", "-inf": "(-1.0f / 0.0f)", "nan": "(0.0f / 0.0f)"}

_FLOAT_NOTE = [
    "", "Compile without contraction (-ffp-contract=off; the pragmas below say so to common compilers), and never with",
    "-ffast-math: a compiler that fuses or reorders float32 operations changes results.",
]  # fmt: skip
_FLOAT_GUARD = """#include <float.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif
#if defined(__FAST_MATH__) || (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16)
#error "float32 operations must be rounded to float32, one by one: see above (and -msse2 -mfpmath=sse on old x86)"
#endif
"""
_TYPES = {"float32": "float", "float64": "double", "bool": "uint8_t"}


def c_type(dtype: str) -> str:
    """Return the C type for a NumPy type."""
    return _TYPES.get(dtype, f"{dtype}_t")


def comment(lines: Sequence[str]) -> str:
    """Return lines as a block comment."""
    return "/*\n" + "".join(f" * {one_line(line)}".rstrip() + "\n" for line in lines) + " */\n"


def array(const: Const, prefix: str) -> str:
    """Return the definition of a constant array."""
    note = f"{const.dtype} {list(const.shape)}" + (f": {const.note}" if const.note else "")
    return (
        f"/* {one_line(note)} */\n"
        f"ALIGNED_16 const {c_type(const.dtype)} {prefix}{const.name}[{max(1, const.size)}] = {{\n"
        f"{numbers(const)}\n}};\n"
    )


def numbers(const: Const) -> str:
    """Return the elements of an array as C constants."""
    flat = const.data.reshape(-1)
    if const.dtype == "float32":
        return rows_of_numbers(map(_float, flat.tolist()))
    if const.dtype == "bool":
        flat = flat.astype("uint8")
    return rows_of_numbers([integer(v, const.dtype) for v in flat.tolist()])


def _float(value: float) -> str:
    return f"{float32_text(value)}f" if math.isfinite(value) else _NOT_FINITE[str(value)]


def integer(value: int, dtype: str = "int32") -> str:
    """Return an integer constant; the lowest int32 and int64 have no literal in C."""
    if value in (-(1 << 31), -(1 << 63)):
        return "INT32_MIN" if value == -(1 << 31) else "INT64_MIN"
    return f"INT64_C({value})" if dtype == "int64" else str(value)


def _params(step: Step) -> str:
    name = variant(step)
    members = []
    for field, value in step.parameters().items():
        if isinstance(value, Const):
            members.append(f"    const {c_type(value.dtype)} *{field};")
        elif isinstance(value, float):
            members.append(f"    {'double' if step.kind == 'dequantize_float' else 'float'} {field};")
        else:
            members.append(f"    int32_t {field};")
    return "typedef struct {\n" + "\n".join(members) + f"\n}} {name}_params;\n"


def _function(step: Step) -> str:
    text, _ = KERNELS[step.function]
    types = [c_type(v.dtype) for v in step.inputs]
    text = text.replace("$X2", types[1] if len(types) > 1 else "").replace("$X", types[0] if types else "")
    weights = getattr(step, "weights", None)
    text = text.replace("$W", c_type(weights.dtype) if isinstance(weights, Const) else "")
    kind = step.output.dtype.upper()
    text = text.replace("$MAX", f"{kind}_MAX").replace("$MIN", "0" if kind.startswith("U") else f"{kind}_MIN")
    return text.replace("$Y", c_type(step.output.dtype)).replace("$F", variant(step))


def _call(step: Step, index: int, names: dict[Value | Const, str], prefix: str) -> str:
    fields = []
    for field, value in step.parameters().items():
        if isinstance(value, Const):
            fields.append(f".{field} = {prefix}{value.name}")
        elif isinstance(value, float):
            text = float(value).hex() if step.kind == "dequantize_float" else _float(value)
            fields.append(f".{field} = {text}")
        else:
            fields.append(f".{field} = {integer(value)}")
    body = ",\n        ".join(_in_lines(fields))
    arguments = ", ".join([*(names[v] for v in step.inputs), names[step.output], f"&step_{index}"])
    return (
        f"    /* {step_comment(step)} */\n"
        f"    static const {variant(step)}_params step_{index} = {{\n        {body},\n    }};\n"
        f"    {variant(step)}({arguments});\n"
    )


def _in_lines(fields: Sequence[str], width: int = 104) -> list[str]:
    lines: list[str] = []
    for field in fields:
        if lines and len(lines[-1]) + len(field) + 2 <= width:
            lines[-1] += f", {field}"
        else:
            lines.append(field)
    return lines


def signature(program: Program) -> str:
    """Return the declaration of the function that runs the model, without the semicolon."""
    inputs = [f"const {c_type(v.dtype)} {v.name}[{v.size}]" for v in program.inputs]
    outputs = [f"{c_type(v.dtype)} output_{i}[{v.size}]" for i, v in enumerate(program.outputs)]
    return f"void {program.name}_run({', '.join([*inputs, *outputs])})"


def files(program: Program, source: Source) -> dict[str, bytes]:
    """Return the files of the export by name, without test vectors."""
    name = program.name
    data = {
        f"{name}.h": _header(program, source),
        f"{name}.c": _code(program, source),
        f"{name}_data.h": _data_header(program, source),
        f"{name}_data.c": _data(program, source),
        f"{name}_check.c": _check(program, source),
        "Makefile": _makefile(name),
    }
    return {file: text.encode() for file, text in data.items()}


def _header(program: Program, source: Source) -> str:
    guard = f"{program.name.upper()}_H"
    lines = about(program, source, subject(program))
    inputs = [f"{v.name}: {describe(v)}" for v in program.inputs]
    outputs = [f"output_{i}: {v.name}, {describe(v)}" for i, v in enumerate(program.outputs)]
    return (
        comment(lines)
        + f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n"
        + comment(
            ["Run the network once. Not reentrant: intermediate results live in static memory.", "", *inputs, *outputs]
        )
        + f"{signature(program)};\n\n"
        + (
            f"/* Forget what was kept from earlier runs. */\nvoid {program.name}_reset(void);\n\n"
            if program.states
            else ""
        )
        + "#endif\n"
    )


def _data_header(program: Program, source: Source) -> str:
    guard = f"{program.name.upper()}_DATA_H"
    declarations = "".join(
        f"extern const {c_type(c.dtype)} {program.name}_{c.name}[{max(1, c.size)}]; "
        f"/* {one_line(str(list(c.shape)) + (' ' + c.note if c.note else ''))} */\n"
        for c in program.constants
    )
    return (
        comment(about(program, source, "Constants of the network."))
        + f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n{declarations}\n#endif\n"
    )


ALIGN = """/* Alignment for vector units; change it if your compiler says it differently. */
#if defined(__GNUC__)
#define ALIGNED_16 __attribute__((aligned(16)))
#elif defined(_MSC_VER)
#define ALIGNED_16 __declspec(align(16))
#else
#define ALIGNED_16
#endif
"""


def _data(program: Program, source: Source) -> str:
    arrays = "\n".join(array(c, f"{program.name}_") for c in program.constants)
    head = comment(about(program, source, "Constants of the network."))
    return f'{head}#include "{program.name}_data.h"\n\n{ALIGN}\n{arrays}'


def _code(program: Program, source: Source) -> str:
    prefix = f"{program.name}_"
    slots, home = assign(program)
    names: dict[Value | Const, str] = {v: v.name for v in program.inputs}
    names.update({v: slot.name for v, slot in home.items()})
    names.update({v: f"{prefix}{v.name}" for v in program.states})
    names.update({c: f"{prefix}{c.name}" for c in program.constants})
    kinds = {variant(s): s for s in program.steps}
    helpers = {h for s in kinds.values() for h in KERNELS[s.function][1]}
    parts = [
        comment([
            *about(program, source, subject(program)), "",
            "Right shifts of negative numbers must be arithmetic, and conversions to int32_t must wrap, as with",
            "every common compiler.", *(_FLOAT_NOTE if program.arithmetic == "float" else []),
        ]),
        f'#include "{program.name}.h"\n#include "{program.name}_data.h"\n',
        _FLOAT_GUARD if program.arithmetic == "float" else "",
        "".join(helper_texts(helpers, HELPERS, NEEDS)),
        *(_params(s) + _function(s) for s in kinds.values()),
        "\n".join(f"static {c_type(s.dtype)} {s.name}[{s.size}];" for s in slots) + "\n" if slots else "",
        _states(program, names) if program.states else "",
        signature(program) + "\n{\n" + "".join(f"    (void){name};\n" for name in unread(program))
        + (f"    if (!ready) {{\n        {prefix}reset();\n    }}\n" if program.states else ""),
        "\n".join(_call(s, i, names, prefix) for i, s in enumerate(program.steps)),
        "".join(
            f"    for (int32_t i = 0; i < {v.size}; i++) {{\n        output_{i}[i] = {names[v]}[i];\n    }}\n"
            for i, v in enumerate(program.outputs)
        ),
        "}\n",
    ]  # fmt: skip
    return "\n".join(p for p in parts if p)


def _states(program: Program, names: dict[Value | Const, str]) -> str:
    """Return what lives from run to run, and the function that resets it."""
    lines = [f"static {c_type(v.dtype)} {names[v]}[{v.size}];\n" for v in program.states]
    body = "".join(
        f"    for (int32_t i = 0; i < {v.size}; i++) {{\n        {names[v]}[i] = {names[start]}[i];\n    }}\n"
        for v, start in program.states.items()
    )
    return "".join(lines) + f"static int ready;\n\nvoid {program.name}_reset(void)\n{{\n{body}    ready = 1;\n}}\n"


def _check(program: Program, source: Source) -> str:
    values = [*(("input", i, v) for i, v in enumerate(program.inputs)),
              *(("output", i, v) for i, v in enumerate(program.outputs))]  # fmt: skip
    buffers = "".join(f"static {c_type(v.dtype)} {kind}_{i}[{v.size}];\n" for kind, i, v in values)
    buffers += "".join(f"static {c_type(v.dtype)} expected_{i}[{v.size}];\n" for i, v in enumerate(program.outputs))
    arguments = ", ".join(f"{kind}_{i}" for kind, i, _ in values)
    reads = [f"input_{i}" for i in range(len(program.inputs))] + [f"expected_{i}" for i in range(len(program.outputs))]
    first, *rest = reads
    part = tolerance(program)
    compare = " || ".join(
        f"differs(output_{i}, expected_{i}, {v.size}, {part!r})"
        if part is not None and v.dtype == "float32"
        else f"memcmp(output_{i}, expected_{i}, sizeof output_{i}) != 0"
        for i, v in enumerate(program.outputs)
    )
    later = "".join(
        f"        if (fread({r}, sizeof {r}, 1, file) != 1) {{\n"
        f'            fprintf(stderr, "%s ends early\\n", path);\n'
        f"            return 2;\n        }}\n"
        for r in rest
    )
    head = comment([
        *about(program, source, f"Runs the network on test vectors and compares {allowance(program)}."), "",
        "The file holds, for each vector, all inputs and then all outputs, as little-endian numbers without gaps.",
    ])  # fmt: skip
    return f"""{head}#include "{program.name}.h"

#include <stdio.h>
#include <string.h>

{_DIFFERS if "differs(" in compare else ""}{buffers}
int main(int argc, char **argv)
{{
    const char *path = argc > 1 ? argv[1] : "vectors.bin";
    FILE *file = fopen(path, "rb");
    long count = 0, different = 0;
    if (file == NULL) {{
        fprintf(stderr, "%s cannot be opened\\n", path);
        return 2;
    }}
    while (fread({first}, sizeof {first}, 1, file) == 1) {{
{later}        {program.name}_run({arguments});
        count++;
        if ({compare}) {{
            different++;
        }}
    }}
    fclose(file);
    printf("%ld test vectors, %ld differ\\n", count, different);
    return count == 0 || different != 0;
}}
"""


_DIFFERS = """/* Whether any number is further away than a part of the largest magnitude; NaN must be NaN. */
static int differs(const float *a, const float *b, long size, double part)
{
    double largest = 0.0;
    for (long i = 0; i < size; i++) {
        const double magnitude = b[i] < 0.0f ? -b[i] : b[i];
        largest = magnitude > largest && magnitude <= 3.5e38 ? magnitude : largest;
    }
    for (long i = 0; i < size; i++) {
        const double distance = (double)a[i] - b[i];
        const int near = distance <= part * largest && -distance <= part * largest;
        if (!near && a[i] != b[i] && (a[i] == a[i] || b[i] == b[i])) {
            return 1;
        }
    }
    return 0;
}

"""


def _makefile(name: str) -> str:
    return (
        "CFLAGS ?= -std=c99 -O2 -ffp-contract=off -Wall -Wextra -Wpedantic\n\n"
        f"{name}_check: {name}_check.c {name}.c {name}_data.c {name}.h {name}_data.h\n"
        f"\t$(CC) $(CFLAGS) -o $@ {name}_check.c {name}.c {name}_data.c\n\n"
        f"check: {name}_check\n\t./{name}_check vectors.bin\n\n.PHONY: check\n"
    )
