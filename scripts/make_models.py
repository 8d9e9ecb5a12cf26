#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train and convert the networks of ``models/`` and write ``models/MANIFEST.json``.

    pip install -e '.[models]'
    python scripts/make_models.py                    # everything, about two minutes
    python scripts/make_models.py --mnist mnist.npz  # the real MNIST instead of scikit-learn's digits

Needed only to make the models again: the results are committed. The same versions on the same kind of processor give
the same bytes; the manifest says which versions made the committed files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN picks its arithmetic by processor; without it the weights do not depend on where they were trained.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
from model_data import Array, Data, digits, matrices, mnist, sounds
from model_recipes import NETWORKS, RECIPES, Network, Recipe

DATA_SEED = 2023
MODELS = Path(__file__).resolve().parent.parent / "models"
EVALUATION_ARRAYS = {
    "x": "float32 [N, ...]: inputs as the float model takes them, without the batch axis (1 sample = x[i])",
    "y": "int64 [N]: labels (sets for classifiers)",
    "reference": "float32 [N, 16, 32]: outputs of the float network (dense_3d, which has no labels)",
}


def train(network: Network, data: Data) -> Any:
    """Build the network and train it; return the Keras model."""
    import keras

    keras.utils.set_random_seed(network.seed)
    model = network.build(keras)
    if network.epochs:
        # A model with a fixed batch of 1 shares its weights with a twin that trains on larger batches.
        flexible = keras.Sequential([keras.Input(model.input_shape[1:]), *model.layers])
        flexible.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=not _ends_in_softmax(model)))
        flexible.fit(shaped(data.x_train, model), data.y_train, batch_size=32, epochs=network.epochs, verbose=0)
    return model


def _ends_in_softmax(model: Any) -> bool:
    return bool(model.layers[-1].activation.__name__ == "softmax")


def shaped(x: Array, model: Any) -> Array:
    """Give ``x`` the rank that the model takes (images get their channel axis)."""
    return x.reshape(-1, *model.input_shape[1:])


def convert(model: Any, recipe: Recipe, network: Network, data: Data) -> bytes:
    """Convert the trained Keras model to TFLite."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if recipe.quantize:

        def samples() -> Iterator[list[Array]]:
            for row in shaped(data.x_train, model)[:500]:
                yield [row[None]]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter._experimental_disable_per_channel_quantization_for_dense_layers = not network.dense_per_channel
        if recipe.interface != "float32":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(recipe.interface)
    return bytes(converter.convert())


def run(content: bytes, x: Array) -> Array:
    """Run a model in LiteRT's reference kernels on float samples; return dequantized outputs."""
    import tensorflow as tf

    resolver = tf.lite.experimental.OpResolverType.BUILTIN_REF
    interpreter = tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=resolver, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for row in x.reshape(-1, *source["shape"]):
        interpreter.set_tensor(source["index"], quantize(row, source))
        interpreter.invoke()
        outputs.append(dequantize(interpreter.get_tensor(sink["index"]), sink)[0])
    return np.stack(outputs)


def quantize(values: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    if not scale:
        return values.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    integers = np.rint(values.astype(np.float64) / scale) + zero_point
    return np.clip(integers, limits.min, limits.max).astype(detail["dtype"])


def dequantize(values: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    real = (values.astype(np.float64) - zero_point) * scale if scale else values
    return np.asarray(real, np.float32)


def file_entry(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def versions() -> dict[str, str]:
    import keras
    import sklearn
    import tensorflow as tf

    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def make(out: Path, mnist_file: Path | None, only: list[str]) -> dict[str, Any]:
    """Make the models and evaluation sets in ``out``; return the manifest."""
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    out.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, Any] = {
        "made_by": "python scripts/make_models.py" + (" --mnist " + mnist_file.name if mnist_file else ""),
        "versions": versions(),
        "data_seed": DATA_SEED,
        "evaluation_arrays": EVALUATION_ARRAYS,
        "evaluation_sets": {},
        "models": {},
    }
    for name, network in NETWORKS.items():
        recipes = {key: r for key, r in RECIPES.items() if r.network == name and (not only or key in only)}
        if not recipes:
            continue
        data = load(network.task, mnist_file)
        keras_model = train(network, data)
        evaluation = f"{network.task}_eval.npz"
        if evaluation not in manifest["evaluation_sets"]:
            arrays = {"y": data.y_test} if network.epochs else {"reference": keras_model_outputs(keras_model, data)}
            np.savez_compressed(out / evaluation, x=data.x_test, **arrays)
            manifest["evaluation_sets"][evaluation] = {
                **file_entry(out / evaluation), "samples": len(data.x_test), "data": data.source,
            }  # fmt: skip
        for key, recipe in recipes.items():
            path = out / f"{key}.tflite"
            path.write_bytes(convert(keras_model, recipe, network, data))
            entry = manifest["models"][path.name] = {
                **file_entry(path),
                "why": recipe.why,
                "network": network.text,
                "interface": recipe.interface,
                "core": "int8" if recipe.quantize else "float32",
                "seed": network.seed,
                "epochs": network.epochs,
                "calibration": f"{min(500, len(data.x_train))} training samples" if recipe.quantize else None,
                "evaluation": evaluation,
            }
            if network.epochs:
                correct = run(path.read_bytes(), data.x_test).argmax(axis=1) == data.y_test
                entry["correct_in_litert_reference_kernels"] = int(correct.sum())
            print(path.name, entry["bytes"], entry.get("correct_in_litert_reference_kernels"), file=sys.stderr)
    return manifest


def keras_model_outputs(model: Any, data: Data) -> Array:
    return np.concatenate([np.asarray(model(row[None])) for row in shaped(data.x_test, model)])


def load(task: str, mnist_file: Path | None) -> Data:
    if task == "digits":
        return mnist(mnist_file) if mnist_file else digits(DATA_SEED)
    return {"kws": sounds, "dense_3d": matrices}[task](DATA_SEED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=MODELS, help="folder to write to (default: models/)")
    parser.add_argument("--mnist", type=Path, help="npz file with x_train, y_train, x_test, y_test")
    parser.add_argument("--only", nargs="*", default=[], choices=list(RECIPES), help="make these; writes no manifest")
    arguments = parser.parse_args()
    manifest = make(arguments.out, arguments.mnist, arguments.only)
    if not arguments.only:
        (arguments.out / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
