# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

import tflite2x
from tests.oracle import litert_run
from tests.xs3.layers import plausible
from tflite2x import ActivationFunctionType as Activation
from tflite2x.errors import ExecutionError, PipelineError, UnsupportedError
from tflite2x.passes.xc_fc import XcFc
from tflite2x.rewrite import Pipeline
from tflite2x.rewrite.text import format_pass
from tflite2x.schema.tables import FullyConnectedOptions, SparsityParameters
from tflite2x.verification.config import Verify
from tflite2x.xs3 import lower_2021


def model_of(layer, activation=Activation.NONE, rows=1, bias=True, **options: Any) -> tflite2x.Model:
    model = tflite2x.Model.new()
    g = model.main
    channels, columns = layer.weights.shape
    x = g.add_input("x", (rows, columns), "int8", scale=layer.input_scale, zero_point=layer.input_zero_point)
    w = g.add_constant("w", layer.weights, scale=layer.weight_scales)
    b = None
    if bias and layer.bias is not None:
        b = g.add_constant("b", layer.bias, scale=layer.input_scale * layer.weight_scales)
    y = g.add_tensor("y", (rows, channels), "int8", scale=layer.output_scale, zero_point=layer.output_zero_point)
    z = g.add_tensor("z", (rows, channels), "int8", scale=layer.output_scale, zero_point=layer.output_zero_point)
    settings = FullyConnectedOptions(fused_activation_function=activation, **options)
    g.add_operator("FULLY_CONNECTED", [x, w, b], [y], settings)
    g.add_operator("MAXIMUM", [y, y], [z])
    g.set_outputs([z])
    return model


def inputs(layer, samples=500, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (samples, 1, layer.weights.shape[1]), np.int8)


def test_the_operator_in_the_file():
    layer = plausible(np.random.default_rng(0), 49, 34)
    model = model_of(layer)
    result = XcFc(params="2021", threads=5)(model)
    assert result.counts == {"FULLY_CONNECTED replaced by XC_fc": 1}
    model = tflite2x.loads(tflite2x.dumps(model))
    op = model.main.operators[0]
    assert (op.name, op.custom_code, op.version, op.options, op.custom_options_format) == (
        "XC_fc", "XC_fc", 1, None, 0)  # fmt: skip
    x, w, bso = op.inputs
    assert (x.name, x.shape, w.name, w.shape, bso.name, bso.shape) == (
        "x", (1, 34), "XC_fc_0/weights", (49, 36), "XC_fc_0/bias_shift_scale", (4, 7, 16))  # fmt: skip
    assert [t.dtype.name for t in (x, w, bso)] == ["INT8", "INT8", "INT16"]
    assert w.quantization is None
    assert bso.quantization is None
    (y,) = op.outputs
    assert (y.name, y.shape) == ("XC_fc_0/output", (1, 49))
    assert y.quantization.scale[0] == np.float32(layer.output_scale)
    assert flexbuffers.Loads(bytes(op.custom_options)) == {
        "par": {"th": 4, "cg": [[0, 15], [16, 31], [32, 47], [48, 48]]}, "mem": [1764, 896]}  # fmt: skip
    assert {t.name for t in model.main.tensors} == {
        "x", "XC_fc_0/weights", "XC_fc_0/bias_shift_scale", "XC_fc_0/output", "z"}  # fmt: skip
    expected_weights, expected_bso = lower_2021(dataclasses.replace(layer, bias_scales=_bias_scales(layer)))
    np.testing.assert_array_equal(w.data, expected_weights)
    np.testing.assert_array_equal(bso.data, expected_bso)


def _bias_scales(layer):
    return np.float32(layer.input_scale * layer.weight_scales).astype(np.float64)


