# SPDX-License-Identifier: Apache-2.0
"""The pass library: one file per pass, file name = pass name, module docstring = its documentation.

The classes are imported when they are first used: ``from tflite2x.passes import StripFloatIO``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if __name__ == "passes":
    raise ImportError("Import tflite2x.passes instead: under the name 'passes' every pass class would exist twice.")

if TYPE_CHECKING:
    from tflite2x.passes.add_output_argmax import AddOutputArgmax as AddOutputArgmax
    from tflite2x.passes.bypass_reshape import BypassReshape as BypassReshape
    from tflite2x.passes.cleanup import Cleanup as Cleanup
    from tflite2x.passes.conv_to_fc import ConvToFc as ConvToFc
    from tflite2x.passes.dedupe_buffers import DedupeBuffers as DedupeBuffers
    from tflite2x.passes.fixpoint import Fixpoint as Fixpoint
    from tflite2x.passes.fold_constants import FoldConstants as FoldConstants
    from tflite2x.passes.fuse_activation import FuseActivation as FuseActivation
    from tflite2x.passes.fuse_pad import FusePad as FusePad
    from tflite2x.passes.lower_op_versions import LowerOpVersions as LowerOpVersions
    from tflite2x.passes.merge_requantize import MergeRequantize as MergeRequantize
    from tflite2x.passes.remove_dead_operators import RemoveDeadOperators as RemoveDeadOperators
    from tflite2x.passes.remove_identities import RemoveIdentities as RemoveIdentities
    from tflite2x.passes.remove_output_softmax import RemoveOutputSoftmax as RemoveOutputSoftmax
    from tflite2x.passes.remove_unused_buffers import RemoveUnusedBuffers as RemoveUnusedBuffers
    from tflite2x.passes.remove_unused_opcodes import RemoveUnusedOpcodes as RemoveUnusedOpcodes
    from tflite2x.passes.remove_unused_tensors import RemoveUnusedTensors as RemoveUnusedTensors
    from tflite2x.passes.rename_tensors import RenameTensors as RenameTensors
    from tflite2x.passes.set_batch import SetBatch as SetBatch
    from tflite2x.passes.set_io_type import SetIoType as SetIoType
    from tflite2x.passes.set_shape import SetShape as SetShape
    from tflite2x.passes.strip_debug import StripDebug as StripDebug
    from tflite2x.passes.strip_float_io import StripFloatIO as StripFloatIO
    from tflite2x.passes.xc_fc import XcFc as XcFc

#: Class -> module.
_HOME = {
    "AddOutputArgmax": "add_output_argmax",
    "BypassReshape": "bypass_reshape",
    "Cleanup": "cleanup",
    "ConvToFc": "conv_to_fc",
    "DedupeBuffers": "dedupe_buffers",
    "Fixpoint": "fixpoint",
    "FoldConstants": "fold_constants",
    "FuseActivation": "fuse_activation",
    "FusePad": "fuse_pad",
    "LowerOpVersions": "lower_op_versions",
    "MergeRequantize": "merge_requantize",
    "RemoveDeadOperators": "remove_dead_operators",
    "RemoveIdentities": "remove_identities",
    "RemoveOutputSoftmax": "remove_output_softmax",
    "RemoveUnusedBuffers": "remove_unused_buffers",
    "RemoveUnusedOpcodes": "remove_unused_opcodes",
    "RemoveUnusedTensors": "remove_unused_tensors",
    "RenameTensors": "rename_tensors",
    "SetBatch": "set_batch",
    "SetIoType": "set_io_type",
    "SetShape": "set_shape",
    "StripDebug": "strip_debug",
    "StripFloatIO": "strip_float_io",
    "XcFc": "xc_fc",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"tflite2x.passes.{_HOME[name]}"), name)
    raise AttributeError(f"module 'tflite2x.passes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
