"""Datasets that sum up others for people."""
