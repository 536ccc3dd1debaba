"""Mail of notifications through a real SMTP server: one that takes it, one that refuses, and one that is down."""

import socket
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.utils import timezone

from annotation import notification_mail
from annotation.models import Notification
from annotation.notification_mail import send_due, wait_after
from annotation.notifications import mark_read, notify
from tests import factories

pytestmark = pytest.mark.django_db


class Server:
    """Takes mails, but refuses addresses for a while or for good."""

    def __init__(self) -> None:
        self.mails = []
        self.busy: set[str] = set()
        self.unknown: set[str] = set()
        self.sessions: set[int] = set()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list) -> str:  # noqa: N802
        if address in self.unknown:
            return "550 No such person here"
        if address in self.busy:
            return "451 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.sessions.add(id(session))
        self.mails.append(message_from_bytes(envelope.original_content, policy=policy.default))
        return "250 Taken"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def port(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", free_port(), 3
    settings.DEFAULT_FROM_EMAIL = "tiebreak@example.org"
    settings.SITE_URL = "https://tiebreak.example.org"
    return settings.EMAIL_PORT


@pytest.fixture
def server(port):
    taking = Server()
    controller = Controller(taking, hostname="127.0.0.1", port=port)
    controller.start()
    yield taking
    controller.stop()


@pytest.fixture
def ana(port):
    return factories.make_user(username="ana", email="ana@example.org")


def tell(person, text="A pair came back.", path="/label/chat/rework/") -> Notification:
    notify(people=[person], text=text, path=path)
    return Notification.objects.latest("pk")


def let_time_pass(how_long: timedelta = timedelta(hours=2)) -> None:
    for each in Notification.objects.filter(mail_at__isnull=False):
        each.mail_at -= how_long
        each.save()


def test_a_mail_tells_the_sentence_and_where_to_go(server, ana):
    told = tell(ana)
    assert send_due() == 0, "not within a minute: they may read it here"
    let_time_pass()
    assert send_due() == 1
    (mail,) = server.mails
    assert (mail["To"], mail["From"]) == ("ana@example.org", "tiebreak@example.org")
    assert mail["Subject"] == "[Tiebreak] A pair came back."
    assert "https://tiebreak.example.org/label/chat/rework/" in mail.get_content()
    assert "https://tiebreak.example.org/notifications/" in mail.get_content()
    told.refresh_from_db()
    assert told.mailed_at
    assert told.mail_at is None
    let_time_pass()
    assert send_due() == 0


def test_all_of_one_person_is_one_mail_and_all_mails_one_connection(server, ana):
    ben = factories.make_user(email="ben@example.org")
    for person in (ana, ben, ana):
        tell(person, text="A & B <c>")
    let_time_pass()
    assert send_due() == 2
    assert {mail["Subject"] for mail in server.mails} == {"[Tiebreak] 2 notifications", "[Tiebreak] A & B <c>"}
    assert all("A & B <c>" in mail.get_content() for mail in server.mails)
    assert len(server.sessions) == 1


def test_what_was_read_here_or_is_not_wanted_is_not_mailed(server, ana):
    tell(ana)
    mark_read(person=ana)
    ben = factories.make_user(email="ben@example.org", wants_mail=False)
    cleo = factories.make_user(email="")
    dora = factories.make_user(email="dora@example.org")
    for person in (ben, cleo, dora):
        tell(person)
    dora.is_active = False
    dora.save()
    let_time_pass()
    assert send_due() == 0
    assert server.mails == []
    assert not Notification.objects.filter(mail_at__isnull=False).exists()


def test_a_server_that_is_down_loses_nothing(port, ana):
    ben = factories.make_user(email="ben@example.org")
    for person in (ana, ben):
        tell(person)
    let_time_pass()
    before = timezone.now()
    assert send_due() == 0
    tried = Notification.objects.exclude(mail_error="").get()
    assert tried.mail_tries == 1
    assert timedelta(seconds=55) < tried.mail_at - before < timedelta(seconds=65)
    let_time_pass()
    assert send_due() == 0
    taking = Server()
    controller = Controller(taking, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        let_time_pass()
        assert send_due() == 2
    finally:
        controller.stop()
    assert {mail["To"] for mail in taking.mails} == {"ana@example.org", "ben@example.org"}
    assert not Notification.objects.filter(mailed_at=None).exists()
    assert not Notification.objects.exclude(mail_error="").exists()


def test_a_server_that_does_not_answer_counts_as_down(port, ana, settings):
    settings.EMAIL_TIMEOUT = 0.2
    with socket.create_server(("127.0.0.1", port)):
        told = tell(ana)
        let_time_pass()
        assert send_due() == 0
    told.refresh_from_db()
    assert told.mail_at > timezone.now()
    assert "timed out" in told.mail_error


def test_pauses_grow_to_an_hour_and_no_further(settings):
    settings.EMAIL_RETRY_SECONDS = 60
    waits = [wait_after(tries).total_seconds() for tries in (1, 2, 3, 6, 7, 1000)]
    assert waits == [60, 120, 240, 1920, 3600, 3600]


def test_an_address_that_is_refused_for_good_is_not_tried_again_and_its_owner_reads_why(server, ana, client):
    ben = factories.make_user(email="ben@example.org")
    server.unknown.add("ana@example.org")
    told = tell(ana)
    tell(ben)
    let_time_pass()
    assert send_due() == 1
    assert [mail["To"] for mail in server.mails] == ["ben@example.org"]
    told.refresh_from_db()
    assert (told.mail_at, told.mailed_at, told.mail_error) == (None, None, "550 No such person here")
    client.force_login(ana)
    assert "550 No such person here" in client.get("/notifications/").text


def test_an_address_that_is_refused_for_now_is_tried_again(server, ana):
    server.busy.add("ana@example.org")
    told = tell(ana)
    let_time_pass()
    assert send_due() == 0
    told.refresh_from_db()
    assert told.mail_error == "451 Try again later"
    server.busy.clear()
    let_time_pass()
    assert send_due() == 1


def test_what_a_killed_worker_had_claimed_is_sent_later_and_not_at_once_by_another(server, ana):
    tell(ana)
    let_time_pass()
    assert notification_mail._claim()
    assert send_due() == 0
    let_time_pass()
    assert send_due() == 1


def test_without_a_server_nothing_waits_to_be_mailed(settings):
    settings.EMAIL_HOST = ""
    assert tell(factories.make_user(email="ana@example.org")).mail_at is None
    assert send_due() == 0
