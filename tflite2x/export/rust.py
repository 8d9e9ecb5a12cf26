# SPDX-License-Identifier: Apache-2.0
"""A program as a Cargo package: a library without std, and a program that checks test vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tflite2x.export.rust_kernels import HELPERS, KERNELS, NEEDS
from tflite2x.export.slots import Slot, assign
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

_NOT_FINITE = {"inf": "f32::INFINITY", "-inf": "f32::NEG_INFINITY", "nan": "f32::NAN"}
_TYPES = {"float32": "f32", "float64": "f64", "bool": "u8"}


def rust_type(dtype: str) -> str:
    """Return the Rust type for a NumPy type."""
    return _TYPES.get(dtype) or dtype.replace("uint", "u").replace("int", "i")


def array(const: Const) -> str:
    """Return the definition of a constant array."""
    flat = const.data.reshape(-1)
    if const.dtype == "float32":
        numbers = rows_of_numbers(map(_float, flat.tolist()))
    else:
        numbers = rows_of_numbers(str(int(v)) for v in flat.tolist())
    note = f"{const.dtype} {list(const.shape)}" + (f": {const.note}" if const.note else "")
    return (
        f"// {one_line(note)}\n"
        f"pub static {const.name.upper()}: Aligned<[{rust_type(const.dtype)}; {const.size}]> = Aligned([\n"
        f"{numbers},\n]);\n"
    )


def _float(value: float) -> str:
    return float32_text(value) if math.isfinite(value) else _NOT_FINITE[str(value)]


def _doc(text: str) -> str:
    """Make text safe for rustdoc, where square brackets would be links."""
    return one_line(text).replace("[", "\\[").replace("]", "\\]").replace("<", "\\<")


def _comment(lines: Sequence[str], mark: str = "//!") -> str:
    return "".join(f"{mark} {_doc(line)}".rstrip() + "\n" for line in lines)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _params(step: Step) -> str:
    members = []
    for field, value in step.parameters().items():
        if isinstance(value, Const):
            members.append(f"    pub {field}: &'static [{rust_type(value.dtype)}],\n")
        elif isinstance(value, float):
            members.append(f"    pub {field}: {'f64' if step.kind == 'dequantize_float' else 'f32'},\n")
        else:
            members.append(f"    pub {field}: i32,\n")
    return f"/// Parameters of [`{variant(step)}`].\npub struct {_camel(variant(step))} {{\n{''.join(members)}}}\n"


def _function(step: Step) -> str:
    text, _ = KERNELS[step.function]
    types = [rust_type(v.dtype) for v in step.inputs]
    text = text.replace("$WIDE", "*x" if types == ["i32"] else "i32::from(*x)")
    if "i32" in types:
        text = text.replace("i32::from(a[place(at, p.a_stride) as usize])", "a[place(at, p.a_stride) as usize]")
        text = text.replace("i32::from(b[place(at, p.b_stride) as usize])", "b[place(at, p.b_stride) as usize]")
    text = text.replace("$X2", types[1] if len(types) > 1 else "").replace("$X", types[0] if types else "")
    name = variant(step)
    return text.replace("$Y", rust_type(step.output.dtype)).replace("$F", name).replace("$P", _camel(name))


def _call(step: Step, names: dict[Value | Const, str], home: dict[Value, str]) -> str:
    fields = []
    for field, value in step.parameters().items():
        if isinstance(value, Const):
            fields.append(f"{field}: &data::{value.name.upper()}.0")
        elif isinstance(value, float):
            fields.append(f"{field}: {repr(value) if step.kind == 'dequantize_float' else _float(value)}")
        else:
            fields.append(f"{field}: {value}")
    lines: list[str] = []
    for field in fields:
        if lines and len(lines[-1]) + len(field) + 2 <= 100:
            lines[-1] += f", {field}"
        else:
            lines.append(field)
    body = ",\n            ".join(lines)
    inputs = [f"&{names[v]}[..{v.size}]" for v in step.inputs]
    arguments = ", ".join([*inputs, f"&mut {home[step.output]}[..{step.output.size}]"])
    return (
        f"    // {step_comment(step)}\n"
        f"    kernels::{variant(step)}(\n        {arguments},\n"
        f"        &kernels::{_camel(variant(step))} {{\n            {body},\n        }},\n    );\n"
    )


def files(program: Program, source: Source) -> dict[str, bytes]:
    """Return the files of the export by name, without test vectors."""
    crate = program.name
    texts = {
        "Cargo.toml": _cargo(crate, source),
        "src/lib.rs": _library(program, source),
        "src/kernels.rs": _kernels(program, source),
        "src/data.rs": _data(program, source),
        "src/main.rs": _check(program, source),
    }
    return {name: text.encode() for name, text in texts.items()}


def _cargo(crate: str, source: Source) -> str:
    return (
        f'[package]\nname = "{crate}"\nversion = "0.1.0"\nedition = "2021"\n'
        f'description = "Reference implementation of {one_line(source.model).replace(chr(34), "")}"\n\n'
        f"[dependencies]\n\n[workspace]\n\n[profile.dev]\nopt-level = 2\n"
    )


def data_head(lines: Sequence[str]) -> str:
    """Return the head of a file of constants."""
    return (
        _comment(lines)
        + "\n/// Aligned to 16 bytes, for vector units.\n#[repr(C, align(16))]\npub struct Aligned<T>(pub T);\n"
    )


def _data(program: Program, source: Source) -> str:
    arrays = "\n".join(array(c) for c in program.constants)
    return f"{data_head(about(program, source, 'Constants of the network.'))}\n{arrays}"


def _kernels(program: Program, source: Source) -> str:
    kinds = {variant(s): s for s in program.steps}
    helpers = {h for s in kinds.values() for h in KERNELS[s.function][1]}
    head = _comment(about(program, source, "The operators of the network."))
    functions = "\n".join(_params(s) + _function(s) for s in kinds.values())
    return head + "".join(helper_texts(helpers, HELPERS, NEEDS)) + "\n" + functions


def _library(program: Program, source: Source) -> str:
    slots, home = assign(program)
    names: dict[Value | Const, str] = {v: v.name for v in program.inputs}
    buffers = {v: f"scratch.{slot.name}" for v, slot in home.items()}
    buffers.update({v: f"scratch.{v.name}" for v in program.states})
    names.update(buffers.items())
    names.update({c: f"data::{c.name.upper()}.0" for c in program.constants})
    memory: list[Slot | Value] = [*slots, *program.states]
    fields = "".join(f"    {m.name}: [{rust_type(m.dtype)}; {m.size}],\n" for m in memory)
    zeros = ", ".join(f"{m.name}: [{'0.0' if m.dtype.startswith('float') else '0'}; {m.size}]" for m in memory)
    if program.states:
        fields, zeros = f"{fields}    ready: bool,\n", f"{zeros}, ready: false"
    inputs = [f"{v.name}: &[{rust_type(v.dtype)}; {v.size}]" for v in program.inputs]
    outputs = [f"output_{i}: &mut [{rust_type(v.dtype)}; {v.size}]" for i, v in enumerate(program.outputs)]
    docs = [f"{v.name}: {describe(v)}" for v in program.inputs]
    docs += [f"output_{i}: {v.name}, {describe(v)}" for i, v in enumerate(program.outputs)]
    calls = "\n".join(_call(s, names, buffers) for s in program.steps)
    copies = "".join(
        f"    output_{i}.copy_from_slice(&{names[v]}[..{v.size}]);\n" for i, v in enumerate(program.outputs)
    )
    scratch = "scratch" if slots or program.states else "_scratch"
    if program.states:
        calls = f"    if !scratch.ready {{\n        scratch.reset();\n    }}\n{calls}"
    calls = "".join(f"    let _ = {name};\n" for name in unread(program)) + calls
    data = "pub mod data;\n"
    return (
        _comment([
            *about(program, source, subject(program)), "",
            "No dependencies, no std, no heap.",
        ])
        + f"#![no_std]\n#![forbid(unsafe_code)]\n\n{data}pub mod kernels;\n\n"
        + f"/// Memory for intermediate results.\npub struct Scratch {{\n{fields}}}\n\n"
        + "impl Scratch {\n    /// Memory full of zeros; also for a `static`.\n"
        + f"    pub const fn new() -> Self {{\n        Scratch {{ {zeros} }}\n    }}\n{_reset(program)}}}\n\n"
        + "impl Default for Scratch {\n    fn default() -> Self {\n        Self::new()\n    }\n}\n\n"
        + _comment(["Run the network once.", "", *(f"* {d}" for d in docs)], "///")
        + f"pub fn run({', '.join([*inputs, *outputs])}, {scratch}: &mut Scratch) {{\n{calls}{copies}}}\n"
    )  # fmt: skip


def _reset(program: Program) -> str:
    if not program.states:
        return ""
    body = "".join(f"        self.{v.name} = data::{c.name.upper()}.0;\n" for v, c in program.states.items())
    doc = "    /// Forget what was kept from earlier runs."
    return f"\n{doc}\n    pub fn reset(&mut self) {{\n{body}        self.ready = true;\n    }}\n"


def _check(program: Program, source: Source) -> str:
    crate = program.name
    reads = [_read(f"input_{i}", value) for i, value in enumerate(program.inputs)]
    calls = [f"&input_{i}" for i in range(len(program.inputs))]
    compare, part = [], tolerance(program)
    for i, v in enumerate(program.outputs):
        kind = rust_type(v.dtype)
        reads.append(_read(f"expected_{i}", v))
        reads.append(f"        let mut output_{i} = [{'0.0' if kind.startswith('f') else '0'} as {kind}; {v.size}];\n")
        calls.append(f"&mut output_{i}")
        if part is not None and kind == "f32":
            compare.append(f"differs(&output_{i}, &expected_{i}, {part!r})")
            continue
        bits = ".to_bits()" if kind.startswith("f") else ""
        compare.append(f"output_{i}.iter().zip(&expected_{i}).any(|(a, b)| a{bits} != b{bits})")
    size = sum(v.size * _bytes(v) for v in (*program.inputs, *program.outputs))
    head = _comment([
        *about(program, source, f"Runs the network on test vectors and compares {allowance(program)}."), "",
        "The file holds, for each vector, all inputs and then all outputs, as little-endian numbers without gaps.",
    ])  # fmt: skip
    helper = _DIFFERS if any(c.startswith("differs") for c in compare) else ""
    return f"""{head}
