# SPDX-License-Identifier: Apache-2.0
"""TOPK_V2, UNIQUE, NON_MAX_SUPPRESSION, TFLite_Detection_PostProcess, LSH_PROJECTION, SKIP_GRAM against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import (
    CASES,
    Value,
    cases,
    check,
    one_operator,
    random_array,
    rngs,
    run_litert,
    shapes,
    steering,
)
from tflite2x.errors import ExecutionError, Tflite2xError
from tflite2x.interpreter.farmhash import fingerprint64
from tflite2x.schema import flexbuffers
from tflite2x.schema.enums import LSHProjectionType, TensorType
from tflite2x.schema.tables import (
    LSHProjectionOptions,
    NonMaxSuppressionV4Options,
    NonMaxSuppressionV5Options,
    SkipGramOptions,
    TopKV2Options,
    UniqueOptions,
)

TYPES = ("float32", "int8", "uint8", "int16", "int32", "int64")


@cases
@drawn(rngs, shapes(1, 3, 8), st.data(), st.sampled_from(("float32", "int8", "uint8", "int16", "int32", "int64")))
def test_top_k(rng, shape, data, dtype):
    k = data.draw(st.integers(0, shape[-1]))
    kind, index = data.draw(st.sampled_from([np.int32, np.int16])), data.draw(st.sampled_from(["int32", "int16"]))
    x = random_array(rng, shape, dtype)
    if data.draw(st.booleans()):
        x = (x % 3).astype(dtype)  # many equal values
    inputs = [Value(x), steering(k, data.draw(st.booleans()), kind)]
    check("TOPK_V2", TopKV2Options(), inputs, [(dtype, ()), (index, ())])


@cases
@drawn(
    rngs, st.integers(0, 30), st.sampled_from(("float32", "int8", "uint8", "int16", "int32", "int64")), st.booleans()
)
def test_unique(rng, size, dtype, long):
    x = (random_array(rng, (size,), dtype) % 7).astype(dtype)
    kind = "int64" if long else "int32"
    check("UNIQUE", UniqueOptions(idx_out_type=TensorType[kind.upper()]), [Value(x)], [(dtype, (1,)), (kind, ())])


@cases
@drawn(rngs, st.integers(1, 3), st.integers(64, 700), st.integers(1, 4), st.sampled_from(TYPES), st.booleans())
def test_top_k_of_long_rows(rng, rows, size, k, dtype, ties):
    x = random_array(rng, (rows, size), dtype)
    x = (x % 5).astype(dtype) if ties else x
    if dtype == "float32" and size % 2:
        x[:, rng.integers(0, size, size - 1 if size % 3 else 5)] = np.nan
    check("TOPK_V2", TopKV2Options(), [Value(x), steering(k, True)], [(dtype, ()), ("int32", ())])


def test_unique_refuses_nan():
    x = np.array([1, np.nan], np.float32)
    model = one_operator("UNIQUE", UniqueOptions(), [Value(x)], [("float32", (2,)), ("int32", (2,))])
    with pytest.raises(ExecutionError, match="NaN"):
        tflite2x.Interpreter(model).run([x])


@cases
@drawn(rngs, st.one_of(st.integers(1, 40), st.integers(100, 400)), st.integers(0, 40), st.data(), st.booleans())
def test_non_max_suppression(rng, number, limit, data, soft):
    boxes = rng.uniform(0, 10, (number, 4)).astype(np.float32)
    if data.draw(st.booleans()):
        boxes = np.round(boxes / 3)  # many equal boxes, some without area
    scores = rng.uniform(-1, 1, number).astype(np.float32)
    if data.draw(st.booleans()):
        scores = np.round(scores * 4) / 4  # many equal scores
    inputs = [
        Value(boxes),
        Value(scores.astype(np.float32)),
        steering(limit, data.draw(st.booleans())),
        steering(data.draw(st.sampled_from([0.1, 0.5, 0.9, 1.5])), True, np.float32),
        steering(data.draw(st.sampled_from([-2, 0, 0.3])), True, np.float32),
    ]
    outputs = [("int32", (0,)), ("int32", ())]
    if soft:
        inputs.append(steering(data.draw(st.sampled_from([0.0, 0.2, 2.0])), True, np.float32))
        outputs.insert(1, ("float32", (0,)))
        check("NON_MAX_SUPPRESSION_V5", NonMaxSuppressionV5Options(), inputs, outputs, tolerance=1e-6)
    else:
        check("NON_MAX_SUPPRESSION_V4", NonMaxSuppressionV4Options(), inputs, outputs)


@cases
@drawn(
    rngs,
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(1, 12),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.3, 0.6]),
)
def test_detection_postprocess(rng, number, classes, limit, each, regular, background, quantized, ties, threshold):
    options = flexbuffers.encode(
        {
            "max_detections": limit,
            "max_classes_per_detection": each,
            "detections_per_class": int(rng.integers(1, 6)),
            "use_regular_nms": regular,
            "nms_score_threshold": threshold,
            "nms_iou_threshold": 0.4,
            "num_classes": classes,
            "y_scale": 10.0,
            "x_scale": 10.0,
            "h_scale": 5.0,
            "w_scale": 5.0,
        }
    )
    columns = classes + background
    if quantized:
        inputs = [
            Value(random_array(rng, (1, number, 4), "uint8"), quantization={"scale": 0.06, "zero_point": 120}),
            Value(random_array(rng, (1, number, columns), "uint8"), quantization={"scale": 1 / 256, "zero_point": 0}),
            Value(random_array(rng, (number, 4), "uint8"), True, quantization={"scale": 0.01, "zero_point": 10}),
        ]
        inputs[2].array = np.maximum(inputs[2].array, 12).astype(np.uint8)  # sizes of anchors are positive
        if ties:
            inputs[1].array = (inputs[1].array // 64 * 64).astype(np.uint8)
    else:
        scores = rng.uniform(0, 1, (1, number, columns)).astype(np.float32)
        inputs = [
            Value(rng.standard_normal((1, number, 4)).astype(np.float32)),
            Value(np.round(scores * 4) / 4 if ties else scores),
            Value(rng.uniform(0.1, 1, (number, 4)).astype(np.float32), True),
        ]
    size = limit * each
    outputs = [("float32", s) for s in ((1, size, 4), (1, size), (1, size), (1,))]
    model = one_operator("TFLite_Detection_PostProcess", None, inputs, outputs, custom_options=options)
    arrays = [v.array for v in inputs[:2]]
    expected = run_litert(tflite2x.dumps(model), arrays, "BUILTIN_REF")
    got = tflite2x.Interpreter(model).run(arrays)
    np.testing.assert_array_equal(got[3], expected[3])
    # LiteRT leaves what lies behind the detections unwritten.
    found = int(got[3][0]) * (1 if regular else each)
    written = np.arange(found)
    if not regular:
        written = written[written % each < classes]
    np.testing.assert_allclose(got[0][0, written], expected[0][0, written], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(got[1][0, written], expected[1][0, written])
    np.testing.assert_array_equal(got[2][0, written], expected[2][0, written])
    assert not got[2][0, found:].any()
    CASES["TFLite_Detection_PostProcess"] += 1


@cases
@drawn(
    rngs,
    st.integers(1, 3),
    st.integers(1, 32),
    st.integers(1, 6),
    st.integers(0, 40),
    st.sampled_from(("int32", "float32", "int8", "int64", "string")),
    st.sampled_from([LSHProjectionType.SPARSE, LSHProjectionType.DENSE]),
    st.booleans(),
)
def test_lsh_projection(rng, rows, bits, entries, width, dtype, form, weighted):
    inputs = [
        Value(rng.standard_normal((rows, bits)).astype(np.float32), True),
        Value(random_array(rng, (entries, width) if width else (entries,), dtype)),
    ]
    if weighted:
        inputs.append(Value(rng.standard_normal(entries).astype(np.float32)))
    if form == LSHProjectionType.SPARSE and bits == 32:
        return  # LiteRT shifts by the width of its integers there
    check("LSH_PROJECTION", LSHProjectionOptions(type=form), inputs, [("int32", ())])


@pytest.mark.parametrize("length", [*range(1, 20), 31, 32, 33, 63, 64, 65, 127, 128, 129, 200])
def test_fingerprints_do_not_depend_on_other_keys(length):
    """All keys are hashed at once; LSH_PROJECTION above compares the values with LiteRT's."""
    keys = np.random.default_rng(length).integers(0, 256, (5, length), dtype=np.uint8)
    together = fingerprint64(keys)
    assert together.tolist() == [int(fingerprint64(key[None])[0]) for key in keys]
    assert len(set(together.tolist())) == len({key.tobytes() for key in keys})


