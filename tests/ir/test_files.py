# SPDX-License-Identifier: Apache-2.0
"""Files: mapped when read, replaced in one step when written, large or with data beside them."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.ir.object_api import differences, read
from tests.ir.test_malformed import small_model, tables_of
from tests.oracle import litert_run
from tflite2x.errors import FileAccessError, FormatError, UnknownFieldError, UnsupportedError
from tflite2x.ir import ExternalBuffer, ExternalBufferGroup, UnknownFieldWarning
from tflite2x.ir.saving import model_pieces
from tflite2x.schema import tables, writer
from tflite2x.schema.enums import BuiltinOptions2
from tflite2x.schema.table import SCALAR, Extras, Field
from tflite2x.schema.tables import StablehloCaseOptions
from tflite2x.schema.writer import Writer


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    tflite2x.save(small_model(), path)
    model = tflite2x.load(str(path))
    assert model.path == path
    assert path.read_bytes() == tflite2x.dumps(model)
    assert os.listdir(tmp_path) == ["m.tflite"]


def test_a_file_can_be_rewritten_onto_itself(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    tflite2x.save(small_model(), path)
    model = tflite2x.load(path)
    before = model.main.tensor("w").data
    for text in ("one", "two"):
        model.description = text
        tflite2x.save(model, path)
        assert tflite2x.load(path).description == text
    assert before is not None
    assert before.tolist() == np.ones((2, 4)).tolist()


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "m.tflite", tmp_path / "link.tflite"
    tflite2x.save(small_model(), path)
    path.chmod(0o640)
    link.symlink_to(path)
    tflite2x.save(small_model(), link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["missing/m.tflite", "folder", "bad\0name"])
def test_unwritable(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileAccessError, match="cannot be written"):
        tflite2x.save(small_model(), tmp_path / name)
    assert os.listdir(tmp_path) == ["folder"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.tflite"
    tflite2x.save(small_model(), path)
    old = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    model = tflite2x.load(path)
    model.description = "new"
    with pytest.raises(FileAccessError, match="No space left on device"):
        tflite2x.save(model, path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["m.tflite"]


@pytest.mark.parametrize("name", ["missing.tflite", ".", "bad\0name"])
def test_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileAccessError, match="cannot be read"):
        tflite2x.load(tmp_path / name)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.tflite").touch()
    with pytest.raises(FormatError, match=r"empty\.tflite: 0 bytes are too few"):
        tflite2x.load(tmp_path / "empty.tflite")


def test_weights_are_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    tflite2x.save(small_model(), path)
    model = tflite2x.load(path)
    w = model.main.tensor("w")
    assert w.data is not None
    assert np.shares_memory(w.data, np.frombuffer(w.buffer.data, np.uint8))


def runnable() -> tflite2x.Model:
    model = tflite2x.Model.new()
    g = model.main
    x = g.add_input("x", (1, 300), "float32")
    c = g.add_constant("c", np.arange(300, dtype=np.float32).reshape(1, 300))
    y = g.add_tensor("y", (1, 300), "float32")
    g.add_operator("ADD", [x, c], [y], tables.AddOptions())
    g.set_outputs([y])
    return model


def test_contents_behind_the_flatbuffer() -> None:
    model = runnable()
    inside = tflite2x.dumps(model)
    outside = b"".join(model_pieces(model, limit=100))
    assert inside != outside
    x = np.ones((1, 300), np.float32)
    assert (litert_run(outside, [x])[0] == litert_run(inside, [x])[0]).all()
    again = tflite2x.loads(outside)
    assert again.main.tensor("c").data is not None
    assert [b.outside for b in again.buffers] == [False, True]
    # What was behind stays behind, whatever the size.
    assert tflite2x.dumps(again) == outside
    start = read(outside).buffers[1].offset
    assert start % 16 == 0
    with pytest.raises(FormatError, match=r"buffers\[1\]: bytes"):
        tflite2x.loads(outside[:-8])


def test_large_custom_options() -> None:
    model = runnable()
    g = model.main
    z = g.add_tensor("z", (1, 300), "float32")
    op = g.add_operator("Mine", [g.tensor("y")], [z], custom_options=b"options" * 10)
    op.large_custom_options = True
    data = tflite2x.dumps(model)
    again = tflite2x.loads(data)
    assert bytes(again.main.operators[1].custom_options or b"") == b"options" * 10
    assert tflite2x.dumps(again) == data
    raw = read(data).subgraphs[0].operators[1]
    assert raw.customOptions is None
    assert data[raw.largeCustomOptionsOffset :][: raw.largeCustomOptionsSize] == b"options" * 10


def test_external_buffers(tmp_path: Path) -> None:
    model = runnable()
    group = ExternalBufferGroup("weights.bin")
    model.external_buffer_groups.append(group)
    model.external_buffers.append(ExternalBuffer(7, group, 16, 1200))
    t = model.main.add_tensor("e", (1, 300), "float32")
    t.external_buffer = model.external_buffers[0]
    path = tmp_path / "m.tflite"
    tflite2x.save(model, path)
    tensor = tflite2x.load(path).main.tensor("e")
    assert tensor.is_constant
    with pytest.raises(FileAccessError, match=r"weights\.bin: cannot be read"):
        _ = tensor.data
    (tmp_path / "weights.bin").write_bytes(bytes(16) + np.arange(300, dtype=np.float32).tobytes())
    assert tensor.data is not None
    assert tensor.data[0, 299] == 299
    assert tflite2x.dumps(tflite2x.load(path)) == path.read_bytes()
    again = tflite2x.loads(path.read_bytes())
    with pytest.raises(UnsupportedError, match="not loaded from a file"):
        _ = again.main.tensor("e").data
    again.external_buffer_groups[0].name = "../secret"
    again.path = path
    with pytest.raises(FormatError, match="outside of the model's folder"):
        _ = again.main.tensor("e").data
    root = tables_of(model)
    root.subgraphs[0].tensors[3].external_buffer = 9
    with pytest.raises(FormatError, match=r"tensors\[3\].external_buffer: no external buffer has id 9"):
        tflite2x.loads(b"".join(Writer().root(root, [])))


def test_bytes_behind_the_flatbuffer_stay() -> None:
    data = tflite2x.dumps(small_model()) + b"PK\5\6" + bytes(18)
    model = tflite2x.loads(data)
    assert bytes(model.trailing) == b"PK\5\6" + bytes(18)
    assert tflite2x.dumps(model) == data


def test_absent_and_empty_are_different_things() -> None:
    root = tables_of(small_model())
    sg = root.subgraphs[0]
    sg.operators[0].intermediates = ()
    sg.tensors[3].shape = None
    sg.tensors[2].shape = ()
    sg.name = ""
    sg.tensors[0].quantization.zero_point = ()
    sg.tensors[1].quantization.zero_point = None
    sg.tensors[2].quantization.scale = None
    root.metadata_buffer = ()
    root.external_buffers = []
    root.description = None
    root.buffers.append(tables.Buffer(b""))
    root.buffers.append(tables.Buffer(None, 1, 1))
    root.operator_codes[0].extras = Extras(explicit=0b1111)
    data = b"".join(Writer().root(root, []))
    saved = tflite2x.dumps(tflite2x.loads(data))
    assert saved == data
    assert not list(differences(read(data), read(saved)))


def test_defaults_that_are_stored_stay_stored() -> None:
    root = tables_of(small_model())
    plain = b"".join(Writer().root(root, []))
    root.subgraphs[0].tensors[0].extras = Extras(explicit=1 << 5)  # is_variable = false
    explicit = b"".join(Writer().root(root, []))
    assert explicit != plain
    model = tflite2x.loads(explicit)
    assert model.main.tensors[0].extras == Extras(explicit=1 << 5)
    assert tflite2x.dumps(model) == explicit
    assert tflite2x.dumps(model.clone()) == explicit


def test_old_opcodes_stay_as_they_are() -> None:
    model = small_model()
    for code in model.operator_codes:
        code.builtin_code = tflite2x.BuiltinOperator.ADD  # 0: the field does not exist in old files
    again = tflite2x.loads(tflite2x.dumps(model))
    assert [c.name for c in again.operator_codes] == ["FULLY_CONNECTED", "RELU"]
    assert [(int(c.builtin_code), c.deprecated_builtin_code) for c in again.operator_codes] == [(0, 9), (0, 19)]


def newer_file(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Write a file whose Tensor table has one slot more than the schema."""
    fields = tables.Tensor.FIELDS
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_forms", {})
        patch.setattr(writer, "_layouts", {})
        patch.setattr(tables.Tensor, "FIELDS", (*fields, Field("newest", SCALAR, "i", default=0)))
        patch.setattr(tables.Tensor, "newest", 5, raising=False)
        return b"".join(Writer().root(tables_of(small_model()), []))


