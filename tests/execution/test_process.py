from pipelines.execution.process import hub_variables, store_variables, take_over


def test_workers_reach_stores_and_the_hub_as_the_driver_does(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of the node")
    driver = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HF_TOKEN": "hf_secret",
        "HF_ENDPOINT": "http://mirror",
        "HF_HUB_OFFLINE": "1",
    }
    with monkeypatch.context() as patch:
        patch.delenv("AWS_SESSION_TOKEN")
        for name, value in driver.items():
            patch.setenv(name, value)
        sent = store_variables()
        assert hub_variables() == {"HF_ENDPOINT": "http://mirror", "HF_HUB_OFFLINE": "1"}
    assert sent.items() >= driver.items()
    for name in driver:
        monkeypatch.setenv(name, "")
    take_over(sent)
    assert store_variables() == sent, "a session token goes with its key alone"
