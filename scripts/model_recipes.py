# SPDX-License-Identifier: Apache-2.0
"""The networks in ``models/``: architecture, training and conversion of each, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Network:
    """A network to train once and to convert one or more times.

    Attributes:
        build: Makes the untrained Keras model.
        text: The architecture in words, for the manifest.
        task: Key of the data: ``digits``, ``kws`` or ``dense_3d``.
        epochs: Passes over the training data; 0 leaves the weights at their random start.
        seed: Seed of the initial weights and of the order of the training data.
        dense_per_channel: Whether the converter may give fully connected weights one scale per channel. The persons
            whose problems these models come from used converters that did not.
    """

    build: Callable[[Any], Any]
    text: str
    task: str
    epochs: int
    seed: int
    dense_per_channel: bool = False


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One file: a network and how it is converted.

    Attributes:
        network: Key of NETWORKS.
        interface: Types of input and output; ``float32`` around an integer core gives QUANTIZE and DEQUANTIZE.
        quantize: Whether to quantize weights and activations to int8.
        why: What the model is there for.
    """

    network: str
    interface: str
    quantize: bool
    why: str


def _flatten(keras: Any, size: int) -> Any:
    # keras.layers.Flatten of Keras 3 computes the batch size at run time (SHAPE, STRIDED_SLICE, PACK). The models of
    # the persons have a constant [-1, size], as Keras 2 wrote it.
    import tensorflow as tf

    return keras.layers.Lambda(lambda t: tf.reshape(t, (-1, size)), output_shape=(size,), name="flatten")


def logistic(keras: Any) -> Any:
    dense = keras.layers.Dense(10, activation="softmax", kernel_regularizer=keras.regularizers.l1(1e-5), name="dense")
    return keras.Sequential([keras.Input((28, 28), name="image"), _flatten(keras, 784), dense], name="logistic")


def mlp(keras: Any) -> Any:
    layers = keras.layers
    hidden = layers.Dense(28, activation="relu", name="hidden")
    return keras.Sequential(
        [keras.Input((28, 28), name="image"), _flatten(keras, 784), hidden, layers.Dense(10, name="logits")], name="mlp"
    )


def cnn(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Conv2D(64, 3, activation="relu", name="conv3"),
            _flatten(keras, 576),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(10, name="logits"),
        ],
        name="cnn",
    )


def _separable(keras: Any, filters: int, strides: int, name: str, activation: str) -> list[Any]:
    layers = keras.layers
    return [
        layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False, name=f"{name}_depthwise"),
        layers.BatchNormalization(momentum=0.9, name=f"{name}_depthwise_norm"),
        layers.Activation(activation, name=f"{name}_depthwise_act"),
        layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise"),
        layers.BatchNormalization(momentum=0.9, name=f"{name}_pointwise_norm"),
        layers.Activation(activation, name=f"{name}_pointwise_act"),
    ]


def dscnn(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(momentum=0.9, name="stem_norm"),
            layers.Activation("relu6", name="stem_act"),
            *_separable(keras, 32, 1, "block1", "relu6"),
            *_separable(keras, 64, 2, "block2", "relu6"),
            *_separable(keras, 64, 1, "block3", "relu6"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(10, name="logits"),
        ],
        name="dscnn",
    )


def kws(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((49, 10, 1), name="features", batch_size=1),
            layers.Conv2D(32, (10, 4), strides=2, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(momentum=0.9, name="stem_norm"),
            layers.Activation("relu", name="stem_act"),
            *_separable(keras, 32, 1, "block1", "relu"),
            *_separable(keras, 32, 1, "block2", "relu"),
            layers.AveragePooling2D((25, 5), name="average"),
            _flatten(keras, 32),
            layers.Dense(8, activation="softmax", name="sound"),
        ],
        name="kws",
    )


def dense_3d(keras: Any) -> Any:
    return keras.Sequential(
        [keras.Input((16, 48), name="matrix", batch_size=1), keras.layers.Dense(32, use_bias=False, name="dense")],
        name="dense_3d",
    )


NETWORKS: dict[str, Network] = {
    "logistic": Network(logistic, "Flatten, Dense(10, softmax, L1 1e-5)", "digits", 30, 1234),
    "mlp": Network(mlp, "Flatten, Dense(28, relu), Dense(10)", "digits", 30, 1),
    "cnn": Network(
        cnn,
        "Conv2D(32, 3x3, relu), MaxPool, Conv2D(64, 3x3, relu), MaxPool, Conv2D(64, 3x3, relu), Flatten, "
        "Dense(64, relu), Dense(10)",
        "digits",
        20,
        2,
    ),
    "dscnn": Network(
        dscnn,
        "Conv2D(16, 3x3, stride 2), three depthwise-separable blocks (32, 64 stride 2, 64), all with batch "
        "normalization and ReLU6, GlobalAveragePooling2D, Dense(10)",
        "digits",
        15,
        3,
        dense_per_channel=True,
    ),
    "kws": Network(
        kws,
        "Conv2D(32, 10x4, stride 2), two depthwise-separable blocks (32, 32), all with batch normalization and ReLU, "
        "AveragePooling2D(25x5), Flatten, Dense(8, softmax)",
        "kws",
        20,
        4,
        dense_per_channel=True,
    ),
    "dense_3d": Network(dense_3d, "Dense(32, no bias) on [1, 16, 48], random weights", "dense_3d", 0, 5),
}

RECIPES: dict[str, Recipe] = {
    "logistic_float": Recipe("logistic", "float32", False, "float reference of logistic_int8"),
    "logistic_int8": Recipe("logistic", "float32", True, "smallest classifier; QUANTIZE ... DEQUANTIZE to strip"),
    "mlp_float": Recipe("mlp", "float32", False, "float reference of mlp_uint8"),
    "mlp_uint8": Recipe("mlp", "uint8", True, "uint8 interface around an int8 core"),
    "cnn_float": Recipe("cnn", "float32", False, "float reference of cnn_int8"),
    "cnn_int8": Recipe("cnn", "int8", True, "convolutions with one scale per channel; int8 interface"),
    "dscnn_float": Recipe("dscnn", "float32", False, "float reference of dscnn_int8"),
    "dscnn_int8": Recipe("dscnn", "int8", True, "depthwise-separable; MEAN; dense weights per channel"),
    "kws_float": Recipe("kws", "float32", False, "float reference of kws_int8"),
    "kws_int8": Recipe("kws", "float32", True, "keyword spotter with float interface; dense weights per channel"),
    "dense_3d_int8": Recipe("dense_3d", "int8", True, "fully connected over many rows, without bias"),
}
