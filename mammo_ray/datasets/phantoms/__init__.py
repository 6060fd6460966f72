"""Synthetic data sets in every layout that can be read, from nothing but a seed."""
