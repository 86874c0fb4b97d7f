"""Folders in an object store: a real S3 server, reached by a way that fails on command."""

from flipsketch.storage.folder import open_folder


def test_a_folder_on_a_server_holds_files(s3, proxy):
    folder = open_folder(proxy.uri("holds/run"))
    assert folder.is_empty() and folder.read("a/x") is None
    folder.publish("a/x", b"1")
    folder.publish("a/w", b"2")
    assert folder.list("a") == ["w", "x"] and folder.read("a/x") == b"1"
    assert s3.get("holds/run/a/x") == b"1"
    assert proxy.count()["GET"] >= 2
    folder.delete("a/x")
    assert folder.list("a") == ["w"]


def test_a_request_that_is_refused_for_now_is_sent_again(proxy):
    folder = open_folder(proxy.uri("refused/run"))
    proxy.refuse(1, "PUT")
    folder.publish("x", b"1")
    assert proxy.count()["PUT"] >= 2
    assert folder.read("x") == b"1"
