"""The object that a lease is: written on a condition where the store can do that."""

import hashlib
import logging
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from pyarrow import fs

from flipsketch.storage.credentials import parse_options
from flipsketch.storage.lease import LeaseFile, Taken
from flipsketch.storage.stores import (
    CONNECT_TIMEOUT_S,
    REQUEST_TIMEOUT_S,
    S3_OPTIONS,
    call_store,
)

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Of S3: 412 and 409. A version that is gone is one that has changed.
CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404"}
# How long another one's write may be on its way where nothing decides between two.
SETTLE_S = 3.0
NO_VERSION = f'"{"0" * 32}"'


def open_lease_file(filesystem: fs.FileSystem, path: str, location: str, query: str) -> LeaseFile:
    """Return the object of a lease, as good as the store has it."""
    plain = PlainFile(filesystem, path, location)
    if not isinstance(filesystem, fs.S3FileSystem):
        return plain
    conditional = ConditionalFile(filesystem, path, location, query)
    if conditional.holds_conditions():
        return conditional
    log.warning("%s: its store has no conditional writes; the lease goes by time", location)
    return plain


class NoConditions(Exception):
    """The server says that it has no conditional writes."""


class ConditionalFile:
    """An object of S3, written only if it is what was read before."""

    def __init__(self, filesystem: fs.S3FileSystem, path: str, location: str, query: str) -> None:
        self.bucket, _, self.key = path.partition("/")
        self.location = location
        self.client = make_client(filesystem, query.removeprefix("?"))

    def holds_conditions(self) -> bool:
        """Tell whether the server minds conditions: not all do, and some ignore them in silence."""
        # Named as what dead writers leave, so that it is swept if this one dies.
        suffix = f".{uuid.uuid4().hex[:12]}"
        try:
            if not self.refuses(NO_VERSION, suffix):
                return False
            self.write(b"{}", None, suffix=suffix)
            return self.refuses(None, suffix)
        except NoConditions:
            return False
        finally:
            # What is left is swept later; why nothing could be written says more.
            with suppress(OSError):
                self.delete(suffix)

    def refuses(self, version: str | None, suffix: str) -> bool:
        try:
            self.write(b"{}", version, suffix=suffix)
        except Taken:
            return True
        return False

    def read(self) -> tuple[bytes, str] | None:
        def get() -> tuple[bytes, str] | None:
            try:
                found = self.client.get_object(Bucket=self.bucket, Key=self.key)
            except self.client.exceptions.NoSuchKey:
                return None
            return found["Body"].read(), found["ETag"]

        return self.call(get, "reading")

    def write(
        self, content: bytes, version: str | None, *, first: bool = False, suffix: str = ""
    ) -> str:
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}

        def put() -> str:
            where = {"Bucket": self.bucket, "Key": self.key + suffix}
            return self.client.put_object(**where, Body=content, **condition)["ETag"]

        return self.call(put, "writing")

    def delete(self, suffix: str = "") -> None:
        where = {"Bucket": self.bucket, "Key": self.key + suffix}
        self.call(lambda: self.client.delete_object(**where), "deleting")

    def call(self, function: Callable[[], Result], what: str) -> Result:
        from botocore.exceptions import BotoCoreError, ClientError

        def translate() -> Result:
            try:
                return function()
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in CONFLICTS:
                    raise Taken from error
                if code == "NotImplemented":
                    raise NoConditions from error
                # As pyarrow names them: `call_store` knows which are final.
                raise OSError(f"{to_snake_case(code)}: {error}") from error
            except BotoCoreError as error:
                raise OSError(str(error)) from error

        return call_store(translate, f"{self.location}: {what}")


def make_client(filesystem: fs.S3FileSystem, query: str) -> Any:
    """Return a client for the same server as a filesystem's, with credentials from the same places:
    pyarrow has no conditional writes."""
    # Only drivers that write to S3 need it.
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    options = parse_options("", query, S3_OPTIONS)
    from_environment = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    server = options.get("endpoint_override") or from_environment
    if server and "://" not in server:
        server = f"{options.get('scheme', 'https')}://{server}"
    style = "path" if server else "auto"
    if options.get("force_virtual_addressing"):
        style = "virtual"
    return boto3.client(
        "s3",
        region_name=filesystem.region or options.get("region") or None,
        endpoint_url=server,
        verify=options.get("tls_ca_file_path"),
        config=Config(
            connect_timeout=options.get("connect_timeout", CONNECT_TIMEOUT_S),
            read_timeout=options.get("request_timeout", REQUEST_TIMEOUT_S),
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": style},
            # Servers other than Amazon's may not know the newer ones.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            **({"signature_version": UNSIGNED} if options.get("anonymous") else {}),
        ),
    )


def to_snake_case(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() and n else c for n, c in enumerate(name)).upper()


class PlainFile:
    """A file in any store: written, and read back once what others wrote has arrived."""

    def __init__(self, filesystem: fs.FileSystem, path: str, location: str) -> None:
        self.filesystem, self.path, self.location = filesystem, path, location

    def read(self) -> tuple[bytes, str] | None:
        def get() -> bytes:
            with self.filesystem.open_input_stream(self.path, compression=None) as stream:
                return stream.read()

        with suppress(FileNotFoundError):
            content = call_store(get, f"{self.location}: reading")
            return content, hashlib.sha256(content).hexdigest()
        return None

    def write(self, content: bytes, version: str | None, *, first: bool = False) -> str:
        self.require(version)

        def put() -> None:
            stream = self.filesystem.open_output_stream(self.path, compression=None)
            stream.write(content)
            stream.close()

        call_store(put, f"{self.location}: writing")
        written = hashlib.sha256(content).hexdigest()
        if first:
            time.sleep(SETTLE_S)
        self.require(written)
        return written

    def require(self, version: str | None) -> None:
        found = self.read()
        if (None if found is None else found[1]) != version:
            raise Taken

    def delete(self) -> None:
        call_store(lambda: self.filesystem.delete_file(self.path), f"{self.location}: deleting")
