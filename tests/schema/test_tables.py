# SPDX-License-Identifier: Apache-2.0
"""The generated schema agrees with the packages that ship one."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
from typing import Any

import numpy as np
import pytest

from tflite2x.schema import enums, tables
from tflite2x.schema.reader import Reader
from tflite2x.schema.table import ENUM, SCALAR, TABLE, TABLES, UNION, Table
from tflite2x.schema.writer import Writer

#: Newer than the PyPI package tflite 2.18.
NEWER_MEMBERS = {
    ("TensorType", "INT2"),
    ("TensorType", "UINT4"),
    ("TensorType", "FLOAT8_E4M3FN"),
    ("TensorType", "FLOAT8_E5M2"),
    ("BuiltinOperator", "STABLEHLO_CASE"),
    ("BuiltinOptions2", "StablehloCaseOptions"),
    ("QuantizationDetails", "BlockwiseQuantization"),
    ("QuantizationDetails", "MultiAxisQuantization"),
}


def all_tables() -> list[type[Table]]:
    return [c for c in vars(tables).values() if isinstance(c, type) and issubclass(c, Table) and c is not Table]


def all_enums() -> list[type[enum.IntEnum]]:
    return [c for c in vars(enums).values() if isinstance(c, type) and issubclass(c, enum.IntEnum)]


def camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


@pytest.mark.parametrize("cls", all_enums(), ids=lambda c: c.__name__)
def test_enums_agree_with_the_tflite_package(cls: type[enum.IntEnum]) -> None:
    tflite = pytest.importorskip("tflite")
    theirs = getattr(tflite, cls.__name__, None)
    if theirs is None:
        pytest.skip("not in the tflite package")
    for member in cls:
        if (cls.__name__, member.name) in NEWER_MEMBERS:
            continue
        assert getattr(theirs, member.name) == member.value, member
    for name, value in vars(theirs).items():
        if not name.startswith("_"):
            assert cls[name] == value, name


@pytest.mark.parametrize("cls", all_tables(), ids=lambda c: c.__name__)
def test_slots_and_defaults_agree_with_the_tflite_package(cls: type[Table]) -> None:
    tflite = pytest.importorskip("tflite")
    theirs = getattr(tflite, cls.__name__, None)
    if theirs is None:
        pytest.skip("not in the tflite package")
    module = importlib.import_module(theirs.__module__)
    reader = theirs()
    buffer = b"\4\0\4\0" + b"\4\0\0\0" + bytes(8)  # an empty vtable and a table that refers to it
    reader.Init(bytearray(buffer), 4)
    checked = 0
    for slot, field in enumerate(cls.FIELDS):
        accessor = getattr(reader, camel(field.name), None)
        if accessor is None:
            continue  # newer than the package, or deprecated
        offset = re.search(r"self\._tab\.Offset\((\d+)\)", inspect.getsource(getattr(theirs, camel(field.name))))
        assert offset is not None
        assert int(offset[1]) == 4 + 2 * slot, field
        if field.kind in (SCALAR, ENUM):
            default: Any = 0 if field.default is None else field.default
            assert accessor() == default, field
        checked += 1
    known = [n for n in vars(theirs) if n[0].isupper() and not n.endswith(("AsNumpy", "Length", "IsNone"))]
    known = [
        n for n in known if n != "Init" and not n.startswith("GetRootAs") and not n.endswith("BufferHasIdentifier")
    ]
    assert checked == len(known), f"{cls.__name__} of {module.__name__} has {known}"


@pytest.mark.parametrize("cls", all_tables(), ids=lambda c: c.__name__)
def test_slots_agree_with_litert(cls: type[Table]) -> None:
    """The object API of ai-edge-litert knows the newest fields; deprecated ones are left out there."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    theirs = getattr(schema, cls.__name__)
    for slot, field in enumerate(cls.FIELDS):
        accessor = getattr(theirs, camel(field.name), None)
        if accessor is None:
            assert field.name in ("new_height", "new_width", "deprecated_tag"), field
            continue
        offset = re.search(r"self\._tab\.Offset\((\d+)\)", inspect.getsource(accessor))
        assert offset is not None
        assert int(offset[1]) == 4 + 2 * slot, field


def test_every_table_of_litert_is_here() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    theirs = {
        n[:-1] for n, c in vars(schema).items() if isinstance(c, type) and n.endswith("T") and hasattr(schema, n[:-1])
    }
    assert theirs <= {c.__name__ for c in all_tables()}


def test_unions_name_tables_by_their_numbers() -> None:
    for name, classes in tables.UNIONS.items():
        members = getattr(enums, name)
        assert [m.name for m in members] == ["NONE", *(c.__name__ for c in classes if c is not None)]


@pytest.mark.parametrize("cls", all_tables(), ids=lambda c: c.__name__)
def test_fields_describe_the_dataclass(cls: type[Table]) -> None:
    assert [f.name for f in cls.FIELDS] == [f.name for f in dataclasses.fields(cls) if f.name != "extras"]
    doc = cls.__doc__ or ""
    for field in cls.FIELDS:
        assert f"{field.name}:" in doc
        if field.kind in (TABLE, TABLES):
            assert hasattr(tables, field.arg)
        if field.kind == UNION:
            assert field.arg in tables.UNIONS


def test_options_of_each_kind_survive() -> None:
    options: list[Any] = [
        tables.Conv2DOptions(enums.Padding.VALID, 2, 3, enums.ActivationFunctionType.RELU6, 4, 5),
        tables.ReshapeOptions((1, -1, 7)),
        tables.ReshapeOptions(()),
        tables.BucketizeOptions(np.array([0.1, np.nan, -np.inf], np.float32)),
        tables.VarHandleOptions("box", "grüße"),
        tables.StablehloDotGeneralOptions(
            precision_config=(enums.StablehloPrecisionConfig.HIGHEST, enums.StablehloPrecisionConfig.DEFAULT)
        ),
        tables.StablehloConvolutionOptions(window_reversal=(True, False), feature_group_count=2**40),
        tables.SoftmaxOptions(0.30000001192092896),
        tables.AddOptions(pot_scale_int16=False),
        tables.ResizeBilinearOptions(5, 6, True, True),
    ]
    unions = {c: (u, i) for u in ("BuiltinOptions", "BuiltinOptions2") for i, c in enumerate(tables.UNIONS[u])}
    operators = []
    for o in options:
        union, number = unions[type(o)]
        field = "builtin_options" if union == "BuiltinOptions" else "builtin_options_2"
        operators.append(tables.Operator(**{field: o, f"{field}_type": number}))
    root = tables.Model(subgraphs=[tables.SubGraph(operators=operators)], buffers=[tables.Buffer(b"x")])
    data = b"".join(Writer().root(root, []))
    assert Reader(memoryview(data)).root(tables.Model) == root


def test_repr_shows_what_is_set() -> None:
    text = repr(tables.Conv2DOptions(enums.Padding.VALID, 2))
    assert text.startswith("Conv2DOptions(padding=VALID, stride_w=2")
    assert repr(tables.ReshapeOptions()) == "ReshapeOptions()"
