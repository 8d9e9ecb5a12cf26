# SPDX-License-Identifier: Apache-2.0
"""Which kernel computes which operator: ours, and those that users register."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np

from tflite2x.errors import PluginError, UnsupportedError
from tflite2x.interpreter import micro
from tflite2x.interpreter.batching import stack
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec
from tflite2x.interpreter.table import KERNEL_TABLE
from tflite2x.schema.enums import BuiltinOperator

if TYPE_CHECKING:
    from tflite2x.ir import Operator

Prepare = Callable[[KernelContext], Run]
Form = Literal["simple", "batched", "prepared"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel with what the page of operators says about it.

    Attributes:
        name: Operator name (``CONV_2D``) or custom code.
        prepare: First step of the kernel.
        types: Type combinations that it accepts, as short texts (``int8 x int8 -> int8``), for ``tflite2x ops``.
        verified: How its numbers were checked, for ``tflite2x ops``.
        pure: The outputs follow from the inputs alone. Where all inputs are constant, the plan computes a pure
            operator once and never again.
        owner: Where the kernel comes from, for messages.
    """

    name: str
    prepare: Prepare
    types: tuple[str, ...] = ()
    verified: str = ""
    pure: bool = True
    owner: str = "tflite2x"


BUILTIN_KERNELS: dict[str, Kernel] = {}
CUSTOM_KERNELS: dict[str, Kernel] = {}

#: Modules that register kernels of custom operators when they are imported.
CUSTOM_MODULES: dict[str, str] = {"XC_fc": "tflite2x.xs3"}

#: Entry points of this group name custom operators; the module behind one registers the kernel, or the object behind
#: it (``module:function``) is a simple kernel.
ENTRY_POINT_GROUP = "tflite2x.kernels"


def kernel(
    *names: str, types: Sequence[str] = (), verified: str = "LiteRT BUILTIN_REF", pure: bool = True
) -> Callable[[F], F]:
    """Declare the decorated ``prepare`` function as the kernel of builtin operators (for this package's own kernels).

    Args:
        names: Operators that it computes.
        types: See ``Kernel``.
        verified: See ``Kernel``.
        pure: False for operators with state, random numbers, or calls of subgraphs.
    """

    def declare(prepare: F) -> F:
        for name in names:
            BUILTIN_KERNELS[name] = Kernel(name, prepare, tuple(types), micro.verified(name, verified), pure)
        return prepare

    return declare


@overload
def register_kernel(
    name: str, fn: None = None, *, form: Form = "simple", replace: bool = False, pure: bool = False
) -> Callable[[F], F]: ...


@overload
def register_kernel(name: str, fn: F, *, form: Form = "simple", replace: bool = False, pure: bool = False) -> F: ...


def register_kernel(
    name: str, fn: F | None = None, *, form: Form = "simple", replace: bool = False, pure: bool = False
) -> F | Callable[[F], F]:
    """Register the kernel of a custom operator; directly, or as a decorator.

    ::

        @tflite2x.register_kernel("Add2")
        def add2(op, inputs):
            return inputs[0] + 2

    Args:
        name: The custom code.
        fn: The kernel; without it, the function returns a decorator.
        form: What ``fn`` looks like:
            ``simple``: ``fn(op, inputs)`` with the operator and arrays as the model has them (None for an absent
            optional input); returns an array, or a sequence with one array per output.
            ``batched``: the same, but every array has a leading sample axis of length N, or 1 where the value does
            not depend on the sample.
            ``prepared``: ``fn(ctx)`` gets a ``KernelContext`` once and returns ``run(inputs)``, which works like
            ``batched``.
        replace: Take the place of a kernel that is registered already.
        pure: The outputs follow from the inputs alone (see ``Kernel``).

    Returns:
        ``fn``, or the decorator.

    Raises:
        PluginError: The name is taken, or is that of a builtin operator; or ``fn`` cannot be called like that.
    """
    if not isinstance(name, str) or not name:
        raise PluginError(f"{name!r} is no custom code", hint="Give the custom code of the operator as text.")
    if fn is None:
        return lambda function: register_kernel(name, function, form=form, replace=replace, pure=pure)
    if form not in ("simple", "batched", "prepared"):
        raise PluginError(f"a kernel's form is {form!r}", hint="Choose 'simple', 'batched' or 'prepared'.")
    if name in BuiltinOperator.__members__:
        raise PluginError(
            f"{name} is a builtin operator, and kernels can be registered for custom operators only",
            hint="Give the operator a custom code.",
        )
    _check_call(name, fn, form)
    owner = f"{fn.__module__}.{fn.__qualname__}" if hasattr(fn, "__qualname__") else repr(fn)
    present = CUSTOM_KERNELS.get(name)
    if present is not None and not replace:
        raise PluginError(
            f"two kernels claim the custom operator {name!r}: {present.owner} and {owner}",
            hint="Pass replace=True to take the place of the first.",
        )
    prepare = fn if form == "prepared" else functools.partial(_adapt, fn, form)
    CUSTOM_KERNELS[name] = Kernel(name, prepare, verified="", pure=pure, owner=owner)
    return fn


def _check_call(name: str, fn: Any, form: Form) -> None:
    """Refuse what cannot be called as the form wants, before a model meets it."""
    wanted = "ctx" if form == "prepared" else "op, inputs"
    if not callable(fn):
        raise PluginError(f"the kernel of {name!r} is {fn!r}, not a function", hint=f"Give a function ({wanted}).")
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return  # some functions written in C do not say
    try:
        signature.bind(*wanted.split(", "))
    except TypeError as error:
        raise PluginError(
            f"the kernel of {name!r} takes {signature}, and is called with ({wanted}): {error}",
            hint="See form in register_kernel.",
        ) from None


