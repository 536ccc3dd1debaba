"""Which processes make up Tiebreak, in the order in which they start; they stop in the reverse order."""

from dataclasses import dataclass
from pathlib import Path

from environs import Env, validate

from config.supervisor.program import Program, python

HOST = "127.0.0.1"
# As many requests at once as a process has database connections.
WEB_THREADS = 8

env = Env()


@dataclass(frozen=True)
class Plan:
    """What the environment says about the processes; docs/operations.md describes each variable."""

    port: int
    demo: bool
    web_processes: int
    worker_processes: int
    api_worker_threads: int
    gpu_worker_processes: int

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"


def read() -> Plan:
    """Raises EnvError, which is a ValueError, naming the variable."""
    at_least_one = validate.Range(min=1)
    return Plan(
        port=env.int("PORT", 8000, validate=validate.Range(min=1, max=65535)),
        demo=env.bool("DEMO", True),
        web_processes=env.int("WEB_PROCESSES", 2, validate=at_least_one),
        worker_processes=env.int("WORKER_PROCESSES", 2, validate=at_least_one),
        api_worker_threads=env.int("API_WORKER_THREADS", 4, validate=at_least_one),
        gpu_worker_processes=env.int("GPU_WORKER_PROCESSES", 1, validate=at_least_one),
    )


def programs(home: Path, plan: Plan) -> list[Program]:
    """The workers, the clock of the jobs, and, last, the web server."""
    (home / "celery").mkdir(exist_ok=True)
    return [
        _worker("worker", home, "default", pool="prefork", concurrency=plan.worker_processes),
        # A judge fills the device that it runs on: one for each.
        _worker("worker-gpu", home, "gpu", pool="prefork", concurrency=plan.gpu_worker_processes),
        # These wait for the network, so threads do.
        _worker("worker-api", home, "api", pool="threads", concurrency=plan.api_worker_threads),
        Program("beat", home, _celery("beat", "--schedule", str(home / "celery" / "beat"), "--pidfile="), grace=5),
        Program("web", home, _web(plan)),
    ]


def _worker(name: str, home: Path, queue: str, *, pool: str, concurrency: int) -> Program:
    options = {"--hostname": f"{name}@%h", "--queues": queue, "--pool": pool, "--concurrency": str(concurrency)}
    quick_start = ("--without-gossip", "--without-mingle")
    return Program(name, home, _celery("worker", *flat(options), *quick_start))


def _celery(*arguments: str) -> list[str]:
    return python("celery", "--app", "config.celery:app", *arguments, "--loglevel", "INFO")


def _web(plan: Plan) -> list[str]:
    options = {
        "--interface": "wsgi",
        "--host": HOST,
        "--port": str(plan.port),
        "--workers": str(plan.web_processes),
        "--blocking-threads": str(WEB_THREADS),
        "--workers-kill-timeout": "10",
        "--respawn-interval": "1",
    }
    return python("granian", *flat(options), "--no-ws", "--respawn-failed-workers", "config.wsgi:application")


def flat(options: dict[str, str]) -> list[str]:
    return [word for option in options.items() for word in option]
