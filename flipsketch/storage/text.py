"""Text as files, tables and terminals can hold it."""

import re

# What a person reads of an error; a message may quote a whole file.
MAX_CHARS = 1000
# What is looked at of a message, which may have megabytes.
MAX_READ = 100_000
# What a message may repeat of what somebody has written.
MAX_CONTENT = 200
# More than that, in quotes or as one word; an apostrophe within a word opens no quote.
LONG_CONTENT = re.compile(
    rf"(?<!\w)'(?:\\.|[^'\\]){{{MAX_CONTENT - 1},}}'(?!\w)"
    rf'|(?<!\w)"(?:\\.|[^"\\]){{{MAX_CONTENT - 1},}}"(?!\w)'
    rf"|\S{{{MAX_CONTENT + 1},}}",
    re.DOTALL,
)
TEXT = "a string that is not empty, in UTF-8"


def is_text(value: str) -> bool:
    """Lone surrogates (bytes that were not UTF-8) cannot be written to Parquet or a tar."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def count(number: int, noun: str) -> str:
    """Return a number of things in words: "1 row", "2 rows"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(text: str, most: int = MAX_CHARS) -> str:
    """Return text as a line of at most so many characters, without any that a terminal or a table
    would act on; of a longer one, and of what it quotes at length, the beginning and the end."""
    text = shorten(text, MAX_READ)
    text = LONG_CONTENT.sub(lambda match: shorten(match[0], MAX_CONTENT), text)
    text = shorten(text, most)
    # Control characters, lone surrogates and marks that turn the direction of writing.
    text = "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)
    return " ".join(text.split())


def shorten(text: str, most: int) -> str:
    """Return text of at most so many characters; of a longer one the beginning and the end."""
    if len(text) <= most:
        return text
    return f"{text[: most - most // 3 - 5]} ... {text[len(text) - most // 3 :]}"


def quote_briefly(text: str) -> str:
    """Return the beginning and the end of somebody's text in quotes, as messages name it."""
    return repr(one_line(text, 80))


def describe_error(error: BaseException) -> str:
    """Return what an error says, as one line; with its type where that is no sentence."""
    text = describe_raised(error)
    said = text.partition(": ")[2]
    is_sentence = isinstance(error, OSError | ValueError) and " " in said
    return said if is_sentence else text


def describe_raised(error: BaseException) -> str:
    """Return an error's type and what it says, as one line."""
    name = type(error).__name__
    try:
        said = one_line(str(error))
    # Other people's exceptions may fail at this too.
    except Exception:
        said = ""
    return f"{name}: {said}" if said else name
