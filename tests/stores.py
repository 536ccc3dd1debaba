"""A server that speaks S3 (moto), for tests of what workers share by a bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

_NUMBERS = count(1)


@dataclass(frozen=True)
class Bucket:
    """environment: what a worker is started with to share by it."""

    name: str
    endpoint: str
    environment: dict[str, str]

    @property
    def storage(self) -> dict[str, object]:
        options = {"bucket_name": self.name, "location": "tiebreak", "endpoint_url": self.endpoint}
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options | {"file_overwrite": True}}


@pytest.fixture
def bucket(monkeypatch) -> Iterator[Bucket]:
    import boto3
    from moto.server import ThreadedMotoServer

    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint, name = f"http://{host}:{port}", f"shared-{next(_NUMBERS)}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=name)
    stored = {"TRAINING_STORE": f"s3://{name}/tiebreak", "TRAINING_STORE_ENDPOINT": endpoint}
    yield Bucket(name, endpoint, keys | stored)
    server.stop()
