"""Every fault of a catalog at once: files, mapping, queries, reasons. Each query is prepared on empty views by the verifier's own runner.

Leaves out: whether a procedure notices a broken control, which golden tests show (tests/assurance).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from affiant.catalog.grammar import check_query, reasons
from affiant.catalog.load import Fault, Reading, read
from affiant.catalog.model import Control
from affiant.kit.errors import BadInput
from affiant.proof import grammar as textual
from affiant.proof.errors import ProofError
from affiant.proof.views import COMPUTED, SqliteEvidence, Views

ALWAYS = ("from_us", "to_us", "end_size")
_PLACE = re.compile(r"\{([a-z0-9_]+)(?:\|time)?\}")


def check(directory: Path | None = None) -> dict[str, Any]:
    """Look for faults.

    Args:
        directory: a company's own folder; the shipped library by default.

    Returns:
        counts of criteria, risks and controls; `faults`, each {file, fault, next}; `uncovered`, criteria that no control names.

    Raises:
        BadInput: there is no such folder.
    """
    reading = read(directory)
    faults = list(reading.faults)
    faults += _mapping_faults(reading)
    try:
        views = Views.parse(reading.views)
    except ProofError as error:
        faults.append(Fault("views.json", error.message, error.next_step or "Compare it with the shipped one."))
    else:
        with SqliteEvidence(views, ":memory:") as evidence:
            for control in reading.controls.values():
                faults += _query_faults(reading, control, evidence)
            faults += _unused_population_faults(reading)
    listed = [{"file": f.file, "fault": f.text, "next": f.next_step} for f in dict.fromkeys(faults)]
    return {
        "criteria": len(reading.criteria), "risks": len(reading.risks), "controls": len(reading.controls),
        "faults": listed, "uncovered": list(reading.catalog().uncovered()),
    }  # fmt: skip


def _mapping_faults(reading: Reading) -> list[Fault]:
    faults: list[Fault] = []
    answered = {risk for control in reading.controls.values() for risk in control.risks}
    for control in reading.controls.values():
        file = reading.files[control.id]
        if not control.criteria:
            faults.append(Fault(file, f"{control.id} names no criterion.", "Name at least one; the first decides its category."))
        if not control.risks:
            faults.append(Fault(file, f"{control.id} names no risk.", "Name the risk that it answers, from risks/."))
        faults += [
            Fault(file, f"{control.id} names the unknown risk {risk}.", "Add it to risks/, or correct the id.")
            for risk in control.risks
            if risk not in reading.risks
        ]
        if control.procedure and control.population is None:
            faults.append(Fault(file, f"{control.id} has a procedure and no population.", "Name the population that it judges."))
        if control.population is not None and not control.procedure:
            faults.append(Fault(file, f"{control.id} has a population and no procedure.", "Add a procedure, or leave out the population."))
        if control.version < 1:
            faults.append(Fault(file, f"{control.id} has the version {control.version}.", "Versions count up from 1."))
        for name, text in (("limits", control.limits), ("miss", control.miss), ("attribute", control.attribute)):
            if not text and control.procedure:
                faults.append(Fault(file, f"{control.id} has no `{name}`.", "Say it in words; readers rely on it."))
    for risk in reading.risks.values():
        file = reading.files[f"risk:{risk.id}"]
        if risk.id not in answered and not risk.without_control:
            faults.append(Fault(file, f"No control answers the risk {risk.id}.", "Add a control, or say why under `without_control`."))
        if risk.id in answered and risk.without_control:
            faults.append(Fault(file, f"The risk {risk.id} is answered and says that it is not.", "Remove `without_control`."))
    return faults


def _unused_population_faults(reading: Reading) -> list[Fault]:
    used = {control.population.name for control in reading.controls.values() if control.population is not None}
    return [
        Fault(f"populations/{name}.yaml", "No control uses this population.", "Use it, or remove the file.")
        for name in reading.populations
        if name not in used
    ]


def _query_faults(reading: Reading, control: Control, evidence: SqliteEvidence) -> list[Fault]:
    """Prepare the control's queries one after another on empty views."""
    population = control.population
    if population is None or not control.procedure:
        return []
    file, population_file = reading.files[control.id], f"populations/{population.name}.yaml"
    known = {*ALWAYS, *control.params}
    faults: list[Fault] = []
    tables = {*evidence.views.by_name, *COMPUTED}

    def prepare(where: str, label: str, text: str, names: set[str]) -> list[str] | None:
        try:
            query = check_query(text)
            missing = sorted(query.params - known)
            if missing:
                faults.append(Fault(where, f"The {label} reads :{missing[0]}, which {control.id} does not give.", "Add it to `params`."))
                return None
            return textual.run(evidence.connection, query, dict.fromkeys(known, 0), names)[0]
        except BadInput as error:
            faults.append(Fault(where, f"The {label} lies outside the grammar: {error.message}", error.next_step))
        except ProofError as error:
            faults.append(Fault(where, f"The {label} cannot be prepared: {error.message}", "Compare names with views.json."))
        return None

    columns = prepare(population_file, "query", population.query, tables)
    if columns is None:
        return faults
    if columns[:2] != ["idx", "ord"] or "at" not in columns:
        faults.append(Fault(population_file, f"The query gives {', '.join(columns)}.", "Let it give idx, ord and at, in that order."))
        return faults
    if population.reconcile:
        given = prepare(population_file, "reconciliation", population.reconcile, tables)
        if given is not None and given[:3] != ["what", "ours", "theirs"]:
            faults.append(Fault(population_file, "The reconciliation does not begin with what, ours, theirs.", "Give these three first."))
    evidence.set_population([(name, "BIGINT") for name in columns], [])
    given = prepare(file, "procedure", control.procedure, {*tables, "pop"})
    if given is not None and given != ["idx", "ord", "item", "why"]:
        faults.append(Fault(file, f"The procedure gives {', '.join(given)}.", "Let it give idx, ord, item, why."))
    if given is not None:
        faults += _reason_faults(file, control, set(columns))
    return faults


def _reason_faults(file: str, control: Control, columns: set[str]) -> list[Fault]:
    codes = reasons(control.procedure)
    faults = [
        Fault(file, f"The procedure gives the reason {code}, which `whys` does not explain.", "Add a sentence for it.")
        for code in sorted(codes - set(control.whys))
    ]
    faults += [
        Fault(file, f"`whys` explains {code}, which the procedure never gives.", "Remove it, or correct the code.")
        for code in sorted(set(control.whys) - codes)
    ]
    for code, why in control.whys.items():
        unknown = sorted(set(_PLACE.findall(why.text)) - columns)
        if unknown:
            faults.append(Fault(file, f"The sentence for {code} names {{{unknown[0]}}}.", "Use columns of the population's query."))
    return faults
