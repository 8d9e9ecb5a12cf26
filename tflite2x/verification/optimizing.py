# SPDX-License-Identifier: Apache-2.0
"""The main job as one call: rewrite a model for a target and verify it after every pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tflite2x.errors import PipelineError
from tflite2x.rewrite.pipeline import Pipeline
from tflite2x.rewrite.targets import TARGETS
from tflite2x.verification.config import Verify

if TYPE_CHECKING:
    from tflite2x.ir import Model
    from tflite2x.rewrite.pipeline import Callback
    from tflite2x.rewrite.report import Report

_DEFAULT = Verify()


def optimize(
    model: Model,
    target: str = "xcore",
    *,
    passes: str | Pipeline | None = None,
    verify: Verify | None = _DEFAULT,
    callback: Callback | None = None,
    record: bool = False,
) -> Report:
    """Rewrite a model in place.

    Args:
        model: The model.
        target: ``xcore`` (custom operators for xcore.ai) or ``tflite`` (builtin operators only).
        passes: A pipeline, or its text, instead of the target's.
        verify: How to check after each pass; None checks nothing.
        callback: Called after each pass.
        record: Keep the text of the pipeline in the model's metadata.

    Returns:
        What every pass did, and how the results compare.

    Raises:
        PipelineError: Unknown target, or the text of the pipeline is wrong.
        CheckFailedError: A pass broke the model, which is as it was before the call.
        UnsupportedError: The interpreter cannot run the model, so that nothing can be verified.
    """
    if passes is None:
        if target not in TARGETS:
            raise PipelineError(f"there is no target '{target}'", hint=f"Targets: {', '.join(TARGETS)}.")
        passes = TARGETS[target]
    pipeline = Pipeline.parse(passes) if isinstance(passes, str) else passes
    return pipeline.run(model, verify, callback=callback, record=record)