@pytest.mark.parametrize("params", ["best", "2021"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_results_stay_within_the_claim_of_litert(params, bias, per_channel):
    layer = plausible(np.random.default_rng(1), 20, 50, per_channel=per_channel)
    model = model_of(layer, bias=bias)
    x = inputs(layer)
    expected = np.stack([litert_run(tflite2x.dumps(model), [sample])[0] for sample in x[:100]])
    result = XcFc(params=params)(model)
    assert result.claim.lsb == 1
    assert result.claim.scope == "operator"
    (got,) = tflite2x.Interpreter(model).run_batch([x])
    gap = np.abs(got[:100].astype(int) - expected)
    assert gap.max() <= 1
    assert (gap > 0).mean() < 0.01


def test_the_pass_is_idempotent_and_deterministic():
    layer = plausible(np.random.default_rng(2), 8, 12)
    first, second = model_of(layer), model_of(layer)
    XcFc()(first)
    XcFc()(second)
    assert tflite2x.dumps(first) == tflite2x.dumps(second)
    again = XcFc()(first)
    assert not again.modified
    assert tflite2x.dumps(first) == tflite2x.dumps(second)


@pytest.mark.parametrize("params", ["best", "2021"])
@pytest.mark.parametrize("activation", [Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1])
@pytest.mark.parametrize("zero_point", [-128, -20, 30])
def test_fused_activations_are_kept(params, activation, zero_point):
    scale = {Activation.RELU: 0.05, Activation.RELU6: 6 / 100, Activation.RELU_N1_TO_1: 2 / 60}[activation]
    layer = plausible(np.random.default_rng(3), 12, 40)
    ratio = scale / layer.output_scale
    layer = dataclasses.replace(
        layer, output_scale=float(np.float32(scale)), input_scale=float(np.float32(layer.input_scale * ratio)),
        output_zero_point=zero_point,
    )  # fmt: skip
    model = model_of(layer, activation)
    x = inputs(layer, 100)
    expected = np.stack([litert_run(tflite2x.dumps(model), [sample])[0] for sample in x])
    result = XcFc(params=params)(model)
    assert result.counts["FULLY_CONNECTED replaced by XC_fc"] == 1
    names = [op.name for op in model.main.operators]
    apart = names == ["XC_fc", activation.name, "MAXIMUM"]
    # A clamp that the type makes anyway is always folded; only `best` can fold one, and no more than one.
    low = {Activation.RELU: 0, Activation.RELU6: 0, Activation.RELU_N1_TO_1: -1}[activation] / scale + zero_point
    high = {Activation.RELU: 1e9, Activation.RELU6: 6, Activation.RELU_N1_TO_1: 1}[activation] / scale + zero_point
    clamps = (round(low) > -128) + (round(high) < 127)
    assert apart == (clamps > (1 if params == "best" else 0))
    got = np.stack([tflite2x.Interpreter(model).run([sample])[0] for sample in x])
    assert np.abs(got.astype(int) - expected).max() <= 1
    assert len(np.unique(expected)) > 20


def test_interface_names_stay():
    layer = plausible(np.random.default_rng(4), 5, 8)
    model = model_of(layer)
    model.main.set_outputs([*model.main.outputs, model.main.operators[0].outputs[0]])
    XcFc()(model)
    assert [t.name for t in model.main.outputs] == ["z", "y"]


def test_constants_that_others_use_stay():
    layer = plausible(np.random.default_rng(5), 5, 8)
    model = model_of(layer)
    g = model.main
    extra = g.add_tensor("extra", (5, 8), "int8", scale=1.0)
    g.add_operator("MAXIMUM", [g.operators[0].inputs[1], g.operators[0].inputs[1]], [extra])
    g.set_outputs([*g.outputs, extra])
    XcFc()(model)
    names = {t.name for t in g.tensors}
    assert "w" in names
    assert "b" not in names


def several_layers() -> tflite2x.Model:
    model = model_of(plausible(np.random.default_rng(6), 16, 8))
    g = model.main
    second = plausible(np.random.default_rng(7), 6, 16)
    w = g.add_constant("w2", second.weights, scale=second.weight_scales)
    y = g.add_tensor("y2", (1, 6), "int8", scale=0.5, zero_point=0)
    g.add_operator("FULLY_CONNECTED", [g.outputs[0], w], [y], FullyConnectedOptions())
    g.set_outputs([y])
    return model


def test_layers_are_numbered():
    model = several_layers()
    XcFc()(model)
    names = {t.name for t in model.main.tensors}
    assert {"XC_fc_0/weights", "XC_fc_1/weights", "XC_fc_0/output"} <= names
    assert model.main.outputs[0].name == "y2"


def test_layers_that_repeat_weights_still_do(monkeypatch):
    """As in unrolled recurrent networks: the file does not grow, and equal layers are lowered once."""
    from tflite2x.xs3 import substitution

    model = model_of(plausible(np.random.default_rng(8), 24, 24))
    g = model.main
    first = g.operators[0]
    for i in range(3):
        # The second repeats the layer; the third has another scale, and so other parameters.
        scale = first.outputs[0].quantization.scale * (2 if i == 2 else 1)
        y = g.add_tensor(
            f"again {i}", (1, 24), "int8", scale=scale, zero_point=first.outputs[0].quantization.zero_point
        )
        g.add_operator("FULLY_CONNECTED", first.inputs, [y], FullyConnectedOptions())
        g.set_outputs([*g.outputs, y])
    lowered = []
    lower = substitution.lower_best
    monkeypatch.setattr(substitution, "lower_best", lambda *args: lowered.append(args[0]) or lower(*args))
    XcFc()(model)
    ops = [op for op in tflite2x.loads(tflite2x.dumps(model)).main.operators if op.name == "XC_fc"]
    assert (len(ops), len(lowered)) == (4, 2)
    assert len({op.inputs[1].buffer for op in ops}) == 1
    assert len({op.inputs[2].buffer for op in ops}) == 2
    assert len({op.inputs[1].name for op in ops}) == 4


def _edit(change):
    model = model_of(plausible(np.random.default_rng(8), 6, 8))
    change(model, model.main.operators[0])
    return model


def _float_weights(model, op):
    w = model.main.add_constant("f", np.zeros((6, 8), np.float32))
    op.set_input(1, w)


def _computed_weights(model, op):
    t = model.main.add_tensor("computed", (6, 8), "int8", scale=0.1)
    model.main.add_operator("MAXIMUM", [op.inputs[1], op.inputs[1]], [t], before=op)
    op.set_input(1, t)


def _zero_point(model, op):
    op.inputs[1].quantization.zero_point = np.full(6, 3)


def _tanh(model, op):
    op.options.fused_activation_function = Activation.TANH


def _axis(model, op):
    op.inputs[1].quantization.quantized_dimension = 1


def _no_scale(model, op):
    op.inputs[0].quantization = None


def _sparse(model, op):
    op.inputs[1].sparsity = SparsityParameters()


def _shuffled(model, op):
    op.options.weights_format = 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_float_weights, "the weights are float32, not int8"),
        (_computed_weights, "the weights are computed, not constant"),
        (_zero_point, "the weights have a zero point other than 0"),
        (_tanh, "the fused activation TANH is no clamp"),
        (_axis, "the weights' scales lie along axis 1, not 0"),
        (_no_scale, "the input has no single scale"),
        (_shuffled, "the weights are shuffled"),
        (_sparse, "the weights are stored as a sparse tensor, which LiteRT rounds differently"),
    ],
)
def test_what_cannot_be_replaced_is_left_alone_with_the_reason(change, reason):
    model = _edit(change)
    before = tflite2x.dumps(model)
    result = XcFc()(model)
    assert [left.reason for left in result.left_alone] == [reason]
    assert not result.modified
    assert tflite2x.dumps(model) == before


