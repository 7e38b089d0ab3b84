"""A world to test against, shipped to users: provider simulator, demonstration, whole-home helper.

Everything here is a stand-in and says so when it starts. Nothing outside this package imports it.
"""

from affiant.testing.simulator import Simulator

__all__ = ["Simulator"]
