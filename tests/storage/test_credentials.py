import pytest

from flipsketch.storage.credentials import hide_credentials, parse_options, refuse_credentials
from flipsketch.storage.folder import open_folder, open_location
from flipsketch.storage.stores import S3_OPTIONS

SECRET = "wJalrXUtnFEMI"
WITH_CREDENTIALS = [
    f"s3://AKIAEXAMPLE:{SECRET}@bucket/corpus",
    f"s3://AKIAEXAMPLE:{SECRET}/K7MDENG@bucket/corpus",
    f"S3://AKIAEXAMPLE:{SECRET}@bucket/corpus",
    f"s3://{SECRET}@bucket/corpus",
    f"s3://bucket/corpus?access_key={SECRET}&secret_key={SECRET}",
    f"s3://bucket/corpus?region=eu&session_token={SECRET}",
    f"s3://bucket/corpus?secret%5Fkey={SECRET}",
    f"s3://bucket/corpus?X-Amz-Signature={SECRET}",
    f"s3://bucket/corpus?endpoint_override=http://me:{SECRET}@127.0.0.1:9",
    f"s3://bucket/corpus?endpoint_override={SECRET}@127.0.0.1:9",
    f"gs://me:{SECRET}@bucket/corpus",
    f"abfss://container:{SECRET}@account.dfs.core.windows.net/corpus",
    f"abfs://container@account.dfs.core.windows.net/corpus?sv=2022&sig={SECRET}",
    f"abfs://container@account.dfs.core.windows.net/corpus?account_key={SECRET}",
    f"https://example.org/corpus.zip?token={SECRET}",
    f"hdfs://me:{SECRET}@name/corpus",
]
WITHOUT = [
    "s3://bucket/a@b:c/corpus",
    "s3://bucket/keys/token.svg?region=eu-west-1&endpoint_override=http://127.0.0.1:9",
    "gs://anonymous@bucket/corpus",
    "abfss://container@account.dfs.core.windows.net/corpus",
    "hdfs://me@name:9000/corpus",
    "/data/a:b@c/corpus?secret=1",
]


@pytest.mark.parametrize("location", WITH_CREDENTIALS)
def test_an_address_with_credentials_is_refused_and_not_repeated(location):
    for opening in (open_location, open_folder, refuse_credentials):
        with pytest.raises(ValueError, match="leave them out, and give them by") as error:
            opening(location)
        assert SECRET not in str(error.value) and "AKIA" not in str(error.value)
    assert SECRET not in hide_credentials(f"--corpus={location}")
    assert SECRET not in hide_credentials(location.replace("corpus", "my corpus"))


@pytest.mark.parametrize("location", WITHOUT)
def test_an_address_without_credentials_is_left_as_it_is(location):
    refuse_credentials(location)
    assert hide_credentials(f"--corpus {location} -v") == f"--corpus {location} -v"


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("regoin=eu", "regoin is no option .* there are region, scheme"),
        ("connect_timeout=soon", "connect_timeout cannot be 'soon'"),
        ("connect_timeout=nan", "connect_timeout cannot be 'nan'"),
        ("request_timeout=-1", "request_timeout cannot be '-1'"),
        ("anonymous=maybe", "anonymous cannot be 'maybe'"),
        ("region=", "region is empty"),
    ],
)
def test_a_wrong_option_says_which_and_what_there_is(query, fault):
    with pytest.raises(ValueError, match=fault):
        parse_options("s3://bucket", query, S3_OPTIONS)
    with pytest.raises(ValueError, match=fault):
        open_folder(f"s3://bucket/corpus?{query}")
