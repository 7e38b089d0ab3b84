"""Scheduled and on-demand work of a running home: probes, minutes served, anchors, periods, notices.

It never looks inside the gateway: probes travel as ordinary traffic, and everything else is read from the ledger.
"""

from affiant.operations.operations import EXPIRY_NOTICE_DAYS, PROBE_MINUTES, Context, Operations
from affiant.operations.probe_key import ProbeKey, find_probe_key, save_probe_key
from affiant.operations.schedule import Every, Schedule
from affiant.operations.scheduler import FileBook, Job, Outcome, Scheduler
from affiant.operations.service import Observation, ServiceMeter

__all__ = [
    "EXPIRY_NOTICE_DAYS",
    "PROBE_MINUTES",
    "Context",
    "Every",
    "FileBook",
    "Job",
    "Observation",
    "Operations",
    "Outcome",
    "ProbeKey",
    "Schedule",
    "Scheduler",
    "ServiceMeter",
    "find_probe_key",
    "save_probe_key",
]
