#!/usr/bin/env python3
"""Keras on TensorFlow: model, loss and optimizer of Keras, the step one tf.function (less overhead than fit).
Variants: default; xla (jit_compile)."""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

import peers


def build(net, layers):
    stack = [keras.Input((28, 28, 1))]
    for filters, kernel in net.convs:
        stack += [L.Conv2D(filters, kernel, activation="relu"), L.MaxPooling2D(2)]
    stack += [L.Flatten(), L.Dense(net.wide, activation="relu"), L.Dense(10)]
    model = keras.Sequential(stack)
    model.set_weights([a for layer in peers.channels_last(net, layers) for a in layer])
    return model


class Work:
    def __init__(self, kind, net, layers, options):
        self.net = build(net, layers)
        self.parameters = self.net.count_params()
        self.training, self.last = kind == "train", tf.zeros(())
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        adam = keras.optimizers.Adam(1e-3, epsilon=1e-8)
        adam.build(self.net.trainable_variables)

        def train(x, y):
            with tf.GradientTape() as tape:
                loss = loss_of(y, self.net(x, training=True))
            adam.apply(tape.gradient(loss, self.net.trainable_variables))
            return loss

        call = train if self.training else (lambda x, y: self.net(x, training=False))
        self.call = tf.function(call, jit_compile=options.variant == "xla", reduce_retracing=True)

    def put(self, x, y):
        return tf.constant(x), tf.constant(y)

    def step(self, batch):
        self.last = self.call(*batch)

    def wait(self):
        return float(np.abs(self.last.numpy()).mean())


def on(options):
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    # float32 as ours: no TF32 on a GPU.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus = tf.config.list_physical_devices("GPU")
    if options.device == "cuda":
        if not gpus:
            sys.exit("TensorFlow sees no GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    tf.config.set_visible_devices([], "GPU")
    return f"cpu, {options.threads} threads"


if __name__ == "__main__":
    peers.main(Work, f"Keras {keras.__version__}, TensorFlow {tf.__version__}", on)
