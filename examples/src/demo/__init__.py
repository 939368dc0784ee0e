"""An extension module that needs a library, which needs another."""

from ._greeting import greet

__all__ = ["greet"]