@pytest.mark.parametrize(
    ("options", "message"),
    [(b"\x00\x01", "not a FlexBuffer"), (flexbuffers.encode([1]), "no map"), (flexbuffers.encode({}), "nms_iou")],
)
def test_detection_options_that_are_none(options, message):
    inputs = [Value(np.zeros((1, 2, 4), np.float32)), Value(np.zeros((1, 2, 2), np.float32))]
    inputs.append(Value(np.ones((2, 4), np.float32), True))
    outputs = [("float32", (1,))] * 4
    model = one_operator("TFLite_Detection_PostProcess", None, inputs, outputs, custom_options=options)
    with pytest.raises(Tflite2xError, match=rf"TFLite_Detection_PostProcess.*{message}"):
        tflite2x.Interpreter(model).run([v.array for v in inputs[:2]])


def test_fingerprint_of_the_empty_key():
    assert int(fingerprint64(np.zeros((1, 0), np.uint8))[0]) == 0x9AE16A3B2F90404F


@cases
@drawn(
    st.lists(st.sampled_from([b"a", b"bc", b"def", b" ", b"  ", b"\n", b"g"]), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(0, 3),
    st.booleans(),
)
def test_skip_gram(parts, size, skip, shorter):
    text = np.empty(1, object)
    text[0] = b" ".join(parts) if len(parts) % 2 else b"".join(parts)
    options = SkipGramOptions(ngram_size=size, max_skip_size=skip, include_all_ngrams=shorter)
    check("SKIP_GRAM", options, [Value(text)], [("string", ())], batch=False)
