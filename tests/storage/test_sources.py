"""What rows may read, and what becomes of a read that a disk or server does not answer."""

import os
import pickle
import socket
from dataclasses import replace

import pytest

from flipsketch.storage import reading
from flipsketch.storage.local_files import read_below
from flipsketch.storage.reading import UnavailableError
from flipsketch.storage.sources import Sources


@pytest.fixture
def data(tmp_path):
    """A manifest's folder with a sketch in it, and a secret beside."""
    (tmp_path / "data" / "cats").mkdir(parents=True)
    (tmp_path / "data" / "cats" / "1.svg").write_bytes(b"cat")
    (tmp_path / "database").mkdir()
    (tmp_path / "database" / "x.svg").write_bytes(b"secret")
    return tmp_path / "data"


def sources(data, *allowed, **how) -> Sources:
    return Sources(str(data / "m.jsonl"), tuple(map(str, allowed)), **how)


def refusal(read: Sources, source: str) -> str:
    with pytest.raises(ValueError) as caught:
        read.read(source)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_rows_read_below_their_manifest(data):
    read = pickle.loads(pickle.dumps(sources(data)))
    paths = ["cats/1.svg", "./cats//1.svg", "cats/../cats/1.svg", f"{data}/cats/1.svg"]
    for source in (*paths, f"file://{data}/cats/1.svg", f"file://localhost{data}/c%61ts/1.svg"):
        assert read.read(source) == b"cat", source
    assert read.read(b"<svg/>") == b"<svg/>"
    (data / "what?#%20.svg").write_bytes(b"odd")
    assert read.read("what?#%20.svg") == b"odd"


def test_a_link_is_where_it_leads(data):
    (data / "in.svg").symlink_to("cats/1.svg")
    (data / "out.svg").symlink_to("../database/x.svg")
    (data / "folder").symlink_to("../database")
    (data.parent / "link").symlink_to("data")
    assert sources(data).read("in.svg") == b"cat"
    for source in ("out.svg", "folder/x.svg", "cats/../folder/x.svg"):
        assert f"leads to {data.parent}/database/x.svg, outside" in refusal(sources(data), source)
    assert sources(data.parent / "link").read("cats/1.svg") == b"cat"
    assert sources(data.parent / "link").read(f"{data}/cats/1.svg") == b"cat"


def test_no_advice_is_to_allow_the_machine_itself(data):
    for name, target, told in (
        ("broken.svg", "/nonexist", "is a broken link, to /nonexist"),
        ("null.svg", "/dev/null", "leads to /dev/null, a device, pipe or socket"),
        ("users.svg", "/etc/passwd", "copy the file to below the manifest's folder"),
    ):
        (data / name).symlink_to(target)
        said = refusal(sources(data), name)
        assert told in said and "--allow-source" not in said
    assert "--allow-source" not in refusal(sources(data), "/nonexist.svg")


def test_what_is_allowed_ends_at_a_slash(data):
    secret = f"{data.parent}/database/x.svg"
    (data / "out.svg").symlink_to(secret)
    for allowed in ("dat", "databas", "database/y", "data"):
        told = refusal(sources(data, data.parent / allowed), secret)
        assert f"add --allow-source {data.parent}/database" in told
    for allowed in ("database", "database/", "database/x.svg", "data/../database", "."):
        read = sources(data, "/nowhere", data.parent / allowed)
        for source in (secret, "../database/x.svg", "out.svg", f"file://{secret}"):
            assert read.read(source) == b"secret"
    with pytest.raises(ValueError, match="--allow-source must name a folder"):
        sources(data, "")


def test_files_alone_are_opened(data):
    os.mkfifo(data / "pipe.svg")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(data / "socket.svg"))
    (data / "loop.svg").symlink_to("loop.svg")
    (data / "null.svg").symlink_to("/dev/null")
    (data / "state.svg").symlink_to("/proc/self/environ")
    read = sources(data, "/")
    for source in ("pipe.svg", "socket.svg", "null.svg", "/dev/zero", "/dev/tty"):
        assert "found a device, pipe or socket" in refusal(read, source)
    for source in ("state.svg", "/proc/version", "/proc/self/maps", "/sys/kernel/notes"):
        assert "which is not read in any case" in refusal(read, source)
    assert "a link to itself" in refusal(read, "loop.svg")
    with pytest.raises(OSError, match="cats: expected a file, found a folder"):
        read.read("cats")
    with pytest.raises(FileNotFoundError, match="none.svg: expected a file, found nothing"):
        read.read("none.svg")
    bound.close()


def test_a_folder_that_becomes_a_link_is_not_followed(data, monkeypatch):
    open_folder = os.open

    def swap(path, flags, **how):
        if path == "cats":
            (data / "cats").rename(data / "were")
            (data / "cats").symlink_to("../database")
        return open_folder(path, flags, **how)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(OSError, match="Not a directory"):
        read_below(str(data / "cats" / "x.svg"), [str(data)], 100)


