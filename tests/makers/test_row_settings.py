"""What is wrong with a row's own settings is said in the same words, whoever reads the row."""

from flipsketch.corpus.row import Row
from flipsketch.method.config import SamplingConfig
from pipelines.makers.row_settings import find_error


def test_a_setting_that_is_none_is_named_as_text():
    # In a run a column of numbers and words is text; a dry run sees each value as it stands.
    for value in (3, "3"):
        row = Row(index=0, id="cat", prompts=("it runs",), extra={"trace": value})
        error = find_error(row, SamplingConfig(), "livesketch", 64)
        assert error == "trace must be true or false, found '3'"
        assert find_error(row, SamplingConfig(), "flipsketch", 64) is None
