# SPDX-License-Identifier: Apache-2.0
"""``Pass``: a frozen dataclass whose fields are its options in Python, in pipeline texts and in the docs."""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from tflite2x.errors import PassError, Tflite2xError
from tflite2x.rewrite import sites
from tflite2x.rewrite.options import check_options
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A place that a pass looked at.

    Attributes:
        where: The place in the model before the pass.
        replaced: Whether the pass rewrites there.
        reason: What it did there, or the condition that failed and the values that it saw.
    """

    where: str
    replaced: bool
    reason: str


@dataclasses.dataclass(frozen=True)
class Pass(ABC):
    """One rewrite of a model, in place.

    A pass is a frozen dataclass. It sets ``name`` (lower case, words joined by ``-``), declares its options as fields
    with defaults, and implements ``run``. The module that holds it is called like it, with ``_`` for ``-``, and the
    module's docstring is the documentation of the pass. A pass is deterministic and idempotent::

        @dataclasses.dataclass(frozen=True)
        class DropThings(Pass):
            name: ClassVar[str] = "drop-things"
            limit: int = 10

            def run(self, model: Model) -> PassResult:
                result = PassResult()
                ...
                return result

    Calling the pass runs ``requires``, ``run`` and ``ensures``, and checks the graph.
    """

    name: ClassVar[str] = ""

    def requires(self, model: Model) -> None:  # noqa: B027 - an optional hook
        """Check the pre-conditions; raise ``self.error(...)`` when one does not hold. Nothing was changed yet."""

    @abstractmethod
    def run(self, model: Model) -> PassResult:
        """Rewrite ``model`` in place and say what was done."""

    def ensures(self, model: Model, result: PassResult) -> None:  # noqa: B027 - an optional hook
        """Check the post-conditions; raise ``self.error(...)`` when one does not hold."""

    def __call__(self, model: Model) -> PassResult:
        """Run the pass with its conditions.

        Raises:
            PassError: A condition does not hold, the pass left a broken graph, or it failed.
        """
        result = self._guarded(model, self.run)
        if not isinstance(result, PassResult):
            raise self.error(f"run() returned {type(result).__name__} instead of a PassResult")
        if result.modified:
            try:
                model.check()
            except Tflite2xError as error:
                raise self.error(f"the pass left a broken graph: {error}") from error
        self.ensures(model, result)
        return result

    def _guarded(self, model: Model, work: Callable[[Model], PassResult]) -> PassResult:
        """Check the pre-conditions and work on ``model``; an exception of any kind becomes a ``PassError``."""
        check_options(self)
        with sites.named(model):
            self._require_operands(model)
            self.requires(model)
            try:
                return work(model)
            except PassError:
                raise
            except Tflite2xError as error:
                raise error.at(f"pass {self.name}") from None
            except Exception as error:
                raise self.error(
                    f"the pass failed on this model: {type(error).__name__}: {error}", hint="This is a bug of the pass."
                ) from error

    def _require_operands(self, model: Model) -> None:
        """Refuse models with operators that no runtime could run, so that no pass has to think of them."""
        from tflite2x.ir.fitting import missing_operands

        for graph in model.subgraphs:
            for op in graph.operators:
                missing = missing_operands(op)
                if missing:
                    raise self.error(missing, where=op.where, hint="The model may be damaged.")

    def candidates(self, model: Model) -> list[Candidate]:
        """Return every place that the pass looks at and what it does there; ``model`` is not changed."""
        result = self(model.clone())
        found = [Candidate(r.where, True, r.what) for r in result.replaced]
        return found + [Candidate(left.where, False, left.reason) for left in result.left_alone]

    def error(self, what: str, *, where: str = "", hint: str = "") -> PassError:
        """Make the error of this pass; the caller raises it."""
        return PassError(what, where=f"pass {self.name}" + (f", {where}" if where else ""), hint=hint)

    def __str__(self) -> str:
        from tflite2x.rewrite.text import format_pass

        return format_pass(self)

    @classmethod
    def documentation(cls) -> str:
        """Return the documentation: the docstring of the module that holds the pass, or else of the class."""
        module = inspect.getmodule(cls)
        own_file = module is not None and module.__name__.rpartition(".")[2].replace("_", "-") == cls.name
        text = (module.__doc__ if own_file and module is not None else None) or cls.__doc__ or ""
        return inspect.cleandoc(text)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the documentation."""
        return cls.documentation().partition("\n")[0]
