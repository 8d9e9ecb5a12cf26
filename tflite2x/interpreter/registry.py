# SPDX-License-Identifier: Apache-2.0
"""Which kernel computes which operator: ours, and those that users register."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.kernel import Array, KernelContext, Run

if TYPE_CHECKING:
    from tflite2x.ir import Operator

Prepare = Callable[[KernelContext], Run]
SimpleKernel = Callable[["Operator", "list[Array | None]"], "Array | Sequence[Array]"]
Form = Literal["simple", "batched", "prepared"]
F = TypeVar("F", bound=Callable[..., Any])

#: Modules of ``tflite2x.interpreter.kernels``; importing one fills BUILTIN_KERNELS.
KERNEL_MODULES = (
    "activations", "arithmetic", "batch_matmul", "casts", "comparisons", "control_flow", "convolution",
    "depthwise_convolution", "embedding", "fully_connected", "gather_scatter", "hash_tables", "indexing", "logical",
    "lstm", "normalization", "padding", "pooling", "quantization", "random", "recurrent", "reductions", "reshaping",
    "resizing", "rnn", "selection", "signal", "slicing", "softmax", "sorting", "spatial", "stablehlo", "strings",
    "svdf", "transpose_convolution", "unary", "variables",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel with what the page of operators says about it.

    Attributes:
        name: Operator name (``CONV_2D``) or custom code.
        prepare: First step of the kernel.
        types: Type combinations that it accepts, as short texts (``int8 x int8 -> int8``), for ``tflite2x ops``.
        verified: How its numbers were checked, for ``tflite2x ops``.
    """

    name: str
    prepare: Prepare
    types: tuple[str, ...] = ()
    verified: str = ""


BUILTIN_KERNELS: dict[str, Kernel] = {}
CUSTOM_KERNELS: dict[str, Kernel] = {}


def kernel(*names: str, types: Sequence[str] = (), verified: str = "LiteRT BUILTIN_REF") -> Callable[[F], F]:
    """Declare the decorated ``prepare`` function as the kernel of builtin operators (for this package's own kernels)."""

    def declare(prepare: F) -> F:
        for name in names:
            BUILTIN_KERNELS[name] = Kernel(name, prepare, tuple(types), verified)
        return prepare

    return declare