def unregister_kernel(name: str) -> None:
    """Forget the kernel of a custom operator.

    Raises:
        PluginError: There is none.
    """
    if CUSTOM_KERNELS.pop(name, None) is None:
        raise PluginError(f"no kernel is registered for {name!r}")


def _adapt(fn: Callable[..., Any], form: Form, ctx: KernelContext) -> Run:
    """Make a ``run`` of a user's function."""
    op, specs = ctx.op, ctx.outputs

    def outputs(value: Any) -> list[Array]:
        values = list(value) if isinstance(value, list | tuple) else [value]
        if len(values) != len(specs):
            raise ctx.execution_error(f"the kernel returned {len(values)} arrays for {len(specs)} outputs")
        return [_array(v, spec, ctx, int(form == "batched")) for v, spec in zip(values, specs, strict=True)]

    if form == "batched":
        return lambda inputs: outputs(fn(op, list(inputs)))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        samples = max((len(a) for a in inputs if a is not None), default=1)
        results = [
            outputs(fn(op, [None if a is None else a[i if len(a) > 1 else 0] for a in inputs])) for i in range(samples)
        ]
        columns = zip(*results, strict=True)
        return [stack([np.asarray(part)[None] for part in parts]) for parts in columns]

    return run


def _array(value: Any, spec: TensorSpec, ctx: KernelContext, sample_axes: int) -> Array:
    if value is None:
        raise ctx.execution_error(f"the kernel returned None for tensor {spec.name!r}", hint="Return the array.")
    array = np.asarray(value)
    # Lengths may differ from the file, where shapes are dynamic. Files write unknown shapes as [].
    if spec.shape and array.ndim != len(spec.shape) + sample_axes:
        raise ctx.execution_error(
            f"the kernel returned an array of shape {array.shape} for tensor {spec.name!r}, "
            f"which has {len(spec.shape)} dimensions{' behind the sample axis' if sample_axes else ''}"
        )
    if array.dtype != spec.dtype and not isinstance(value, np.ndarray | np.generic):
        array = array.astype(spec.dtype)  # Python numbers have no type of their own
    if array.dtype != spec.dtype:
        raise ctx.execution_error(
            f"the kernel returned {array.dtype} for tensor {spec.name!r}, which is {spec.dtype}",
            hint="Cast the result with .astype(...).",
        )
    return array


def find_kernel(op: Operator) -> Kernel:
    """Return the kernel for an operator.

    Raises:
        UnsupportedError: There is none.
    """
    if op.custom_code is None:
        found = builtin_kernel(op.name)
        if found is None:
            raise UnsupportedError(
                f"the interpreter has no kernel for the builtin operator {op.name}",
                where=op.where,
                hint="`tflite2x ops` lists the operators that it has.",
            )
        return found
    name = op.custom_code
    found = CUSTOM_KERNELS.get(name) or builtin_kernel(name) or _load_custom(name)
    if found is None:
        flex = (
            " (a TensorFlow operator, which LiteRT runs through its flex delegate)" if name.startswith("Flex") else ""
        )
        raise UnsupportedError(
            f"no kernel is registered for the custom operator {name!r}{flex}",
            where=op.where,
            hint=f"Register one: @tflite2x.register_kernel({name!r}) on a function (op, inputs) -> array.",
        )
    return found


def builtin_kernel(name: str) -> Kernel | None:
    """Return this package's kernel of an operator, or None; imports the module that declares it."""
    if name not in BUILTIN_KERNELS:
        module = KERNEL_TABLE.get(name)
        if module is None:
            return None
        importlib.import_module(f"tflite2x.interpreter.kernels.{module}")
    return BUILTIN_KERNELS.get(name)


def _load_custom(name: str) -> Kernel | None:
    module = CUSTOM_MODULES.get(name)
    # A package that is found twice, installed and in its source folder, is one owner.
    entries = {_entry_owner(e): e for e in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=name)}
    owners = [*(["tflite2x"] if module is not None else []), *entries]
    if len(owners) > 1:
        raise PluginError(
            f"the kernel of the custom operator {name!r} is claimed by {' and by '.join(owners)}",
            hint="Uninstall all but one of them.",
        )
    if module is not None:
        importlib.import_module(module)
        return CUSTOM_KERNELS.get(name)
    for entry in entries.values():
        owner = f"the entry point {entry.value}"
        try:
            target = entry.load()
        except Exception as error:
            raise PluginError(f"{owner} for the custom operator {name!r} cannot be loaded: {error}") from error
        if name not in CUSTOM_KERNELS and callable(target):
            register_kernel(name, target)
        if name not in CUSTOM_KERNELS:
            raise PluginError(f"{owner} registers no kernel for {name!r}")
    return CUSTOM_KERNELS.get(name)


def _entry_owner(entry: importlib.metadata.EntryPoint) -> str:
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "a package"
    return f"{package} ({entry.value})"


def all_kernels() -> dict[str, Kernel]:
    """Import every module of kernels and return all builtin kernels by name, for ``tflite2x ops`` and tests."""
    for module in sorted(set(KERNEL_TABLE.values())):
        importlib.import_module(f"tflite2x.interpreter.kernels.{module}")
    return dict(sorted(BUILTIN_KERNELS.items()))
