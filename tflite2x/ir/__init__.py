# SPDX-License-Identifier: Apache-2.0
"""The mutable graph: objects that refer to each other, loading and saving."""

from tflite2x.ir.buffer import Buffer, ExternalBuffer, ExternalBufferGroup
from tflite2x.ir.files import dumps, file_size, load, loads, save
from tflite2x.ir.loading import UnknownFieldWarning
from tflite2x.ir.model import Model
from tflite2x.ir.operator import Operator, OperatorCode
from tflite2x.ir.quantization import BlockQuantization, Quantization
from tflite2x.ir.signature import Metadata, Signature, SignatureEntry
from tflite2x.ir.subgraph import Subgraph
from tflite2x.ir.tensor import Tensor

__all__ = [
    "BlockQuantization",
    "Buffer",
    "ExternalBuffer",
    "ExternalBufferGroup",
    "Metadata",
    "Model",
    "Operator",
    "OperatorCode",
    "Quantization",
    "Signature",
    "SignatureEntry",
    "Subgraph",
    "Tensor",
    "UnknownFieldWarning",
    "dumps",
    "file_size",
    "load",
    "loads",
    "save",
]
