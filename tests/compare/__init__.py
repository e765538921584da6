"""Tests of nervid.compare."""
