"""What lies outside the grammar is refused with what to write instead."""

from __future__ import annotations

import pytest

from affiant.catalog.grammar import check_query, reasons
from affiant.kit.errors import BadInput

OUTSIDE = [
    "SELECT a.idx / 2 AS idx FROM job_run a ORDER BY idx",
    "SELECT a.idx % 2 AS idx FROM job_run a ORDER BY idx",
    "SELECT a.job || 'x' AS job FROM job_run a ORDER BY job",
    "SELECT a.idx AS idx FROM job_run a WHERE a.job LIKE 'x' ORDER BY idx",
    "SELECT CAST(a.idx AS TEXT) AS idx FROM job_run a ORDER BY idx",
    "SELECT a.idx AS idx FROM job_run a ORDER BY idx COLLATE NOCASE",
    "SELECT a.idx AS idx FROM job_run a ORDER BY idx DESC",
    "SELECT a.idx AS idx FROM job_run a ORDER BY 1",
    "SELECT a.idx AS idx FROM job_run a ORDER BY a.idx + 1",
    "SELECT a.idx AS idx FROM job_run a ORDER BY idx LIMIT 5",
    "SELECT a.idx AS idx FROM job_run a",
    "SELECT MAX(a.idx, 5) AS idx FROM job_run a ORDER BY idx",
    "SELECT 1.5 AS idx ORDER BY idx",
    'SELECT a."idx" AS idx FROM job_run a ORDER BY idx',
    "SELECT a.idx AS idx FROM job_run a FULL JOIN job_run b ON a.idx = b.idx ORDER BY idx",
    "SELECT a.idx AS idx FROM job_run a NATURAL JOIN job_run b ORDER BY idx",
    "SELECT a.idx AS idx FROM job_run a JOIN job_run b USING (idx) ORDER BY idx",
    "SELECT AVG(a.idx) AS idx FROM job_run a ORDER BY idx",
    "SELECT load_extension('x') AS idx ORDER BY idx",
    "SELECT current_timestamp AS idx ORDER BY idx",
    "SELECT a.idx AS idx, SUM(a.idx) OVER () AS n FROM job_run a ORDER BY idx",
    "WITH RECURSIVE r AS (SELECT 1 AS idx UNION ALL SELECT r.idx + 1 FROM r) SELECT r.idx AS idx FROM r ORDER BY idx",
    "SELECT a.idx AS idx FROM job_run a ORDER BY idx; SELECT 1",
    "DELETE FROM job_run",
    "SELECT a.idx AS idx -- note\nFROM job_run a ORDER BY idx",
    "SELECT /* note */ a.idx AS idx FROM job_run a ORDER BY idx",
    "SELECT TRUE AS idx ORDER BY idx",
    "SELECT a.idx AS idx FROM job_run a WHERE a.at > DATE '2026-01-01' ORDER BY idx",
    "VALUES (1)",
    "not sql at all (",
    "",
]


@pytest.mark.parametrize("query", OUTSIDE)
def test_outside_is_refused(query: str) -> None:
    """Each construct on which engines differ, or that reaches beyond the views, is refused with a next step."""
    with pytest.raises(BadInput) as caught:
        check_query(query)
    assert caught.value.next_step


def test_inside_is_accepted() -> None:
    """Counts, anti-joins, CASE, grouping and common table expressions are what controls need."""
    query = check_query(
        "WITH n AS (SELECT a.job AS job, COUNT(*) AS n FROM job_run a GROUP BY a.job HAVING COUNT(*) > :least) "
        "SELECT n.job AS job, CASE WHEN n.n BETWEEN 1 AND 5 THEN 0 ELSE 1 END AS item FROM n "
        "LEFT JOIN job_run b ON b.job = n.job WHERE b.idx IS NULL OR NOT EXISTS (SELECT 1 FROM job_run c WHERE c.job = n.job) ORDER BY job"
    )
    assert query.params == {"least"}


def test_reasons_are_read_from_the_outer_select() -> None:
    """The short codes of a procedure are the text that its `why` can give."""
    text = "SELECT p.idx AS idx, CASE WHEN p.a = 'x' THEN 'one' WHEN p.a = 'y' THEN '' ELSE 'two' END AS why FROM pop p ORDER BY idx"
    assert reasons(text) == {"one", "two"}
