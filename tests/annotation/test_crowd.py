"""Twenty people at once, on real connections to the real web server: N labels a pair, nobody twice, none lost."""

import http.client
import os
import random
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from annotation.models import Choice, Label, Pair, Slot
from config.supervisor import plan
from tests import factories
from tests.config.supervised import ROOT, free_port, until

LABELS, PAIRS, PEOPLE, VANISH = 3, 40, 20, 5
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@contextmanager
def web_server(services):
    """As `make run` starts it, on the database of this test."""
    url = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(url._replace(path="/" + connection.settings_dict["NAME"]))
    environment = os.environ | {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "config.settings"}
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    port = free_port()
    programs = plan.programs(services.home, replace(plan.read(), port=port))
    command = next(program.command for program in programs if program.name == "web")
    log = services.home / "crowd-web.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: process.poll() is None and answers(port), f"the web server is up, see {log}")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def answers(port):
    try:
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        asking.request("GET", "/accounts/login/")
        return asking.getresponse().status == 200
    except OSError:
        return False


class Person:
    """Somebody signed in who labels as a browser does, and knows which labels the server has confirmed."""

    def __init__(self, port, user, slug):
        client = Client()
        client.force_login(user)
        self.port, self.user, self.path = port, user, f"/label/{slug}/"
        self.cookies = {"sessionid": client.cookies["sessionid"].value}
        self.random = random.Random(user.pk)
        self.confirmed: dict[int, str] = {}
        self.form: dict[str, str] = {}
        self.token = ""

    def send(self, method, form=None):
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
        asking.request(method, self.path, urlencode(form) if form is not None else None, headers)
        return asking

    def look(self, response):
        text = response.read().decode()
        assert response.status == 200, f"{response.status}: {text[:500]}"
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, rest = value.partition("=")
                self.cookies[cookie] = rest.split(";", 1)[0]
        self.form = dict(HIDDEN.findall(text))
        self.token = self.form.get("csrfmiddlewaretoken") or self.token

    def open(self):
        self.look(self.send("GET").getresponse())

    def decided(self):
        choice = self.random.choice(["1", "2", "tie"])
        return choice, self.form | {"choice": choice, "csrfmiddlewaretoken": self.token}

    def label_all(self):
        self.open()
        while "pair" in self.form:
            pair = int(self.form["pair"])
            choice, form = self.decided()
            self.look(self.send("POST", form).getresponse())
            self.confirmed[pair] = choice

    def label_and_vanish(self):
        """Three labels; a fourth whose answer is never read; and the next time they are gone with a pair in view."""
        self.open()
        for _ in range(3):
            pair = int(self.form["pair"])
            choice, form = self.decided()
            self.look(self.send("POST", form).getresponse())
            self.confirmed[pair] = choice
        if "pair" in self.form:
            self.send("POST", self.decided()[1]).close()
        self.open()


@pytest.mark.django_db(transaction=True)
def test_twenty_people_and_some_that_vanish_give_exactly_n_labels_a_pair(services):
    dataset = factories.make_dataset(slug="crowd", pairs=PAIRS, labels_per_pair=LABELS)
    with web_server(services) as port:
        people = [Person(port, factories.make_user(), dataset.slug) for _ in range(PEOPLE)]
        gone, stay = people[:VANISH], people[VANISH:]
        with ThreadPoolExecutor(PEOPLE) as pool:
            at_work = [pool.submit(person.label_and_vanish) for person in gone]
            at_work += [pool.submit(person.label_all) for person in stay]
            for work in at_work:
                work.result()
        left = Slot.objects.filter(state=Slot.State.CLAIMED)
        assert {slot.annotator for slot in left} <= {person.user for person in gone}
        assert left.update(expires_at=timezone.now() - timedelta(seconds=1)) > 0
        with ThreadPoolExecutor(PEOPLE) as pool:
            list(pool.map(Person.label_all, stay))
    labels = Label.objects.values_list("pair", "annotator", "choice")
    assert set(Counter(pair for pair, _, _ in labels).values()) == {LABELS}
    assert Pair.objects.filter(labels=None).count() == 0
    assert len({(pair, annotator) for pair, annotator, _ in labels}) == len(labels) == LABELS * PAIRS
    assert not Slot.objects.exclude(state=Slot.State.DONE).exists()
    stored = {(label.pair_id, label.annotator_id): label for label in Label.objects.all()}
    for person in people:
        for pair, said in person.confirmed.items():
            label = stored[pair, person.user.pk]
            seen = {"1": Choice.FIRST, "2": Choice.SECOND, "tie": Choice.TIE}[said]
            assert label.choice == (seen.swapped if label.shown_swapped else seen)