def test_several_rows_are_left_alone():
    model = model_of(plausible(np.random.default_rng(9), 6, 8), rows=8)
    (left,) = XcFc()(model).left_alone
    assert left.reason == "it computes 8 rows ([8, 8] by 8 columns), XC_fc computes one"


def test_overflow_is_left_alone():
    layer = plausible(np.random.default_rng(10), 6, 8)
    model = model_of(dataclasses.replace(layer, bias=np.full(6, 2**31 - 3, np.int32)))
    (left,) = XcFc()(model).left_alone
    assert "outside of int32, in TFLite itself" in left.reason


def test_max_lsb_0_leaves_layers_with_differences():
    layer = plausible(np.random.default_rng(11), 6, 80)
    (left,) = XcFc(max_lsb=0)(model_of(layer)).left_alone
    assert left.reason == "it could differ from TFLite by 1 LSB, more than max-lsb=0"


def test_a_shape_other_than_rows_by_columns():
    layer = plausible(np.random.default_rng(12), 6, 8)
    model = model_of(layer)
    x = model.main.operators[0].inputs[0]
    x.shape = (1, 2, 2, 2)
    assert XcFc()(model).modified
    sample = inputs(layer, 1).reshape(1, 2, 2, 2)
    assert tflite2x.Interpreter(model).run([sample])[0].shape == (1, 6)


