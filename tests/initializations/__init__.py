"""Tests of nervid.initializations."""
