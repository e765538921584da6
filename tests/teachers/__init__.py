"""Tests of nervid.teachers."""