use std::process::ExitCode;
use std::sync::Mutex;

static SCRATCH: Mutex<{crate}::Scratch> = Mutex::new({crate}::Scratch::new());
{helper}
fn main() -> ExitCode {{
    let path = std::env::args().nth(1).unwrap_or_else(|| "vectors.bin".into());
    let bytes = match std::fs::read(&path) {{
        Ok(bytes) => bytes,
        Err(error) => {{
            eprintln!("{{path}} cannot be read: {{error}}");
            return ExitCode::from(2);
        }}
    }};
    let scratch = &mut *SCRATCH.lock().unwrap();
    let (mut count, mut different) = (0, 0);
    for vector in bytes.chunks({size}) {{
        if vector.len() < {size} {{
            eprintln!("{{path}} ends early");
            return ExitCode::from(2);
        }}
        let mut at = 0;
{"".join(reads)}        {crate}::run({", ".join(calls)}, scratch);
        count += 1;
        if {" || ".join(compare)} {{
            different += 1;
        }}
        debug_assert_eq!(at, vector.len());
    }}
    println!("{{count}} test vectors, {{different}} differ");
    ExitCode::from((count == 0 || different != 0) as u8)
}}
"""


_DIFFERS = """
/// Whether any number is further away than a part of the largest magnitude; NaN must be NaN.
fn differs(a: &[f32], b: &[f32], part: f64) -> bool {
    let largest = b.iter().filter(|v| v.is_finite()).fold(0.0, |most: f64, v| most.max(f64::from(v.abs())));
    a.iter().zip(b).any(|(a, b)| {
        let near = (f64::from(*a) - f64::from(*b)).abs() <= part * largest;
        !near && a != b && !(a.is_nan() && b.is_nan())
    })
}
"""


def _bytes(value: Value | Const) -> int:
    return {"f32": 4, "f64": 8}.get(rust_type(value.dtype)) or int(rust_type(value.dtype)[1:]) // 8


def _read(name: str, value: Value | Const) -> str:
    kind, width = rust_type(value.dtype), _bytes(value)
    return (
        f"        let mut {name} = [{'0.0' if kind.startswith('f') else '0'} as {kind}; {value.size}];\n"
        f"        for value in {name}.iter_mut() {{\n"
        f"            let mut bytes = [0u8; {width}];\n"
        f"            bytes.copy_from_slice(&vector[at..at + {width}]);\n"
        f"            *value = {kind}::from_le_bytes(bytes);\n            at += {width};\n        }}\n"
    )
