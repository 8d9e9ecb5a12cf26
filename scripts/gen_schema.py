# SPDX-License-Identifier: Apache-2.0
"""Make tflite2x/schema/enums.py and tflite2x/schema/tables.py from a TFLite schema file.

Usage: python scripts/gen_schema.py path/to/schema.fbs   (LiteRT: tflite/converter/schema/schema.fbs)

Only names, types, defaults and numbers are taken from the schema; the words are in gen_schema_docs.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import subprocess
import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from gen_schema_docs import FIELD_DOCS, OPERATORS_OF, TABLE_DOCS

ROOM = Path(__file__).parent.parent / "tflite2x" / "schema"
SCALARS = {
    "bool": "?", "byte": "b", "int8": "b", "ubyte": "B", "uint8": "B", "short": "h", "int16": "h", "ushort": "H",
    "uint16": "H", "int": "i", "int32": "i", "uint": "I", "uint32": "I", "long": "q", "int64": "q", "ulong": "Q",
    "uint64": "Q", "float": "f", "double": "d",
}  # fmt: skip
DECORATOR = "@dataclasses.dataclass(slots=True, repr=False, eq=False)"
KINDS = ["ARRAY", "BYTES", "ENUM", "SCALAR", "STRING", "TABLE", "TABLES", "UNION", "VECTOR", "Bytes", "Field", "Table"]
HEADER = '''# SPDX-License-Identifier: Apache-2.0
"""{doc}

