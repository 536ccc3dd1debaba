"""python -m config.supervisor: start everything, watch it, and stop it when asked to."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from config.embedded import data_directory
from config.embedded.locks import Lock
from config.embedded.paths import BASE_DIR, EmbeddedError, make_home
from config.embedded.processes import tail, tied
from config.supervisor import plan
from config.supervisor.checks import Refused, answers, check_port, claim, read_settings
from config.supervisor.console import news, say, step, welcome
from config.supervisor.database import Database
from config.supervisor.program import Broker, Program, clear_leftovers, marked_environment, python, rotate_logs

LOOK_SECONDS = 0.5
WEB_START_SECONDS = 120


class Stopped(Exception):
    """Somebody asked to stop while everything was still being started."""


class StopFlag:
    """Whether somebody asked to stop. A pipe that is never read: a signal may set it whatever the program is at.

    A threading.Event would not do: its lock may be held by the very code that the signal interrupts, for good.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def set(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._writer, b".")

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        return bool(select.select([self._reader], [], [], seconds)[0])


class Supervisor:
    """Owns what runs. `start`, then `watch`, and `stop` in any case."""

    def __init__(self, home: Path, plan: plan.Plan, *, asked_to_stop: StopFlag) -> None:
        self.home = home
        self.plan = plan
        self.asked_to_stop = asked_to_stop
        self.database: Database | None = None
        self.programs: list[Program] = []

    def start(self) -> None:
        """Raises Refused, EmbeddedError or Stopped."""
        say(f"Tiebreak in {self.home}")
        if not os.environ.get("DATABASE_URL"):
            self.database = Database(self.home)
            with step("PostgreSQL"):
                self.database.start()
        if not os.environ.get("BROKER_URL"):
            with step("Valkey"):
                self._start(Broker(self.home))
        self._prepare()
        with step("Web, workers"):
            for program in plan.programs(self.home, self.plan):
                self._start(program)
            self._wait_for_web(program)
        welcome(address=self.plan.address, home=self.home)

    def _start(self, program: Program) -> None:
        if self.asked_to_stop.is_set():
            raise Stopped
        program.start()
        self.programs.append(program)

    def _prepare(self) -> None:
        log = self.home / "logs" / "prepare.log"
        with log.open("ab") as errors:
            process = subprocess.Popen(
                python("config.supervisor.prepare"),
                cwd=BASE_DIR,
                env=marked_environment(self.home),
                stdin=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                preexec_fn=tied(signal.SIGTERM),
            )
        while process.poll() is None:
            if self.asked_to_stop.wait(0.05):
                process.terminate()
                process.wait()
                raise Stopped
        if process.returncode:
            raise Refused(f"Tiebreak could not be prepared. The end of {log}:\n{tail(log)}")

    def _wait_for_web(self, web: Program) -> None:
        deadline = time.monotonic() + WEB_START_SECONDS
        while not answers(f"{self.plan.address}/accounts/login/"):
            if self.asked_to_stop.wait(0.1):
                raise Stopped
            if web.process is None or web.process.poll() is not None or time.monotonic() > deadline:
                raise Refused(f"The web server does not answer. The end of {web.log}:\n{tail(web.log)}")

    def watch(self) -> None:
        """Until somebody asks to stop: start again what died."""
        while not self.asked_to_stop.wait(LOOK_SECONDS):
            if self.database is not None:
                self.database.look()
            for program in self.programs:
                try:
                    program.look()
                except (EmbeddedError, OSError) as error:
                    news(program.name, f"could not be started: {error}")

    def stop(self) -> None:
        """Web first, so that nobody is served by half a system; then workers and beat; then what they stood on."""
        say("Stopping ...")
        services = [program for program in self.programs if isinstance(program, Broker)]
        web = [program for program in self.programs if program.name == "web"]
        others = [program for program in self.programs if program not in services + web]
        for group in (web, others, services):
            for program in group:
                program.ask_to_stop()
            for program in group:
                program.wait_stopped()
        if self.database is not None:
            self.database.stop()
        say("Stopped.")


def hear_signals() -> StopFlag:
    """A flag that is set when somebody asks to stop."""
    asked = StopFlag()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has the terminal's end ignored.
            signal.signal(number, lambda *_: asked.set())
    return asked


def prepare_home(home: Path, port: int, address: str) -> Lock:
    """Become the supervisor of `home`, with nothing left of an earlier one. Raises Refused."""
    lock = claim(home)
    if left := clear_leftovers(home):
        say(f"Ended {left} of the processes of an earlier run.")
    check_port(port)
    lock.note = f"process {os.getpid()}, {address}"
    rotate_logs(home / "logs")
    return lock


def run() -> int:
    """Start, watch, stop; return the exit code. Raises Refused or EmbeddedError if nothing was started."""
    asked_to_stop = hear_signals()
    home = data_directory()
    make_home(home)
    read_settings()
    wanted = plan.read()
    lock = prepare_home(home, wanted.port, wanted.address)
    supervisor = Supervisor(home, wanted, asked_to_stop=asked_to_stop)
    code = 0
    try:
        supervisor.start()
        supervisor.watch()
    except Stopped:
        pass
    except (Refused, EmbeddedError) as error:
        say(f"\n{error}\n")
        code = 1
    finally:
        supervisor.stop()
        lock.release()
    return code


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        return run()
    except (Refused, EmbeddedError) as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