def test_an_open_number_of_rows():
    layer = plausible(np.random.default_rng(13), 6, 8)
    model = model_of(layer)
    for tensor in model.main.tensors:
        if tensor.name in "xyz":
            tensor.shape_signature = (-1, tensor.shape[1])
    XcFc()(model)
    interpreter, x = tflite2x.Interpreter(model), inputs(layer, 3)
    expected = interpreter.run_batch([x])[0][:, 0]
    np.testing.assert_array_equal(interpreter.run([x[:, 0]])[0], expected)
    with pytest.raises(ExecutionError, match="not rows of 8"):
        interpreter.run([np.zeros((1, 9), np.int8)], resize=True)


def broken(change) -> tflite2x.Model:
    model = model_of(plausible(np.random.default_rng(14), 20, 10))
    XcFc()(model)
    change(model, model.main.operators[0])
    return model


def _more_rows(model, op):
    op.inputs[0].shape = (2, 10)


def _narrow_block(model, op):
    op.set_input(2, model.main.add_constant("short", np.zeros((1, 7, 16), np.int16)))


def _odd_weights(model, op):
    op.set_input(1, model.main.add_constant("odd", np.zeros((20, 10), np.int8)))


def _wide_block(model, op):
    op.set_input(2, model.main.add_constant("wide", np.zeros((2, 7, 16), np.int32)))


def _two_inputs(model, op):
    op.set_inputs(op.inputs[:2])


def _other_groups(model, op):
    op.custom_options = bytes(flexbuffers.Dumps({"par": {"th": 1, "cg": [[16, 19], [0, 15]]}}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_more_rows, "the input has 20 elements, the weights have 12 columns"),
        (_narrow_block, r"the BSO has shape \[1, 7, 16\], not \[2, 7, 16\]"),
        (_odd_weights, "the second a multiple of 4"),
        (_wide_block, "'wide' has type INT32, not INT16"),
        (_two_inputs, "2 inputs and 1 outputs, not 3 and 1"),
        (_other_groups, "groups of 16 from channel 0 on"),
    ],
)
def test_what_the_runtime_could_not_compute_is_refused(change, words):
    with pytest.raises(UnsupportedError, match=words):
        tflite2x.Interpreter(broken(change)).run([np.zeros((1, 10), np.int8)], resize=True)


def test_weights_in_the_padding_are_refused():
    def change(model, op):
        values = op.inputs[1].data.copy()
        values[3, 11] = 1
        op.inputs[1].data = values

    with pytest.raises(ExecutionError, match="beyond the input"):
        tflite2x.Interpreter(broken(change)).run([np.zeros((1, 10), np.int8)])


def test_a_pipeline_verifies_the_claim():
    model = several_layers()
    report = Pipeline.parse("xc-fc,cleanup").run(model, verify=Verify(samples=16))
    assert [op.name for op in model.main.operators] == ["XC_fc", "MAXIMUM", "XC_fc"]
    verdict = report.passes[0].verdict
    assert verdict.passed
    assert verdict.operator_lsb is not None
    assert verdict.operator_lsb <= 1


def test_options_in_texts():
    (step,) = Pipeline.parse("xc-fc{params=2021 threads=4 max-lsb=2}").passes
    assert step == XcFc(params="2021", threads=4, max_lsb=2)
    assert Pipeline.parse(format_pass(step)).passes == (step,)
    with pytest.raises(PipelineError, match="Choose 1 to 5"):
        XcFc(threads=6)
    with pytest.raises(PipelineError, match="max-lsb is -1"):
        XcFc(max_lsb=-1)