def test_newer_fields_are_refused_unless_dropped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = newer_file(monkeypatch)
    slot = len(tables.Tensor.FIELDS)
    with pytest.warns(UnknownFieldWarning, match=f"Tensor slot {slot}"):
        model = tflite2x.loads(data)
    with pytest.raises(UnknownFieldError, match=f"Tensor slot {slot}"):
        tflite2x.save(model, tmp_path / "m.tflite")
    with pytest.raises(UnknownFieldError):
        tflite2x.dumps(model.clone())
    assert not list(tmp_path.iterdir())
    assert tflite2x.dumps(model, drop_unknown=True) == tflite2x.dumps(small_model())


def test_newer_unions_and_enums() -> None:
    model = small_model()
    op = model.main.operators[0]
    op.options = StablehloCaseOptions((0,))
    root = tables_of(model)
    root.operator_codes[1].builtin_code = 1234  # type: ignore[assignment]
    root.subgraphs[0].tensors[3].type = 77  # type: ignore[assignment]
    data = bytearray(b"".join(Writer().root(root, [])))
    again = tflite2x.loads(bytes(data))
    assert again.main.operators[1].name == "operator 1234"
    assert tflite2x.dumps(again) == bytes(data)
    with pytest.raises(UnsupportedError, match="77 is newer"):
        _ = again.main.tensors[3].numpy_dtype
    # The type number of the union becomes one that does not exist yet.
    number = int(BuiltinOptions2.StablehloCaseOptions)
    candidates = [i for i, b in enumerate(data) if b == number]
    for at in candidates:
        trial = bytearray(data)
        trial[at] = 99
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                newer = tflite2x.loads(bytes(trial))
            except FormatError:
                continue
        if any("union BuiltinOptions2 type 99" in str(w.message) for w in caught):
            break
    else:
        pytest.fail("no byte of the file is the union's type")
    assert newer.main.operators[0].options is None
    with pytest.raises(UnknownFieldError, match="union BuiltinOptions2 type 99"):
        tflite2x.dumps(newer)
    tflite2x.dumps(newer, drop_unknown=True)


