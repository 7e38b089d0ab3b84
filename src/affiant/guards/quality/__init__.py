"""Output quality: form, language, refusals, loops, links, citations, risk of invention; mending of JSON. Pure."""

from affiant.guards.quality.check import RISK_THRESHOLD_PPM, Quality, Report
from affiant.guards.quality.form import BadForm
from affiant.guards.quality.language import LANGUAGES, identify
from affiant.guards.quality.model import DEFAULT_ADVICE, Advice, Asked, Code, Finding, Validate, advise

__all__ = [
    "DEFAULT_ADVICE",
    "LANGUAGES",
    "RISK_THRESHOLD_PPM",
    "Advice",
    "Asked",
    "BadForm",
    "Code",
    "Finding",
    "Quality",
    "Report",
    "Validate",
    "advise",
    "identify",
]
