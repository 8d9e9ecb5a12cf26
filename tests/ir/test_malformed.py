# SPDX-License-Identifier: Apache-2.0
"""Broken files: one typed error that names the place, whatever the bytes are."""

from __future__ import annotations

import random
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tflite2x.errors import FormatError, GraphError, PassError, Tflite2xError, UnsupportedError
from tflite2x.ir.saving import Saver
from tflite2x.schema.enums import DimensionType
from tflite2x.schema.tables import (
    BlockwiseQuantization,
    DimensionMetadata,
    QuantizationParameters,
    SoftmaxOptions,
    SparsityParameters,
    Uint8Vector,
)
from tflite2x.schema.writer import Writer


def small_model() -> tflite2x.Model:
    model = tflite2x.Model.new("made for tests")
    graph = model.main
    x = graph.add_input("x", (1, 4), "int8", scale=0.5, zero_point=3)
    w = graph.add_constant("w", np.ones((2, 4), np.int8), scale=[0.25, 0.5])
    y = graph.add_tensor("y", (1, 2), "int8", scale=1.0)
    z = graph.add_tensor("z", (1, 2), "int8", scale=1.0)
    graph.add_operator("FULLY_CONNECTED", [x, w, None], [y])
    graph.add_operator("RELU", [y], [z])
    graph.set_outputs([z])
    model.add_signature("serve", graph, inputs={"x": x}, outputs={"y": z})
    model.add_metadata("note", b"text")
    return model


def tables_of(model: tflite2x.Model):
    return Saver(model, 1 << 40).model()


def bytes_of(root) -> bytes:
    return b"".join(Writer().root(root, []))


def error_of(root) -> str:
    with pytest.raises(FormatError) as caught:
        tflite2x.loads(bytes_of(root))
    return str(caught.value)


