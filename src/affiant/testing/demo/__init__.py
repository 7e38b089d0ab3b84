"""`make demo`: an invented company, its providers and 90 days of its life, made by running the product under an injected clock.

Everything outside the home is a stand-in and says so; the home itself is a real one with the origin `demo/…`.
"""

from affiant.testing.demo.layout import ORIGIN, Layout
from affiant.testing.demo.run import Options, run

__all__ = ["ORIGIN", "Layout", "Options", "run"]