def test_numbers_that_do_not_fit(tmp_path: Path) -> None:
    model = small_model()
    model.main.tensors[0].shape = (2**40,)
    with pytest.raises(FormatError, match=r"Tensor\.shape: cannot be stored"):
        tflite2x.dumps(model)
    model = small_model()
    model.main.operators[0].options = tables.Conv2DOptions(stride_w=2**40)
    with pytest.raises(FormatError, match=r"Conv2DOptions\.stride_w: 1099511627776 cannot be stored"):
        tflite2x.save(model, tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


def test_sparse_constants() -> None:
    from tflite2x.schema.enums import DimensionType
    from tflite2x.schema.tables import DimensionMetadata, Int32Vector, SparsityParameters, Uint8Vector

    # [[0, 1, 0, 2], [0, 0, 3, 0], [4, 0, 0, 0]]: rows dense, columns compressed.
    model = tflite2x.Model.new()
    t = model.main.add_constant("s", np.array([1, 2, 3, 4], np.float32))
    t.shape = (3, 4)
    columns = DimensionMetadata(
        DimensionType.SPARSE_CSR,
        array_segments=Uint8Vector(np.array([0, 2, 3, 4], np.uint8).tobytes()),
        array_indices=Int32Vector((1, 3, 2, 0)),
    )
    t.sparsity = SparsityParameters((0, 1), (), [DimensionMetadata(DimensionType.DENSE, 3), columns])
    again = tflite2x.loads(tflite2x.dumps(model)).main.tensors[0]
    assert again.data is not None
    assert again.data.tolist() == [[0, 1, 0, 2], [0, 0, 3, 0], [4, 0, 0, 0]]
    # Blocks of 2 x 2: the block rows are dense, the block columns compressed, the insides dense.
    t.shape = (4, 4)
    t.sparsity = SparsityParameters(
        (0, 1, 2, 3),
        (0, 1),
        [
            DimensionMetadata(DimensionType.DENSE, 2),
            DimensionMetadata(
                DimensionType.SPARSE_CSR,
                array_segments=Int32Vector((0, 0, 1)),
                array_indices=Int32Vector((1,)),
            ),
            DimensionMetadata(DimensionType.DENSE, 2),
            DimensionMetadata(DimensionType.DENSE, 2),
        ],
    )
    again = tflite2x.loads(tflite2x.dumps(model)).main.tensors[0]
    assert again.data is not None
    assert again.data.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 3, 4]]
    t.sparsity.traversal_order = (0, 0, 2, 3)
    with pytest.raises(tflite2x.errors.GraphError, match="traversal order"):
        _ = t.data