def read_everything(data: bytes) -> None:
    """Load bytes and look at everything; typed errors are the only way out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tflite2x.ir.UnknownFieldWarning)
            model = tflite2x.loads(data)
    except FormatError:
        return
    model.clone()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            try:
                assert tensor.data is None or tensor.data.shape == tensor.shape
            except Tflite2xError as e:
                assert e.where  # noqa: PT017 - the error is allowed, a silent one is not
    try:
        tflite2x.dumps(model, drop_unknown=True)
    except Tflite2xError as e:
        assert str(e)  # noqa: PT017


@pytest.mark.parametrize("length", [0, 1, 4, 7, 8, 20])
def test_too_short(length: int) -> None:
    with pytest.raises(FormatError):
        tflite2x.loads(tflite2x.dumps(small_model())[:length])


def test_not_tflite() -> None:
    with pytest.raises(FormatError, match="not a TFLite file"):
        tflite2x.loads(b"PK\3\4" + bytes(100))


def test_truncated_at_every_byte() -> None:
    data = tflite2x.dumps(small_model())
    refused = 0
    for length in range(len(data)):
        try:
            tflite2x.loads(data[:length])
        except FormatError as e:
            refused += 1
            assert str(e)  # noqa: PT017
    # Only the padding at the very end is not missed.
    assert refused >= len(data) - 16


def test_places_are_named() -> None:
    root = tables_of(small_model())
    root.subgraphs[0].operators[1].inputs = (99,)
    assert "subgraphs[0].operators[1].inputs[0]: tensor index 99, 4 tensors" in error_of(root)
    root = tables_of(small_model())
    root.subgraphs[0].tensors[2].buffer = 77
    assert "subgraphs[0].tensors[2].buffer: buffer index 77, 3 buffers" in error_of(root)
    root = tables_of(small_model())
    root.subgraphs[0].operators[0].opcode_index = 5
    assert "subgraphs[0].operators[0].opcode_index: operator code index 5, 2 operator codes" in error_of(root)
    root = tables_of(small_model())
    root.subgraphs[0].outputs = (-1,)
    assert "subgraphs[0].outputs[0]: tensor index -1" in error_of(root)
    root = tables_of(small_model())
    root.signature_defs[0].subgraph_index = 3
    assert "signature_defs[0].subgraph_index: subgraph index 3, 1 subgraphs" in error_of(root)
    root = tables_of(small_model())
    root.metadata[0].buffer = 9
    assert "metadata[0].buffer: buffer index 9, 3 buffers" in error_of(root)


def test_cycle() -> None:
    root = tables_of(small_model())
    root.subgraphs[0].operators[0].inputs = (3, 1, -1)
    assert "operators form a cycle: operators[" in error_of(root)


def test_two_producers() -> None:
    root = tables_of(small_model())
    root.subgraphs[0].operators[1].outputs = (2,)
    assert "subgraphs[0].operators[1].outputs[0]: tensor 'y' is already computed by operators[0]" in error_of(root)


def test_computed_input() -> None:
    root = tables_of(small_model())
    root.subgraphs[0].inputs = (2,)
    assert "subgraphs[0].inputs[0]: operators[0] computes this graph input" in error_of(root)


def test_called_subgraph_does_not_exist() -> None:
    model = small_model()
    from tflite2x.schema.tables import WhileOptions

    model.main.operators[1].set_code("WHILE")
    model.main.operators[1].options = WhileOptions(0, 4)
    root = tables_of(model)
    assert "subgraphs[0].operators[1].body_subgraph_index: subgraph index 4, 1 subgraphs" in error_of(root)


def test_absurd_vector_length() -> None:
    data = bytearray(tflite2x.dumps(small_model()))
    for at in range(8, len(data) - 4, 4):
        mutated = bytearray(data)
        struct.pack_into("<I", mutated, at, 0xFFFFFFF0)
        read_everything(bytes(mutated))


def test_a_bomb_is_refused() -> None:
    # A vector of tables in which every entry refers to the same large table.
    root = tables_of(small_model())
    shared = root.subgraphs[0].tensors[0]
    shared.shape = tuple([1] * 4000)
    data = bytearray(bytes_of(root))
    at = data.find(struct.pack("<I", 4000))
    count = 4000
    tensors = struct.pack("<I", count)
    model_end = len(data)
    data += tensors + bytes(4 * count)
    reference = next(i for i in range(8, at, 4) if i + struct.unpack_from("<I", data, i)[0] == _tensors_vector(data))
    table = _tensors_vector(data) + 4 + struct.unpack_from("<I", data, _tensors_vector(data) + 4)[0]
    # Offsets count forward only, so the table is copied behind the vector, with its vtable reference kept.
    copy_at = len(data) + (-len(data)) % 8
    vtable = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, vtable + 2)[0]
    data += bytes(copy_at - len(data)) + data[table : table + size] + bytes(20000)
    struct.pack_into("<i", data, copy_at, copy_at - vtable)
    fields = struct.unpack_from(f"<{struct.unpack_from('<H', data, vtable)[0] // 2}H", data, vtable)[2:]
    shape_at = copy_at + fields[0]
    struct.pack_into("<I", data, copy_at + size, 4000)
    struct.pack_into("<I", data, shape_at, copy_at + size - shape_at)
    for other in (3, 4):
        if len(fields) > other and fields[other]:
            struct.pack_into("<I", data, copy_at + fields[other], copy_at + size + 16004 - copy_at - fields[other])
    for i in range(count):
        entry = model_end + 4 + 4 * i
        struct.pack_into("<I", data, entry, copy_at - entry)
    struct.pack_into("<I", data, reference, model_end - reference)
    with pytest.raises(FormatError):
        tflite2x.loads(bytes(data))


def _tensors_vector(data: bytearray) -> int:
    model = struct.unpack_from("<I", data)[0]
    subgraphs = _field(data, model, 2)
    subgraph = subgraphs + 4 + struct.unpack_from("<I", data, subgraphs + 4)[0]
    return _field(data, subgraph, 0)


def _field(data: bytearray, table: int, slot: int) -> int:
    vtable = table - struct.unpack_from("<i", data, table)[0]
    at = table + struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0]
    return at + struct.unpack_from("<I", data, at)[0]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change, cut, insert or repeat some bytes."""
    mutated = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(mutated))
        kind = rng.randrange(6)
        if kind == 0:
            mutated[at] = rng.randrange(256)
        elif kind == 1:
            mutated[at] ^= 1 << rng.randrange(8)
        elif kind == 2 and at + 4 <= len(mutated):
            value = rng.choice((0, 1, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(mutated), rng.randrange(1 << 32)))
            struct.pack_into("<I", mutated, at & ~3, value) if (at & ~3) + 4 <= len(mutated) else None
        elif kind == 3 and at + 2 <= len(mutated):
            struct.pack_into("<H", mutated, at, rng.choice((0, 4, 0xFFFF, rng.randrange(1 << 16))))
        elif kind == 4:
            del mutated[at : at + rng.randrange(1, 64)]
        else:
            mutated[at:at] = mutated[: rng.randrange(1, 64)]
        if len(mutated) < 8:
            break
    return bytes(mutated)


