import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_init
from kombu.transport import TRANSPORT_ALIASES

# Whoever asks for filesystem:// gets ours, which bears processes that are killed.
TRANSPORT_ALIASES["filesystem"] = "config.file_queue:Transport"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("arrears")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def freeze_what_was_loaded(**_: Any) -> None:
    """Let the garbage collector of a worker or web server pass over the program: a close took a tenth longer."""
    gc.collect()
    gc.freeze()
