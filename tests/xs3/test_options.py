# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from flatbuffers import flexbuffers

from tflite2x.errors import FormatError
from tflite2x.xs3.options import Plan, decode, encode, plan


def test_the_published_example():
    layout = plan(channels=49, columns=36, threads=5)
    expected = {"par": {"th": 4, "cg": [[0, 15], [16, 31], [32, 47], [48, 48]]}, "mem": [1764, 896]}
    assert flexbuffers.Loads(encode(layout)) == expected


@pytest.mark.parametrize(
    ("channels", "columns", "threads", "expected"),
    [
        (1, 1, 5, Plan(1, ((0, 0),), (4, 224))),
        (16, 30, 1, Plan(1, ((0, 15),), (512, 224))),
        (40, 30, 2, Plan(2, ((0, 15), (16, 31), (32, 39)), (1024, 448))),
    ],
)
def test_plans(channels, columns, threads, expected):
    assert plan(channels, columns, threads) == expected


def test_one_thread_per_group_at_most_and_five_at_most():
    assert plan(1500, 8192, 5).threads == 5
    with pytest.raises(ValueError, match=r"outside of 1\.\.5"):
        plan(16, 4, 6)


def test_round_trip_and_more_channels_than_the_old_helper_could_hold():
    layout = plan(1500, 8192, 3)
    assert decode(encode(layout)) == layout
    assert decode(b"") is None
    assert decode(bytes(flexbuffers.Dumps({"other": 1}))) is None


def test_damaged_options_are_refused():
    with pytest.raises(FormatError, match="par and mem"):
        decode(bytes(flexbuffers.Dumps({"par": {"th": 1, "cg": [[1, 2, 3]]}})))
