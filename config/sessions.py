"""Sessions as rows, as Django keeps them. Every request reads one, so it is read with a plan that is kept."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from annotation import prepared


class SessionStore(DatabaseSessionStore):
    def _get_session_from_db(self) -> Session | None:
        session = prepared.by(Session, "session_key", self.session_key)
        if session is not None and session.expire_date > timezone.now():
            return session
        # As Django does: a key that leads nowhere is not used for the next session.
        self._session_key = None
        return None
