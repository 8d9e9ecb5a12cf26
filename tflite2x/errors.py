# SPDX-License-Identifier: Apache-2.0
"""The exceptions of tflite2x: one small tree.

Every message says three things: where (file, subgraph, operator, tensor), what is wrong, and the way out.
"""

from __future__ import annotations


class Tflite2xError(Exception):
    """Base of everything that tflite2x raises on purpose.

    Args:
        what: What is wrong, as a clause without a full stop.
        where: The place, for example ``subgraphs[0].operators[3].inputs[1]``.
        hint: The way out, as a sentence; optional.

    Attributes:
        exit_code: Exit code of the command line when this error ends a command.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default protocol, and worker processes send errors home.
        return (_rebuild, (type(self), self.what, self.where, self.hint))

    def at(self, where: str) -> Tflite2xError:
        """Return this error with ``where`` put in front of the place it already names."""
        self.where = f"{where}: {self.where}" if self.where else where
        return self


def _rebuild(cls: type[Tflite2xError], what: str, where: str, hint: str) -> Tflite2xError:
    return cls(what, where=where, hint=hint)


class FormatError(Tflite2xError):
    """The bytes are not a well-formed TFLite model."""


class UnknownFieldError(FormatError):
    """The model uses a schema field that is newer than this version of tflite2x."""


class GraphError(Tflite2xError):
    """An edit would break the graph, or the graph is broken; nothing was changed."""


class FileAccessError(Tflite2xError):
    """A file cannot be read or written."""


class UnsupportedError(Tflite2xError):
    """The interpreter (or an exporter) cannot do this operator, type or combination of options."""


class InputError(Tflite2xError):
    """The arrays given as model inputs have the wrong number, name, shape, type or values."""


class ExecutionError(Tflite2xError):
    """An operator met values that it cannot compute with, such as an index outside of its tensor."""


class RaggedOutputError(ExecutionError):
    """The samples of one batch have outputs of different shapes; one at a time they run."""


class PipelineError(Tflite2xError):
    """The text of a pipeline, or an option of a pass, is wrong."""


class PluginError(Tflite2xError):
    """A plug-in cannot be loaded, or two of them claim one name."""


class PassError(Tflite2xError):
    """A pass failed, or one of its pre- or post-conditions does not hold."""

    exit_code = 1


class VerificationError(Tflite2xError):
    """Two models do not compute the same within what was claimed."""

    exit_code = 1
