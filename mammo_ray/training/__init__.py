"""Fitting one model in one process with stock Keras."""
