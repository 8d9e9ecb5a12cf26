# SPDX-License-Identifier: Apache-2.0
"""Plant every mistake in random layers and in the networks of models/, and count how often diagnose names it.

    python scripts/diagnose_sweep.py [--cases 30] [--pairs 60] [--seed 0] [--json FILE]

The mistakes are planted by hand-written loops (tests/explain/planted*.py), not by the arithmetic that diagnose uses. A
case counts when the mistake changes the result. ``named``: the right name is among those given. ``certain``: it is the
only one, and said to be certain. ``wrong``: another name was given with certainty. Also planted: what nothing in the
catalogue describes (tests/explain/foreign.py: noise, the right outputs of another model, other mistakes). Exit code 1
when a mistake is named in less than 95 % of its cases, or on fewer than 10 models, or when a wrong name was given with
certainty.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

import tflite2x  # noqa: E402
from tests.explain.foreign import FOREIGN, foreign  # noqa: E402
from tests.explain.planted import PLANTS  # noqa: E402
from tests.explain.planted_kinds import OPERATORS, kind_of  # noqa: E402
from tests.explain.planted_models import Case, Outcome, all_matter, places, planted, random_case  # noqa: E402
from tflite2x.explain.diagnose import diagnose  # noqa: E402

_NETWORKS = {"mlp_uint8": "digits", "cnn_int8": "digits", "dscnn_int8": "digits", "logistic_int8": "digits",
             "kws_int8": "kws", "dense_3d_int8": "dense_3d"}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=30, help="random layers per mistake and kind of operator")
    parser.add_argument("--pairs", type=int, default=60, help="random pairs of mistakes")
    parser.add_argument("--noise", type=int, default=40, help="operators for each thing that no mistake describes")
    parser.add_argument("--networks", type=int, default=1, help="0: leave models/ out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="only mistakes whose name contains this")
    parser.add_argument("--show", action="store_true", help="print every case that was not named")
    args = parser.parse_args()
    start = time.monotonic()
    outcomes = list(_singles(args.cases, args.seed, args.only))
    if args.networks:
        outcomes += _in_networks(args.seed, args.only)
    print(f"{'planted':36} {'cases':>6} {'named':>7} {'certain':>8} {'wrong':>6}")
    bad = _table([o for o in outcomes if len(o.plants) == 1], args.show)
    pairs = list(_pairs(args.pairs, args.seed))
    bad |= _table(pairs, args.show, "two of them at once", least=0)
    bad |= _noise(args.noise, args.seed)
    print(f"{len(outcomes) + len(pairs)} cases in {time.monotonic() - start:.0f} s")
    if args.json:
        args.json.write_text(json.dumps([o.__dict__ for o in outcomes + pairs], indent=1))
    return int(bad)


def _singles(cases: int, seed: int, only: str) -> Iterator[Outcome]:
    for kind, (_, possible) in OPERATORS.items():
        for plant in possible:
            rng = np.random.default_rng([seed, *map(ord, kind + plant)])
            found = 0
            for _ in range(40 * cases if only in plant else 0):
                outcome = planted(random_case(rng, kind), frozenset((plant,)))
                found += outcome is not None
                if outcome is not None:
                    yield outcome
                if found == cases:
                    break


def _in_networks(seed: int, only: str) -> list[Outcome]:
    """Plant every mistake in every place of the networks, seen at the operator; some also at the model's output."""
    found = []
    rng = np.random.default_rng(seed)
    for name, data in _NETWORKS.items():
        model = tflite2x.load(ROOT / "models" / f"{name}.tflite")
        with np.load(ROOT / "models" / f"{data}_eval.npz") as file:
            x = file["x"][int(rng.integers(len(file["x"])))]
        x = quantized(model, x)
        for place in places(model):
            op = model.main.operators[place]
            for plant in OPERATORS[kind_of(op)][1]:
                if only not in plant:
                    continue
                case = Case(model, (x,), place, f"{name} {op.where}")
                # Any bounds of a clamp are read off the values that it leaves: from further back they are not seen.
                far = rng.random() < 0.1 and plant != "clamp -100 to 90"
                for output_only in (False, True) if far else (False,):
                    outcome = planted(case, frozenset((plant,)), output_only=output_only)
                    if outcome is not None:
                        found.append(outcome)
    return found


