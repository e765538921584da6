"""The version of the nervid package."""

__version__ = "0.1.0"
