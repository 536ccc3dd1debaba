"""Devices: who has one has it alone, and whoever has ended has none."""

import os
from types import SimpleNamespace

import pytest

from jobs import leases, lifecycle, processes
from jobs.errors import PermanentError
from jobs.models import Attempt, Lease

pytestmark = pytest.mark.django_db


def running(title: str) -> tuple[Attempt, SimpleNamespace]:
    job = lifecycle.enqueue(kind="tests.nowhere", title=title, subject_id=1, send=False)
    attempt = lifecycle.claim(attempt_id=job.attempts.get().pk, holder=processes.this_process())
    said = []
    return attempt, SimpleNamespace(
        job_id=job.pk, number=1, said=said, progress=lambda done, total, phase: said.append(phase)
    )


def gpus(monkeypatch, *devices: str) -> None:
    monkeypatch.setattr(leases, "devices_here", lambda: list(devices))
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0)


def test_devices_are_given_to_one_attempt_at_a_time(monkeypatch):
    gpus(monkeypatch, "0", "1", "2")
    _, one = running("one")
    _, two = running("two")
    with leases.leased(one, wanted=2) as first, leases.leased(two, wanted=1) as second:
        assert (first, second) == (["0", "1"], ["2"])
    assert not Lease.objects.filter(released_at=None).exists()
    with leases.leased(two, wanted=3) as all_of_them:
        assert all_of_them == ["0", "1", "2"]


def test_who_comes_second_waits_and_is_told_for_whom(monkeypatch):
    gpus(monkeypatch, "0")
    attempt, one = running("the first run")
    _, two = running("two")

    def progress(done, total, phase):
        two.said.append(phase)
        # The other one is killed: its lease is worth nothing any more.
        Attempt.objects.filter(pk=attempt.pk).update(state=Attempt.State.LOST)

    two.progress = progress
    with leases.leased(one, wanted=1), leases.leased(two, wanted=1) as taken:
        assert taken == ["0"]
    assert two.said == ["Waiting for a device: “the first run” has it"]


def test_more_devices_than_there_are_is_an_error_that_says_so(monkeypatch):
    gpus(monkeypatch, "0", "1")
    _, one = running("one")
    with pytest.raises(PermanentError, match="wants 4 devices"), leases.leased(one, wanted=4):
        pass


def test_a_machine_without_gpus_has_its_cpu(monkeypatch):
    gpus(monkeypatch, "cpu")
    _, one = running("one")
    with leases.leased(one, wanted=4) as taken:
        assert taken == ["cpu"]


@pytest.mark.parametrize(
    ("visible", "found"),
    [(None, ["0", "1", "10"]), ("1", ["1"]), ("", ["cpu"]), ("GPU-ab", ["GPU-ab"]), ("7", ["cpu"])],
)
def test_gpus_are_found_by_their_nodes(tmp_path, monkeypatch, visible, found):
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert leases.devices_here(tmp_path) == found
    assert leases.devices_here(tmp_path / "none") == (["cpu"] if visible != "GPU-ab" else ["GPU-ab"])


def test_a_process_sees_the_gpu_alone_that_it_has(monkeypatch):
    gpus(monkeypatch, "0", "1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _, one = running("one")
    _, two = running("two")
    with leases.leased(one, wanted=1), leases.own_gpu(two):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    gpus(monkeypatch, "cpu")
    with leases.own_gpu(one):
        assert not Lease.objects.filter(released_at=None).exists()


def test_devices_of_several_machines_are_taken_together_or_not_at_all(monkeypatch):
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0)
    attempt, one = running("the first run")
    _, two = running("two")
    places = {"gpu-1": ["0", "1"], "gpu-2": ["0"]}
    with leases.leased_on(one, places=places):
        assert set(Lease.objects.filter(released_at=None).values_list("host", "device")) == {
            ("gpu-1", "0"),
            ("gpu-1", "1"),
            ("gpu-2", "0"),
        }

        def progress(done, total, phase):
            two.said.append(phase)
            assert Lease.objects.filter(released_at=None).count() == 3
            Attempt.objects.filter(pk=attempt.pk).update(state=Attempt.State.LOST)

        two.progress = progress
        with leases.leased_on(two, places={"gpu-2": ["0"], "gpu-3": ["0"]}):
            assert two.said == ["Waiting for a device: “the first run” has it"]
    assert not Lease.objects.filter(released_at=None).exists()
