"""carerespond: a terminal inbox for the public voice of a health or care service."""

__version__ = "0.1.0"
