"""Tests of nervid.metrics."""
