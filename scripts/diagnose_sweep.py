# SPDX-License-Identifier: Apache-2.0
"""Plant every mistake in random layers and in the networks of models/, and count how often diagnose names it.

    python scripts/diagnose_sweep.py [--cases 30] [--pairs 60] [--seed 0] [--json FILE]

The mistakes are planted by hand-written loops (tests/explain/planted.py), not by the arithmetic that diagnose uses. A
case counts when the mistake changes the result. ``named``: the right name is among those given. ``certain``: it is the
only one, and said to be certain. ``wrong``: another name was given with certainty. Also planted: noise and shuffled
values, which nothing should explain. Exit code 1 when a mistake is named in less than 95 % of its cases, or on fewer
than 10 models, or when a wrong name was given with certainty.
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
from tests.explain.planted import OPERATORS, PLANTS  # noqa: E402
from tests.explain.planted_models import Case, Outcome, all_matter, places, planted, random_case  # noqa: E402
from tflite2x.explain.diagnose import diagnose  # noqa: E402

_NETWORKS = {"mlp_uint8": "digits", "cnn_int8": "digits", "dscnn_int8": "digits", "logistic_int8": "digits",
             "kws_int8": "kws", "dense_3d_int8": "dense_3d"}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=30, help="random layers per mistake and kind of operator")
    parser.add_argument("--pairs", type=int, default=60, help="random pairs of mistakes")
    parser.add_argument("--noise", type=int, default=40, help="layers with noise instead of a mistake")
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
            rng = np.random.default_rng([seed, sum(map(ord, kind + plant))])
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
            for plant in OPERATORS[op.name][1]:
                if only not in plant:
                    continue
                case = Case(model, x, place, f"{name} {op.where}")
                for output_only in (False, True) if rng.random() < 0.1 else (False,):
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
    kinds = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
    groups = [["wrap", "relu at 0"], ["truncate", "floor"], ["bias forgotten", "bias after the multiplier"],
              ["input zero point forgotten", "input zero point added", "input 128 too high"],
              ["output zero point forgotten", "output zero point subtracted"],
              ["multiplier without output scale", "scale of the first channel", "multiplier forgotten"],
              ["weights flipped", "weights in another layout", "input read as NCHW", "pad with 0"]]  # fmt: skip
    choices = [(a, b) for g, h in itertools.combinations(groups, 2) for a in g for b in h]
    done = 0
    while done < count:
        plants = frozenset(choices[rng.integers(len(choices))])
        case = random_case(rng, str(rng.choice(kinds)))
        if not all_matter(case, plants):
            continue
        outcome = planted(case, plants)
        if outcome is not None:
            done += 1
            yield outcome


def _noise(count: int, seed: int) -> bool:
    """Plant what no hypothesis describes: a name with certainty would be wrong."""
    rng = np.random.default_rng([seed, 3])
    said: collections.Counter[str] = collections.Counter()
    for i in range(count):
        case = random_case(rng, str(rng.choice(["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"])))
        exact = tflite2x.Interpreter(case.model).run([case.x])[0].astype(np.int64)
        noise = rng.integers(-3, 4, exact.shape) * (rng.random(exact.shape) < rng.choice([0.02, 0.3, 1.0]))
        mine = [np.clip(exact + noise, -128, 127), rng.permuted(exact), np.clip(exact * 2, -128, 127)][i % 3]
        if np.array_equal(mine, exact):
            continue
        first = diagnose(case.model, [case.x], {"y": mine}).first
        assert first is not None
        said[first.certainty] += 1
    text = ", ".join(f"{name} {n}" for name, n in said.most_common())
    print(f"{'noise, shuffled or doubled values':36} {said.total():6} {'':7} {'':8} {said['certain']:6}   ({text})")
    return said["certain"] > 0


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
