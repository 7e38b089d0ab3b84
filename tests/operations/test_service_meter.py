"""Minutes served: only what was seen without a hole counts."""

from pathlib import Path

from affiant.operations import Observation, ServiceMeter

HOUR = 3_600_000_000
SECOND = 1_000_000
START = 1_795_564_800_000_000  # 2026-11-25T00:00:00Z


def watch(meter: ServiceMeter, start_s: int, end_s: int, ready: bool = True) -> None:
    for second in range(start_s, end_s):
        meter.observe(Observation(START + second * SECOND, second * 1_000_000_000, ready))


def served(meter: ServiceMeter, now_us: int) -> list[tuple[int, int, int]]:
    return [((d.body["hour"] - START) // HOUR, d.body["expected"], d.body["served"]) for d in meter.finished(now_us)]


def test_a_whole_hour_is_sixty_minutes(tmp_path: Path) -> None:
    """An hour seen ready at each second is served in full, and is given until it is forgotten."""
    meter = ServiceMeter("n1", tmp_path / "s.json")
    watch(meter, 0, 3700)
    assert served(meter, START + HOUR) == [(0, 60, 60)]
    assert served(meter, START + HOUR) == [(0, 60, 60)]
    meter.forget(START + HOUR)
    assert served(meter, START + HOUR) == []


def test_a_short_outage_costs_the_minutes_that_it_touches(tmp_path: Path) -> None:
    """Ten seconds out of service inside one minute cost that minute, across a border two."""
    meter = ServiceMeter("n1", tmp_path / "s.json")
    watch(meter, 0, 620)
    watch(meter, 620, 630, ready=False)
    watch(meter, 630, 1195)
    watch(meter, 1195, 1205, ready=False)
    watch(meter, 1205, 3661)
    assert served(meter, START + HOUR) == [(0, 60, 57)]


def test_a_gap_in_looking_is_not_served(tmp_path: Path) -> None:
    """Five seconds without a look cost the minute; four do not."""
    meter = ServiceMeter("n1", tmp_path / "s.json")
    watch(meter, 0, 100)
    watch(meter, 103, 200)
    watch(meter, 206, 3661)
    assert served(meter, START + HOUR) == [(0, 60, 59)]


def test_an_hour_that_nobody_saw_gives_no_event(tmp_path: Path) -> None:
    """An hour without any look is missing, not zero; one seen only out of service is zero."""
    meter = ServiceMeter("n1", tmp_path / "s.json")
    watch(meter, 0, 3600)
    watch(meter, 2 * 3600, 3 * 3600 + 1, ready=False)
    assert [hour for hour, _, count in served(meter, START + 3 * HOUR)] == [0, 2]
    assert served(meter, START + 3 * HOUR)[1] == (2, 60, 0)


def test_restart_of_control_within_the_gap_costs_nothing(tmp_path: Path) -> None:
    """Observations survive a restart; a damaged memory only costs minutes."""
    path = tmp_path / "s.json"
    meter = ServiceMeter("n1", path)
    watch(meter, 0, 1000)
    meter.save()
    meter = ServiceMeter("n1", path)
    watch(meter, 1003, 3601)
    assert served(meter, START + HOUR) == [(0, 60, 60)]
    path.write_text("[]")
    assert served(ServiceMeter("n1", path), START + HOUR) == []


def test_an_injected_clock_may_jump_an_hour_but_not_a_day(tmp_path: Path) -> None:
    """Under an injected clock a pair of looks an hour apart is served; a day apart is a hole."""
    meter = ServiceMeter("n1", tmp_path / "s.json", injected=True)
    mono = 0
    for hour in (0, 1, 2, 27, 28, 29):
        mono += 50_000_000
        meter.observe(Observation(START + hour * HOUR + HOUR // 2, mono, True))
    assert served(meter, START + 29 * HOUR) == [(0, 60, 30), (1, 60, 60), (2, 60, 30), (27, 60, 30), (28, 60, 60)]
    ordinary = ServiceMeter("n1", tmp_path / "t.json")
    ordinary.observe(Observation(START, 0, True))
    ordinary.observe(Observation(START + HOUR, 1, True))
    assert served(ordinary, START + HOUR) == [(0, 60, 0)]


def test_a_clock_set_back_adds_nothing(tmp_path: Path) -> None:
    """Wall time that runs backwards is not counted twice."""
    meter = ServiceMeter("n1", tmp_path / "s.json")
    watch(meter, 0, 35)
    for again in range(31):
        meter.observe(Observation(START + again * SECOND, (35 + again) * 1_000_000_000, True))
    meter.observe(Observation(START + 65 * SECOND, 70_000_000_000, True))
    assert served(meter, START + HOUR) == [(0, 60, 0)]
