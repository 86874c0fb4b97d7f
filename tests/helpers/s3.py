"""An S3 server on this machine, and a proxy in front of it that fails on command.

Each is a process of its own that ends with the one that started it.
"""

import json
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

# Where clients look for them; no server on loopback minds what they are.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
BUCKET = "bucket"
PROXY = Path(__file__).with_name("faulty_proxy.py")


@dataclass
class Server:
    """A process that serves on a port of loopback until its standard input ends."""

    process: subprocess.Popen
    port: int

    def uri(self, path: str) -> str:
        """Return the URI of a path in the bucket, as a job is given it."""
        where = f"endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"
        return f"s3://{BUCKET}/{path}?{where}"

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class S3Server(Server):
    """moto's server, its objects in memory."""

    def __init__(self) -> None:
        super().__init__(*start([__file__]))
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 3}),
        )
        self.client.create_bucket(Bucket=BUCKET)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def upload(self, folder: Path | str, prefix: str) -> None:
        """Copy a folder of this machine's disk into the bucket."""
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def download(self, prefix: str, folder: Path) -> None:
        """Copy what is below a prefix to a folder of this machine's disk."""
        for key in self.keys(prefix + "/"):
            if key.endswith("/"):
                continue  # how pyarrow marks a folder
            path = folder / key.removeprefix(prefix + "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.get(key))


class FaultyProxy(Server):
    """Passes requests on to a server, as well or as badly as it is told."""

    def __init__(self, server: Server) -> None:
        super().__init__(*start([str(PROXY), str(server.port)]))

    def tell(self, **settings: Any) -> Any:
        """Have the proxy take new settings, and return its answer once it has."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(settings) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def work(self) -> None:
        """Pass everything on, as at the start."""
        self.tell(down=False, silent=False, latency_s=0, bytes_per_s=None, refusals=0, cuts=0)

    def go_down(self, seconds: float | None = None) -> None:
        """Refuse connections and break those there are; for good, or for some seconds."""
        self.tell(down=True)
        if seconds is not None:
            timer = threading.Timer(seconds, self.tell, kwargs={"down": False})
            timer.daemon = True
            timer.start()

    def fall_silent(self) -> None:
        """Take connections and requests, and answer none, those under way included."""
        self.tell(silent=True)

    def slow_down(self, latency_s: float = 0, bytes_per_s: float | None = None) -> None:
        """Answer late, and with so many bytes a second."""
        self.tell(latency_s=latency_s, bytes_per_s=bytes_per_s)

    def refuse(self, num_requests: int, method: str = "") -> None:
        """Answer the next requests (of a method, if one is given) with 503 SlowDown."""
        self.tell(refusals=num_requests, method=method)

    def cut(self, num_responses: int, method: str = "") -> None:
        """Close connections amid the bodies of the next responses that have one of some length."""
        self.tell(cuts=num_responses, method=method)

    def requests(self) -> list[tuple[str, str]]:
        """Return and forget the requests that have come since the last call: (method, target).

        A target is a path with its query, such as "/bucket/key?uploads"."""
        return [(method, target) for method, target in self.tell(requests=True)]

    def count(self) -> Counter[str]:
        """Return and forget how many requests of each method have come since the last call."""
        return Counter(method for method, _ in self.requests())


def start(command: list[str]) -> tuple[subprocess.Popen, int]:
    process = subprocess.Popen(
        # Not with this folder on the path: a file in it is named as a library is.
        [sys.executable, "-P", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A Ctrl-C that a test sends to its group is not meant for servers.
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def serve() -> None:
    """Be the S3 server: print the port, and end when standard input does."""
    # Only this process needs it.
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve()