def fuzz(data: bytes, count: int, seed: int) -> None:
    rng = random.Random(seed)
    for i in range(count):
        mutated = mutate(data, rng)
        try:
            read_everything(mutated)
        except Exception as e:
            raise AssertionError(f"mutation {i} of seed {seed}: {type(e).__name__}: {e}") from e


def test_mutated_files(models: Path) -> None:
    fuzz(tflite2x.dumps(small_model()), 3000, seed=1)
    fuzz((models / "cnn_int8.tflite").read_bytes()[-20000:], 20, seed=2)


@pytest.mark.sweep
def test_100_000_mutated_files(corpus: Path) -> None:
    import json
    import resource

    small = [e["path"] for e in json.loads((corpus / "index.json").read_text()) if e["size"] < 20_000]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for i, path in enumerate(small):
        fuzz((corpus / path).read_bytes(), -(-100_000 // len(small)), seed=i)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{len(small)} files mutated, peak memory grew by {grown // 1024} MiB")
    assert grown < 300 * 1024


def test_an_output_that_is_left_out() -> None:
    """Loading and saving keep it, as runtimes do; what needs it says so."""
    root = tables_of(small_model())
    root.subgraphs[0].operators[1].outputs = [-1]
    model = tflite2x.loads(bytes_of(root))
    assert model.main.operators[1].outputs == (None,)
    again = tflite2x.loads(tflite2x.dumps(model))
    assert again.main.operators[1].outputs == (None,)
    with pytest.raises(UnsupportedError, match="an output is left out"):
        tflite2x.Interpreter(again).run([np.zeros((1, 4), np.int8)])
    with pytest.raises(PassError, match="an output is left out"):
        tflite2x.Pipeline.parse("cleanup").run(again)


def test_more_dimensions_than_any_array_has() -> None:
    root = tables_of(small_model())
    root.subgraphs[0].tensors[0].shape = [1] * 65
    assert error_of(root).startswith("subgraphs[0].tensors[0].shape: 65 dimensions")


def test_block_scales_that_scale_themselves() -> None:
    root = tables_of(small_model())
    details = BlockwiseQuantization(scales=1, zero_points=-1, block_size=2)
    root.subgraphs[0].tensors[1].quantization = QuantizationParameters(details=details)
    assert "quantized in blocks themselves" in error_of(root)


def test_options_of_another_operator_count_as_absent_and_stay_in_the_file() -> None:
    root = tables_of(small_model())
    root.subgraphs[0].operators[0].builtin_options = SoftmaxOptions(beta=2.0)
    data = bytes_of(root)
    model = tflite2x.loads(data)
    assert model.main.operators[0].options is None
    assert tflite2x.dumps(model) == data
    assert tflite2x.dumps(model.clone()) == data


def sparse(shape: tuple[int, ...], **parameters) -> tflite2x.Tensor:
    model = small_model()
    tensor = model.main.tensors[1]
    tensor.shape, tensor.sparsity = shape, SparsityParameters(**parameters)
    return tensor


@pytest.mark.parametrize(
    ("shape", "order", "sizes", "what"),
    [
        ((), [], [], "a sparse scalar"),
        ((2, 4), [0, 1], [2, 2**31 - 1], "more values than"),
        ((2, 4), [0, 1], [2**31 - 1, 4], "more values than"),
        ((2**20, 2**20), [0, 1], [2, 4], "more than 2 GB"),
    ],
)
def test_damaged_sparsity_is_one_error_and_takes_no_memory(
    shape: tuple[int, ...], order: list[int], sizes: list[int], what: str
) -> None:
    metadata = [DimensionMetadata(dense_size=size) for size in sizes]
    tensor = sparse(shape, traversal_order=order, block_map=[], dim_metadata=metadata)
    with pytest.raises(GraphError, match=what):
        _ = tensor.data


def test_sparse_tensors_of_a_file_can_be_cloned() -> None:
    metadata = [
        DimensionMetadata(dense_size=2),
        DimensionMetadata(
            format=DimensionType.SPARSE_CSR,
            array_segments=Uint8Vector(b"\0\1\2"),
            array_indices=Uint8Vector(b"\1\3"),
        ),
    ]
    tensor = sparse((2, 4), traversal_order=[0, 1], block_map=[], dim_metadata=metadata)
    model = tflite2x.loads(tflite2x.dumps(tensor.subgraph.model))
    assert tflite2x.dumps(model.clone()) == tflite2x.dumps(model)
    copied = model.clone().main.tensors[1]
    copied.sparsity.dim_metadata[0].dense_size = 7
    assert np.array_equal(model.main.tensors[1].data, [[0, 1, 0, 0], [0, 0, 0, 1]])
