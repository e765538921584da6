"""Tests of nervid.video."""
