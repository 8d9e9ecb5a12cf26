# SPDX-License-Identifier: Apache-2.0
"""What lives longer than one run: plans, variable tensors, resources; and running samples one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tflite2x.errors import InputError
from tflite2x.interpreter.batching import pick, stack
from tflite2x.interpreter.kernel import Array, Rounding, TensorSpec
from tflite2x.interpreter.plan import Plan, Ready
from tflite2x.interpreter.specs import constant_value, tensor_spec
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.interpreter.sharing import KernelCache
    from tflite2x.ir import Operator, Subgraph, Tensor

T = TypeVar("T")
Snapshot = tuple[dict["Tensor", Array], dict[Any, Any]]


class Session:
    """The run-time side of an interpreter; implements ``kernel.Runtime``.

    Attributes:
        rounding: The rounding contract that kernels follow.
        resources: Resource variables and hash tables. Arrays in it have a sample axis of length N or 1; other values
            are common to all samples.
        variables: State of the variable tensors, with the full sample axis.
        samples: N of the current run.
        kernels: Kernels that are shared with other interpreters, or None.
        ready: Operators that were prepared for a plan.
        record: Where to put the value of every tensor computed (a trace), or None.
    """

    def __init__(self, rounding: Rounding, kernels: KernelCache | None = None) -> None:
        self.rounding: Rounding = rounding
        self.kernels = kernels
        self.resources: dict[Any, Any] = {}
        self.variables: dict[Tensor, Array] = {}
        self.samples = 1
        self.record: dict[Tensor, Array] | None = None
        self.ready: dict[Operator, Ready] = {}
        self._plans: dict[Subgraph, Plan] = {}
        self._specs: dict[tuple[Tensor, bool], TensorSpec] = {}

    def spec(self, tensor: Tensor, *, given: bool) -> TensorSpec:
        """Return what is known of a tensor before the model runs; ``given``: a value takes the place of the file's."""
        spec = self._specs.get((tensor, given))
        if spec is None:
            value = None if given else constant_value(tensor)
            spec = self._specs[tensor, given] = tensor_spec(tensor, value)
        return spec

    def plan(self, subgraph: Subgraph) -> Plan:
        """Return the execution plan of ``subgraph``; built at the first use."""
        plan = self._plans.get(subgraph)
        if plan is None:
            plan = self._plans[subgraph] = Plan(subgraph, self)
        return plan

    def call(self, subgraph: Subgraph, inputs: Sequence[Array]) -> list[Array]:
        """Run ``subgraph`` on arrays with a sample axis and return its outputs, with a sample axis."""
        return self.plan(subgraph).run(self, inputs)

    def reset(self) -> None:
        """Forget all state: variable tensors, resource variables, hash tables, random number streams."""
        self.resources = {}
        self.variables = {}

    def begin(self, samples: int) -> None:
        """Start a run of ``samples`` samples.

        Raises:
            InputError: The state belongs to another number of samples.
        """
        arrays = [*self.variables.values(), *(v for v in self.resources.values() if isinstance(v, np.ndarray))]
        held = max((len(a) for a in arrays), default=1)
        if held not in (1, samples):
            raise InputError(
                f"the model's state belongs to a batch of {held} samples, and {samples} samples were given",
                hint="Call reset() first, or go on with batches of the same size.",
            )
        self.samples = samples

    def variable(self, tensor: Tensor, spec: TensorSpec) -> Array:
        """Return the state array of a variable tensor; made at the first use.

        It starts with zeros, or with the zero point for int8 (LiteRT core/api/tensor_utils.cc).
        """
        state = self.variables.get(tensor)
        if state is None:
            start = spec.z if spec.type == TensorType.INT8 else 0
            state = np.full((self.samples, *spec.shape), start, spec.dtype)
        elif len(state) != self.samples:
            state = np.repeat(state, self.samples, axis=0)
        self.variables[tensor] = state
        return state

    def set_variable(self, tensor: Tensor, value: Array) -> Array:
        """Give a variable tensor a value (it is an input as well) and return its state array."""
        state = np.array(np.broadcast_to(value, (self.samples, *value.shape[1:])))
        self.variables[tensor] = state
        return state

    def snapshot(self) -> Snapshot:
        """Copy the state, to go back to it when a run in one piece turns out to be impossible."""
        return {k: v.copy() for k, v in self.variables.items()}, dict(self.resources)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to an earlier state."""
        variables, self.resources = snapshot
        for tensor, value in variables.items():
            state = self.variables.get(tensor)
            if state is not None and state.shape == value.shape:
                state[...] = value  # the plan that is running holds this very array
            else:
                self.variables[tensor] = value
        for tensor in set(self.variables) - set(variables):
            del self.variables[tensor]

    def by_sample(self, function: Callable[[int], T]) -> list[T]:
        """Call ``function(i)`` for every sample while the state is that sample's own.

        State arrays are split and put together again. Other resources (hash tables, random number streams) pass from
        one sample to the next, as they do in consecutive runs.
        """
        count, variables, resources = self.samples, self.variables, self.resources
        variables = {k: v if len(v) == count else np.repeat(v, count, axis=0) for k, v in variables.items()}
        results: list[T] = []
        ends: list[tuple[dict[Tensor, Array], dict[Any, Any]]] = []
        common = {k: v for k, v in resources.items() if not isinstance(v, np.ndarray)}
        self.samples = 1
        try:
            for i in range(count):
                self.variables = {k: v[i : i + 1] for k, v in variables.items()}
                arrays = {k: pick(v, i) for k, v in resources.items() if isinstance(v, np.ndarray)}
                self.resources = {**common, **arrays}
                results.append(function(i))
                ends.append((self.variables, self.resources))
                common = {k: v for k, v in self.resources.items() if not isinstance(v, np.ndarray)}
        finally:
            self.samples, self.variables, self.resources = count, variables, resources
        for tensor in {t for end, _ in ends for t in end} - set(variables):
            variables[tensor] = stack([end[tensor] for end, _ in ends if tensor in end])
        keys = {k: None for _, end in ends for k, v in end.items() if isinstance(v, np.ndarray)}
        self.resources = {**common, **{k: stack([end[k] for _, end in ends if k in end]) for k in keys}}
        return results
