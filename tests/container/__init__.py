"""Tests of nervid.container."""
