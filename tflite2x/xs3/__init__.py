# SPDX-License-Identifier: Apache-2.0
"""XC_fc, the fully connected operator of XMOS's xcore.ai: kernel, lowering, proof, and the vector unit below it.

>>> y = fully_connected_8(x, weights, bso)          # what the operator computes
>>> weights, bso = lower_best(layer)                # its constants for a TFLite layer
>>> prove(layer, weights, bso).bound                # worst difference from TFLite over all inputs, in output steps

Importing this package registers the kernel of XC_fc with the interpreter, which imports it when a model needs it.
"""

from tflite2x.xs3.extraction import layer_of
from tflite2x.xs3.kernel import fully_connected_8, fully_connected_16
from tflite2x.xs3.layer import Layer
from tflite2x.xs3.layout import Parameters, pack, pad_weights, unpack
from tflite2x.xs3.lowering_2021 import lower_2021
from tflite2x.xs3.lowering_best import lower_best
from tflite2x.xs3.operator import CUSTOM_CODE
from tflite2x.xs3.proof import Proof, Witness, prove
from tflite2x.xs3.vpu import REVISIONS, VPU, Revision

__all__ = [
    "CUSTOM_CODE",
    "REVISIONS",
    "VPU",
    "Layer",
    "Parameters",
    "Proof",
    "Revision",
    "Witness",
    "fully_connected_8",
    "fully_connected_16",
    "layer_of",
    "lower_2021",
    "lower_best",
    "pack",
    "pad_weights",
    "prove",
    "unpack",
]
