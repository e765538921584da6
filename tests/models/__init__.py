"""Tests of nervid.models; a package so that they can share strategies."""
