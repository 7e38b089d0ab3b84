"""The gateway: one exchange from the caller to a provider and back. Admit, guard, open, forward, guard, close, answer.

`serve` runs one worker inside an event loop; `run_worker` makes it a process. `CODES` is the table of stable error codes.
"""

from affiant.gateway.codes import CODES, Code
from affiant.gateway.forward import Timeouts
from affiant.gateway.worker import WorkerOptions, run_worker, serve

__all__ = ["CODES", "Code", "Timeouts", "WorkerOptions", "run_worker", "serve"]
