"""What processes say of faults, as they say it themselves: by our own loggers' lines, some of which were never ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import redis.exceptions

from escrow import process_log
from escrow.payments.results import ProviderError, StoredFault
from escrow.settings import LogFormat
from tests.soak.complaints import Complaint, complaints, is_engines, is_full_disks, is_providers, is_slow

FORMAT = process_log.formatter(LogFormat.TEXT)


def written(
    raised: BaseException | None, /, *, level: int = logging.ERROR, event: str = "it failed", **said: object
) -> str:
    """The line of an entry with the traceback of an error, if there is one."""
    record = logging.LogRecord("workers", level, "", 0, event, None, None)
    record.__dict__.update(said)
    if raised is not None:
        with pytest.raises(type(raised)):
            raise raised
        record.exc_info = (type(raised), raised, raised.__traceback__)
    return FORMAT.format(record) + "\n"


def told(tmp_path: Path, *lines: str) -> list[Complaint]:
    log = tmp_path / "worker-0.log"
    log.write_text("".join(lines))
    return list(complaints(log, ["passing on"]))


Explains = Callable[[Complaint], bool]
EXPLAINED: list[tuple[BaseException, Explains]] = [
    (asyncpg.CannotConnectNowError("the database system is starting up"), is_engines),
    (ConnectionRefusedError(111, "Connection refused"), is_engines),
    (redis.exceptions.BusyLoadingError("Redis is loading"), is_engines),
    (asyncpg.DiskFullError("could not extend file\nHINT:  Check free disk space."), is_full_disks),
]


@pytest.mark.parametrize(("error", "explains"), EXPLAINED, ids=[type(error).__name__ for error, _ in EXPLAINED])
def test_what_a_blow_explains_is_known_by_the_error_that_was_raised_last(
    tmp_path: Path, error: BaseException, explains: Explains
) -> None:
    caused = KeyError("first")
    error.__context__ = caused
    lines = [written(error), written(None, level=logging.WARNING, error=error)]
    raised, said = told(tmp_path, *lines)
    assert (raised.error, said.error) == (type(error).__name__,) * 2
    assert (said.place, said.is_warning) == (len(lines[0].encode()), True)
    for one in (raised, said):
        assert [kind(one) for kind in (is_engines, is_full_disks)] == [
            kind is explains for kind in (is_engines, is_full_disks)
        ]


@pytest.mark.parametrize("line", [
    written(KeyError("milestone")),
    written(asyncpg.DataError("invalid input for query argument $1")),
    written(None, level=logging.WARNING, event="deadlines not applied together", error=KeyError("milestone")),
    written(None, event="the provider's books differ"),
    written(ProviderError("Stripe answered 429")),
    "Fatal Python error: Segmentation fault\n",
])  # fmt: skip
def test_a_fault_of_ours_is_explained_by_nothing(tmp_path: Path, line: str) -> None:
    (one,) = told(tmp_path, line)
    assert not any(explains(one) for explains in (is_engines, is_full_disks, is_providers, is_slow))
    assert str(one).startswith("worker-0, byte 0: ")


def test_a_provider_at_its_worst_is_expected_and_people_are_told_of_it(tmp_path: Path) -> None:
    errors = (ProviderError("Stripe answered 429"), StoredFault("Stripe answered 500"))
    warned = [written(None, level=logging.WARNING, error=error) for error in errors]
    left = written(None, event="order left to a person", error="nobody knows")
    assert [is_providers(one) for one in told(tmp_path, *warned, left)] == [True, True, True]


def test_what_took_too_long_is_known_by_what_it_was(tmp_path: Path) -> None:
    event = "deadlines not applied, tried again later"
    slow, wrong = (RuntimeError("not applied within 4 s"), KeyError("milestone"))
    told_of = told(tmp_path, written(None, event=event, error=slow), written(wrong, event=event, error=wrong))
    assert [is_slow(one) for one in told_of] == [True, False]
    over_time = [written(None, level=level, error=TimeoutError()) for level in (logging.WARNING, logging.ERROR)]
    assert [is_slow(one) for one in told(tmp_path, *over_time)] == [True, False]


def test_what_tells_of_no_fault_or_was_never_ended_is_no_complaint(tmp_path: Path) -> None:
    fault = written(KeyError("milestone"))
    cut = fault[: len(fault) // 2] + "\n"
    assert "traceback=" in cut
    plain = written(None, level=logging.INFO, event="command", ms=1.5)
    assert told(tmp_path, "passing on\n", "\n", plain, written(None, level=logging.WARNING, ms=2), cut) == []
    assert [one.error for one in told(tmp_path, cut, fault)] == ["KeyError"]
