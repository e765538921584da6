"""Tests of nervid.meta."""