def quantized(model: tflite2x.Model, x: np.ndarray) -> np.ndarray:
    tensor = model.main.inputs[0]
    x = x.reshape(tensor.shape)
    if tensor.numpy_dtype.kind == "f":
        return x.astype(np.float32)
    info = np.iinfo(tensor.numpy_dtype)
    steps = np.rint(x / tensor.quantization.scale[0]) + tensor.quantization.zero_point[0]
    return np.clip(steps, info.min, info.max).astype(tensor.numpy_dtype)


def _pairs(count: int, seed: int) -> Iterator[Outcome]:
    rng = np.random.default_rng([seed, 2])
    kinds = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_2D int16", "XC_fc",
             "FULLY_CONNECTED uint8", "ADD", "MEAN", "SOFTMAX", "PRELU", "RELU6", "CONV_2D hybrid")  # fmt: skip
    groups = [["wrap", "relu at 0"], ["truncate", "floor"], ["bias forgotten", "bias after the multiplier"],
              ["input zero point forgotten", "input zero point added", "input 128 too high"],
              ["output zero point forgotten", "output zero point subtracted"],
              ["multiplier without output scale", "scale of the first channel", "multiplier forgotten"],
              ["weights flipped", "weights in another layout", "input read as NCHW", "pad with 0"]]  # fmt: skip
    choices = [(a, b) for g, h in itertools.combinations(groups, 2) for a in g for b in h]
    done = 0
    while done < count:
        kind = str(rng.choice(kinds[:3] if done % 2 else kinds[3:]))
        if done % 2:
            plants = frozenset(choices[rng.integers(len(choices))])
        else:
            plants = frozenset(map(str, rng.choice(OPERATORS[kind][1], 2, replace=False)))
        if len({PLANTS[p] for p in plants}) < 2:
            continue
        case = random_case(rng, kind)
        if not all_matter(case, plants):
            continue
        outcome = planted(case, plants)
        if outcome is not None:
            done += 1
            yield outcome


def _noise(count: int, seed: int) -> bool:
    """Plant what no hypothesis describes, ``count`` times each: a name with certainty would be wrong."""
    bad = False
    for number, what in enumerate(FOREIGN):
        rng = np.random.default_rng([seed, 3, number])
        said: collections.Counter[str] = collections.Counter()
        while said.total() < count:
            kind = str(rng.choice(list(OPERATORS)))
            found = foreign(rng, kind, what)
            if found is None:
                continue
            case, mine = found
            first = diagnose(case.model, list(case.inputs), {"y": mine}).first
            certainty = "follows" if first is None else first.certainty
            if first is not None and certainty == "certain" and {n.mistakes for n in first.named} == {(FOREIGN[what],)}:
                certainty = "rightly named"
            said[certainty] += 1
            if first is not None and certainty == "certain":
                print(f"      {kind}: {what} -> {[n.mistakes for n in first.named]}")
        text = ", ".join(f"{name} {n}" for name, n in said.most_common())
        print(f"{what:36} {said.total():6} {'':7} {'':8} {said['certain']:6}   ({text})", flush=True)
        bad |= said["certain"] > 0
    return bad


def _table(outcomes: list[Outcome], show: bool, title: str = "", least: int = 10) -> bool:
    groups = collections.defaultdict(list)
    for outcome in outcomes:
        groups[title or outcome.plants[0]].append(outcome)
    bad = False
    names = [title] if title else [p for p in PLANTS if p in groups]
    for name in names:
        rows = groups[name]
        named, wrong = sum(o.named for o in rows), sum(o.wrong for o in rows)
        certain = sum(o.certainty == "certain" and o.named for o in rows)
        mark = "" if named >= 0.95 * len(rows) and not wrong and len(rows) >= least else "  <--"
        bad |= bool(mark)
        share = f"{named / max(1, len(rows)):.1%}"
        print(f"{name:36} {len(rows):6} {share:>7} {certain:8} {wrong:6}{mark}", flush=True)
        for o in rows if show else ():
            if not o.named or o.wrong:
                print(f"      {o.text}: {', '.join(o.plants)} -> {o.certainty} {o.names[:3]}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
