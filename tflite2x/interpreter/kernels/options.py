# SPDX-License-Identifier: Apache-2.0
"""Options of custom operators."""

from __future__ import annotations

from typing import Any

from tflite2x.errors import FormatError
from tflite2x.interpreter.kernel import KernelContext


def read_options(ctx: KernelContext) -> dict[str, Any]:
    """Return the map in the operator's flexbuffer.

    Raises:
        FormatError: The custom options are no flexbuffer.
        UnsupportedError: They are no map.
    """
    from tflite2x.schema import flexbuffers

    try:
        found: Any = flexbuffers.decode(ctx.op.custom_options or b"")
    except FormatError as error:
        raise error.at(ctx.op.where) from None
    if not isinstance(found, dict):
        raise ctx.unsupported("the custom options are no map")
    return found