def test_a_file_is_read_to_a_limit_whatever_its_size_says(data):
    with open(data / "huge.svg", "wb") as file:
        file.truncate(1 << 40)
    assert "has more than 67,108,864 bytes" in refusal(sources(data), "huge.svg")
    # A file of the kernel has no size, and content all the same.
    with pytest.raises(ValueError, match="in any case"):
        read_below("/proc/version", ["/proc"], 5)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("s3://x/y?endpoint_override=secret", "s3://x/y?...: a row's address cannot have a query"),
        ("s3://x/y", "to let rows read there, add --allow-source s3://x"),
        ("S3://x/y", "neither below the manifest's folder nor in its store"),
        ("s3://key:secret@x/y", "cannot have a user or password"),
        ("gs://x/y#z", "cannot have a query or fragment"),
        ("http://127.0.0.1/y", "neither below"),
        ("abfs://container@account.dfs.core.windows.net/y", "cannot have a user"),
        ("hdfs://localhost:9000/y", "neither below"),
        ("s3://x/a%00b", "control characters"),
        ("s3://x/a\nb", "control characters"),
        ("s3://x", "must name a bucket or server and a file"),
        ("s3:///y", "must name a bucket or server and a file"),
        ("s3://x/a/%2e%2e/b", "without . and .."),
        ("file://server/share/x.svg", "a file of another machine"),
        ("a\0b", "NUL"),
    ],
)
def test_other_stores_are_refused_unseen(data, source, told):
    assert told in refusal(sources(data, "s3://allowed/z"), source)


def test_rows_read_from_their_manifests_store(s3, tmp_path):
    s3.put("sources/cats/1.svg", b"cat")
    s3.put("sources/a b%20c.svg", b"odd")
    s3.put("elsewhere/2.svg", b"dog")
    s3.client.create_bucket(Bucket="another")
    s3.client.put_object(Bucket="another", Key="3.svg", Body=b"cow")
    (tmp_path / "x.svg").write_bytes(b"secret")
    read = Sources(s3.uri("sources/m.jsonl"))
    for source in ("cats/1.svg", "./cats/../cats/1.svg", "s3://bucket/sources/cats/1.svg"):
        assert read.read(source) == b"cat", source
    assert read.read("a b%20c.svg") == read.read("s3://bucket/sources/a%20b%2520c.svg") == b"odd"
    assert read.read("../elsewhere/2.svg") == b"dog" and read.read("s3://another/3.svg") == b"cow"
    for source in ("../../another/3.svg", f"{tmp_path}/x.svg", f"file://{tmp_path}/x.svg"):
        assert "outside of" in refusal(read, source) or "leads out" in refusal(read, source)
    with pytest.raises(FileNotFoundError, match="none.svg: expected a file, found nothing"):
        read.read("none.svg")
    with pytest.raises(OSError, match="cats: "):
        read.read("cats")
    assert Sources(s3.uri("sources/m.jsonl"), (str(tmp_path),)).read(f"{tmp_path}/x.svg")


def test_a_store_that_is_allowed_comes_with_its_own_query(s3, data):
    s3.put("allowed/1.svg", b"cat")
    s3.put("allowedmore/1.svg", b"secret")
    read = sources(data, s3.uri("allowed"))
    assert read.read("s3://bucket/allowed/1.svg") == b"cat"
    for source in ("s3://bucket/allowedmore/1.svg", "s3://another/allowed/1.svg"):
        assert "neither below" in refusal(read, source)


def test_a_store_that_fails_for_a_moment_is_asked_again(s3, proxy):
    s3.put("moment/1.svg", b"cat" * 100_000)
    read = Sources(proxy.uri("moment/m.jsonl"), timeout_s=2)
    proxy.cut(1, "GET")
    assert read.read("1.svg") == b"cat" * 100_000
    proxy.go_down()
    with pytest.raises(UnavailableError, match="1.svg: "):
        read.read("1.svg")
    proxy.work()
    assert read.read("1.svg") == b"cat" * 100_000


def test_a_server_that_says_nothing_is_left_in_time(s3, proxy):
    s3.put("silent/1.svg", b"cat")
    read = Sources(proxy.uri("silent/m.jsonl"))
    assert read.read("1.svg") == b"cat"
    proxy.fall_silent()
    with pytest.raises(UnavailableError, match="1.svg: reading took longer than the 0.3 s"):
        replace(read, timeout_s=0.3).read("1.svg")
    proxy.work()


def test_a_store_that_is_down_does_not_hold_up_every_row(monkeypatch):
    tries = []

    def read():
        tries.append(1)
        raise ConnectionResetError("gone")

    for _ in range(reading.MAX_FAILURES):
        with pytest.raises(UnavailableError, match="gone"):
            reading.read_in_time(read, "row", store="down", limit_s=60)
    assert len(tries) == 3 * reading.MAX_FAILURES
    with pytest.raises(UnavailableError):
        reading.read_in_time(read, "row", store="down", limit_s=60)
    assert len(tries) == 3 * reading.MAX_FAILURES + 1
    # Until it works again.
    assert reading.read_in_time(lambda: 1, "row", store="down", limit_s=60) == 1
    with pytest.raises(UnavailableError):
        reading.read_in_time(read, "row", store="down", limit_s=60)
    assert len(tries) == 3 * reading.MAX_FAILURES + 4
