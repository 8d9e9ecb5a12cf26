# SPDX-License-Identifier: Apache-2.0
"""Tensors: the values that flow between operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import GraphError, Tflite2xError
from tflite2x.ir import dtypes
from tflite2x.ir.buffer import Buffer, ExternalBuffer
from tflite2x.ir.quantization import Quantization
from tflite2x.schema.enums import TensorType
from tflite2x.schema.table import Extras
from tflite2x.schema.tables import SparsityParameters, VariantSubType

if TYPE_CHECKING:
    from tflite2x.ir.operator import Operator
    from tflite2x.ir.subgraph import Subgraph


class Tensor:
    """One tensor of a subgraph. Made by ``Subgraph.add_tensor`` and its relatives, never directly.

    Attributes:
        name: Name, or None when the file has none.
        shape_signature: Shape in which -1 marks dimensions that are unknown before the model runs, or None.
        quantization: Quantization, or None.
        is_variable: Whether the tensor keeps its value between calls.
        has_rank: The file's note that the rank is known.
        sparsity: Layout of a sparse constant, or None.
        variant_tensors: What a tensor of type VARIANT holds, or None.
        external_buffer: Data in a file beside the model, or None.
    """

    __slots__ = ("_aside", "_buffer", "_dtype", "_producer", "_rank", "_shape", "_subgraph", "_uses", "absent",
                 "external_buffer", "extras", "has_rank", "is_variable", "name", "quantization", "shape_signature",
                 "sparsity", "variant_tensors")  # fmt: skip

    def __init__(self, subgraph: Subgraph, name: str | None, shape: Sequence[int], dtype: TensorType, buffer: Buffer):
        self._subgraph: Subgraph | None = subgraph
        self._rank = 0
        self._producer: Operator | None = None
        # An ordered set: insertion order makes everything that walks over it deterministic.
        self._uses: dict[tuple[Operator, int], None] = {}
        # Whether something that keeps no use may refer to the tensor: intermediates of an operator, or block scales and
        # zero points of a quantization. Once set, it stays: only a look through the graph tells.
        self._aside = False
        self._buffer = buffer
        self._shape = tuple(shape)
        self._dtype = dtype
        self.name = name
        self.shape_signature: tuple[int, ...] | None = None
        self.quantization: Quantization | None = None
        self.is_variable = False
        self.has_rank = False
        self.sparsity: SparsityParameters | None = None
        self.variant_tensors: list[VariantSubType] | None = None
        self.external_buffer: ExternalBuffer | None = None
        #: the file has no shape vector (an empty one is something else)
        self.absent: frozenset[str] = frozenset()
        self.extras: Extras | None = None

    @property
    def subgraph(self) -> Subgraph:
        """The subgraph that holds the tensor."""
        if self._subgraph is None:
            raise GraphError(f"tensor {self.name!r} was removed from its subgraph")
        return self._subgraph

    @property
    def index(self) -> int:
        """Position in ``subgraph.tensors``; changes with edits."""
        return self.subgraph._tensor_index(self)

    @property
    def where(self) -> str:
        """The place for messages, such as ``subgraphs[0].tensors[7] ('conv1')``."""
        if self._subgraph is None:
            return f"removed tensor {self.name!r}"
        return f"{self._subgraph.where}.tensors[{self.index}] ({self.name!r})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension; empty for a scalar or an unknown shape."""
        return self._shape

    @shape.setter
    def shape(self, shape: Sequence[int]) -> None:
        self._shape = tuple(int(d) for d in shape)
        self.absent -= {"shape"}

    @property
    def dtype(self) -> TensorType:
        """Element type."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: TensorType | int | str) -> None:
        self._dtype = dtypes.tensor_type(dtype)

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """NumPy type of the unpacked elements."""
        return dtypes.numpy_dtype(self._dtype)

    @property
    def num_elements(self) -> int:
        """Number of elements; 0 when a dimension is unknown."""
        return max(0, math.prod(self._shape)) if all(d >= 0 for d in self._shape) else 0

    @property
    def nbytes(self) -> int:
        """Bytes that the elements take in memory; for strings the bytes of the constant."""
        size = dtypes.byte_size(self._dtype, self.num_elements)
        return self._buffer.nbytes if size is None else size

    @property
    def buffer(self) -> Buffer:
        """Where the constant's bytes are; buffers without data mean that the tensor is computed."""
        return self._buffer

    @buffer.setter
    def buffer(self, buffer: Buffer) -> None:
        if buffer.model is not self.subgraph.model:
            raise GraphError(
                "the buffer belongs to another model", where=self.where, hint="Use model.add_buffer(bytes)."
            )
        self._buffer = buffer

    @property
    def producer(self) -> Operator | None:
        """The operator that computes the tensor, or None."""
        return self._producer

    @property
    def uses(self) -> tuple[tuple[Operator, int], ...]:
        """Pairs of operator and input position that read the tensor; a copy, safe to loop over while editing."""
        return tuple(self._uses)

    @property
    def consumers(self) -> tuple[Operator, ...]:
        """The operators that read the tensor, each once."""
        return tuple(dict.fromkeys(op for op, _ in self._uses))

    @property
    def is_input(self) -> bool:
        """Whether the tensor is an input of its subgraph."""
        return any(t is self for t in self.subgraph._inputs)

    @property
    def is_output(self) -> bool:
        """Whether the tensor is an output of its subgraph."""
        return any(t is self for t in self.subgraph._outputs)

    @property
    def is_constant(self) -> bool:
        """Whether the value is fixed in the file."""
        if self._producer is not None or self.is_variable:
            return False
        if self._buffer.nbytes or self.external_buffer is not None:
            return True
        # Nothing is stored for a constant without elements.
        return 0 in self._shape and not self.is_input

    @property
    def data(self) -> NDArray[Any] | None:
        """The constant as a read-only array, or None when the tensor is not a constant.

        INT4, UINT4 and INT2 are unpacked to one byte per element, strings are object arrays of ``bytes``, sparse
        constants are filled up.

        Raises:
            GraphError: The bytes do not fit the shape.
            UnsupportedError: The type needs a package that is not installed.
        """
        if not self.is_constant:
            return None
        try:
            if self.sparsity is not None:
                from tflite2x.ir.sparsity import densify

                return densify(self._bytes(), self._dtype, self._shape, self.sparsity)
            return dtypes.unpack(self._bytes(), self._dtype, self._shape)
        except Tflite2xError as e:
            raise e.at(self.where) from None

    @data.setter
    def data(self, array: NDArray[Any]) -> None:
        if self._producer is not None:
            raise GraphError("the tensor is computed by an operator", where=self.where, hint="Remove that one first.")
        array = np.asarray(array)
        if array.shape != self._shape:
            raise GraphError(
                f"data of shape {list(array.shape)} for shape {list(self._shape)}",
                where=self.where,
                hint="Set tensor.shape first if the shape is to change.",
            )
        try:
            contents = dtypes.pack(array, self._dtype)
        except GraphError as e:
            raise e.at(self.where) from None
        model = self.subgraph.model
        if self._buffer.index == 0 or model._buffer_users(self._buffer) > 1:
            # Others keep the old bytes.
            self._buffer = model.add_buffer(contents)
        else:
            self._buffer.data = contents
        self.external_buffer = None
        self.sparsity = None

    def _bytes(self) -> memoryview:
        if self.external_buffer is not None:
            from tflite2x.ir.external import external_bytes

            return external_bytes(self.external_buffer, self.subgraph.model)
        return self._buffer.data if self._buffer.data is not None else memoryview(b"")

    def __repr__(self) -> str:
        return f"<Tensor {self.name!r} {dtypes.type_name(self._dtype)} {list(self._shape)}>"
