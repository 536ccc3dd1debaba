"""Messages to the workers. One carries an attempt's id and nothing else; lost or doubled, it changes nothing."""

import logging

from celery import current_app
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from jobs.models import Attempt

ATTEMPT_TASK = "jobs.attempt"

logger = logging.getLogger(__name__)


def send(*, attempt_id: int, queue: str) -> bool:
    """Tell the workers of a queue about an attempt. If the broker is away, the reaper tells them later.

    An attempt that somebody has claimed already (a management command, say) needs no message.
    """
    waiting = Attempt.objects.filter(pk=attempt_id, state=Attempt.State.QUEUED)
    if not waiting.exists():
        return False
    try:
        current_app.send_task(ATTEMPT_TASK, args=[attempt_id], queue=queue, ignore_result=True, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("No message for attempt %s, the broker is away: %s. It is sent later.", attempt_id, error)
        return False
    waiting.update(sent_at=Now())
    return True
