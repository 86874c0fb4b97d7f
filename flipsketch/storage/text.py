"""Text as files and tables can hold it."""

TEXT = "a string that is not empty, in UTF-8"


def is_text(value: str) -> bool:
    """Lone surrogates (bytes that were not UTF-8) cannot be written to Parquet or a tar."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
