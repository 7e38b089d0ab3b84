"""A provider simulator: OpenAI's and Anthropic's formats over real sockets, deterministic, scriptable, and it counts.

`python -m affiant.testing.simulator --port P` or, inside an event loop, `async with Simulator() as sim: sim.url`.
Leaves out: any model. Answers are computed from the request, so that what a guard put in comes back out.
"""

from affiant.testing.simulator.book import Book, Seen
from affiant.testing.simulator.script import Script, read_script
from affiant.testing.simulator.server import Simulator

__all__ = ["Book", "Script", "Seen", "Simulator", "read_script"]
