"""From a description to a run: its name."""

from datetime import UTC, datetime, timedelta

from arr_bluegreen.deployment.begin import new_run_id


def test_names_of_runs_sort_by_their_time_also_within_a_second() -> None:
    """The last run is found by its name: a wrong order would resume the wrong one."""
    start = datetime(2026, 11, 23, 9, 7, 9, 995_000, tzinfo=UTC)
    names = [new_run_id(start + timedelta(milliseconds=number)) for number in range(200)]
    assert names == sorted(names)
    assert all(name.startswith("20261123-09") for name in names)