Made by scripts/gen_schema.py; do not edit.
"""

'''


@dataclasses.dataclass
class Enum:
    name: str
    base: str
    members: list[tuple[str, int]]


@dataclasses.dataclass
class Field:
    name: str
    type: str
    default: str | None
    align: int
    deprecated: bool


def parse(text: str) -> tuple[dict[str, Enum], dict[str, list[str]], dict[str, list[Field]]]:
    """Return enums, unions and tables in the order of the schema."""
    text = re.sub(r"//.*", "", text)
    enums: dict[str, Enum] = {}
    unions: dict[str, list[str]] = {}
    tables: dict[str, list[Field]] = {}
    for kind, name, base, body in re.findall(
        r"\b(enum|union|table)\s+(\w+)\s*(?::\s*(\w+)\s*)?(?:\([^)]*\)\s*)?\{([^}]*)\}", text
    ):
        if kind == "enum":
            members, value = [], -1
            for entry in filter(None, (e.strip() for e in body.split(","))):
                entry = re.sub(r"\(.*\)", "", entry).strip()
                member, _, number = (p.strip() for p in entry.partition("="))
                value = int(number, 0) if number else value + 1
                members.append((member, value))
            enums[name] = Enum(name, base, members)
        elif kind == "union":
            unions[name] = [re.sub(r"\(.*\)", "", e).strip() for e in body.split(",") if e.strip()]
        else:
            fields = []
            for entry in filter(None, (e.strip() for e in body.split(";"))):
                match = re.fullmatch(r"(\w+)\s*:\s*(\[?\s*\w+\s*\]?)\s*(?:=\s*([\w.+-]+))?\s*(?:\(([^)]*)\))?", entry)
                if match is None:
                    raise SystemExit(f"cannot read field {entry!r} of table {name}")
                attributes = match[4] or ""
                align = re.search(r"force_align\s*:\s*(\d+)", attributes)
                fields.append(
                    Field(match[1], match[2].replace(" ", ""), match[3], int(align[1]) if align else 0,
                          "deprecated" in attributes)
                )  # fmt: skip
            tables[name] = fields
    return enums, unions, tables


def enums_module(enums: dict[str, Enum], unions: dict[str, list[str]]) -> str:
    """Return the text of enums.py."""
    out = [HEADER.format(doc="The enums of the TFLite schema, and the type numbers of its unions."), "import enum\n"]
    for e in enums.values():
        words = TABLE_DOCS.get(e.name, f"Enum {e.name} of the schema.")
        out.append(f'\n\nclass {e.name}(enum.IntEnum):\n    """{words}"""\n')
        out += [f"    {name} = {value}" for name, value in e.members]
    for name, members in unions.items():
        out.append(f'\n\nclass {name}(enum.IntEnum):\n    """Type numbers of the union {name}."""\n')
        out += [f"    {m} = {i}" for i, m in enumerate(["NONE", *members])]
    return "\n".join(out) + "\n"


def field_code(
    f: Field, enums: dict[str, Enum], unions: dict[str, list[str]], tables: dict[str, list[Field]]
) -> list[tuple[str, str, str, str]]:
    """Return (name, annotation, default, Field(...) arguments) of the dataclass fields of one schema field."""
    t = f.type
    if t in SCALARS:
        fmt = SCALARS[t]
        zero = "False" if fmt == "?" else "0.0" if fmt in "fd" else "0"
        default = {"true": "True", "false": "False", None: zero}.get(f.default, f.default)
        annotation = {"?": "bool", "f": "float", "d": "float"}.get(fmt, "int")
        return [(f.name, annotation, str(default), f'SCALAR, "{fmt}", default={default}')]
    if t in enums:
        e = enums[t]
        member = f.default or next(n for n, v in e.members if v == 0)
        return [(f.name, t, f"{t}.{member}", f'ENUM, "{SCALARS[e.base]}", {t}, {t}.{member}')]
    if t == "string":
        return [(f.name, "str | None", "None", "STRING")]
    if t in unions:
        kinds = " | ".join(unions[t])
        return [
            (f"{f.name}_type", "int", "0", 'SCALAR, "B"'),
            (f.name, f"{kinds if len(unions[t]) < 5 else t + 'Table'} | None", "None", f'UNION, arg="{t}"'),
        ]
    if t in tables:
        return [(f.name, f"{t} | None", "None", f'TABLE, arg="{t}"')]
    inner = t.strip("[]")
    if inner in tables:
        return [(f.name, f"list[{inner}] | None", "None", f'TABLES, arg="{inner}"')]
    align = f", align={f.align}" if f.align else ""
    if inner == "ubyte":
        return [(f.name, "Bytes | None", "None", f'BYTES, "B"{align}')]
    if inner in ("float", "ushort"):
        return [(f.name, "NDArray[Any] | None", "None", f'ARRAY, "{SCALARS[inner]}"{align}')]
    if inner in enums:
        return [(f.name, f"Sequence[{inner}] | None", "None", f'VECTOR, "{SCALARS[enums[inner].base]}", {inner}')]
    kind = "bool" if inner == "bool" else "int"
    return [(f.name, f"Sequence[{kind}] | None", "None", f'VECTOR, "{SCALARS[inner]}"{align}')]


def field_doc(table: str, name: str, deprecated: bool) -> str:
    """Return the words for a field."""
    base = name.removesuffix("_type")
    doc = FIELD_DOCS.get(f"{table}.{name}") or FIELD_DOCS.get(name)
    if doc is None and base in FIELD_DOCS:
        doc = f"Type number of the union {base}; set from the value when written."
    if doc is None:
        raise SystemExit(f"gen_schema_docs.py has no words for {table}.{name}")
    return f"{doc} Deprecated." if deprecated else doc


def tables_module(enums: dict[str, Enum], unions: dict[str, list[str]], tables: dict[str, list[Field]]) -> str:
    """Return the text of tables.py."""
    used = sorted({e for fields in tables.values() for f in fields for e in [f.type.strip("[]")] if e in enums})
    out = [
        HEADER.format(doc="Every table of the TFLite schema as a dataclass; fields in the order of their slots."),
        "from __future__ import annotations\n",
        "import dataclasses",
        "from collections.abc import Sequence",
        "from typing import Any, ClassVar\n",
        "from numpy.typing import NDArray\n",
        "from tflite2x.schema.enums import (",
        *(f"    {e}," for e in used),
        ")",
        "from tflite2x.schema.table import (",
        *(f"    {n}," for n in KINDS),
        ")",
    ]  # fmt: skip
    operators = {k: ", ".join(v) for k, v in OPERATORS_OF.items()}
    for name, fields in tables.items():
        words = TABLE_DOCS.get(name)
        if words is None:
            if not name.endswith("Options"):
                raise SystemExit(f"gen_schema_docs.py has no words for table {name}")
            words = f"Options of {operators.get(name) or guess_operator(name, enums)}."
        code = [(f, c) for f in fields for c in field_code(f, enums, unions, tables)]
        out.append(f'\n\n{DECORATOR}\nclass {name}(Table):\n    """{words}')
        if code:
            out.append("\n    Attributes:")
            for f, (field, *_) in code:
                text = f"{field}: {field_doc(name, field, f.deprecated)}"
                out += textwrap.wrap(text, 116, initial_indent=" " * 8, subsequent_indent=" " * 12)
            out.append('    """\n')
            out += [f"    {field}: {annotation} = {default}" for _, (field, annotation, default, _) in code]
        else:
            out[-1] += '"""'
        out.append("\n    FIELDS: ClassVar[tuple[Field, ...]] = (" + ("" if code else ")"))
        if code:
            out += [f'        Field("{field}", {arguments}),' for _, (field, _, _, arguments) in code]
            out.append("    )")
    for union, members in unions.items():
        if len(members) >= 5:
            out.append(f"\n\n{union}Table = (\n    " + "\n    | ".join(members) + "\n)")
    out.append("\n\n#: Union name -> table class of each type number; type 0 means that there is no value.")
    out.append("UNIONS: dict[str, tuple[type[Table] | None, ...]] = {")
    for union, members in unions.items():
        out.append(f'    "{union}": (\n        None,')
        out += [f"        {m}," for m in members]
        out.append("    ),")
    out.append("}")
    return "\n".join(out) + "\n"


def guess_operator(table: str, enums: dict[str, Enum]) -> str:
    """Return the operator name that an options table belongs to by its name."""
    flat = table.removesuffix("Options").upper()
    for name, _ in enums["BuiltinOperator"].members:
        if name.replace("_", "") == flat:
            return name
    raise SystemExit(f"which operator has options {table}? Add it to OPERATORS_OF in gen_schema_docs.py")


def main() -> None:
    """Read the schema and write both modules."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schema", type=Path)
    parsed = parse(parser.parse_args().schema.read_text())
    (ROOM / "enums.py").write_text(enums_module(*parsed[:2]))
    (ROOM / "tables.py").write_text(tables_module(*parsed))
    for module in ("enums.py", "tables.py"):
        subprocess.run(["ruff", "format", "--quiet", str(ROOM / module)], check=True)


if __name__ == "__main__":
    main()
