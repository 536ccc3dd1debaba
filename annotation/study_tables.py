"""The tables of a study as CSV, for spreadsheets: nothing in them runs as a formula. Moments are in UTC."""

from collections.abc import Iterator

from annotation.exporting.tables import Table
from annotation.study import Study


def people(study: Study) -> Iterator[bytes]:
    """A row a person."""
    table = Table(safe=True)
    yield table.header(
        ["annotator", "labels", "imported", "share", "median_seconds", "last_active", "skips", "flags", "quota",
         "quota_left"]
    )  # fmt: skip
    for person in study.people:
        yield table.line(
            [
                person.user.get_username(),
                person.labels,
                person.imported,
                f"{person.share:.6f}",
                person.median_seconds,
                person.last_active,
                person.skips,
                person.flags,
                person.quota,
                person.quota_left,
            ]
        )


def days(study: Study) -> Iterator[bytes]:
    """A row a day, with the labels made here: all, all until then, and a column a person."""
    table = Table(safe=True)
    people = [person for person in study.people if person.by_day]
    yield table.header(["day", "labels", "labels_so_far", *(person.user.get_username() for person in people)])
    for day, labels, so_far in study.totals():
        yield table.line([day, labels, so_far, *(person.by_day.get(day, 0) for person in people)])


TABLES = {"people": people, "days": days}
