"""What a program says of an error that ends it: which file, what was wrong, what to do."""

import errno
import os
import re

REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file; check it",
    errno.EEXIST: "move it away, or give another path",
    errno.EISDIR: "give the path of a file",
    errno.EACCES: "give this user the right to use it",
    errno.EPERM: "give this user the right to use it",
    errno.EROFS: "mount it writable, or give another place",
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "its links lead in a circle; mend them",
    errno.EIO: "see that its disk works",
    errno.EPIPE: "see that what reads its output still runs",
}
OTHER_REMEDY = "see that its disk or server works"
BY_ARROW = re.compile(r"Failed to open local file '(.*)'\. Detail: \[errno \d+\] (.*)", re.DOTALL)
FOLDER_BY_ARROW = re.compile(r"Cannot open for reading: path '(.*)' is a directory", re.DOTALL)
NUMBER = re.compile(r"\[[Ee]rrno [^\]]*\] ?")


def explain(error: BaseException) -> str:
    """Return what is to be said of an error: without its number, with the file that it is about
    and, where only the system has spoken, what to do."""
    text = str(error) or type(error).__name__
    if match := FOLDER_BY_ARROW.fullmatch(text):
        text = f"{match[1]}: is a directory; {REMEDIES[errno.EISDIR]}"
    elif isinstance(error, OSError) and error.strerror:
        text = said = str(error.strerror)
        if error.errno is not None and (match := BY_ARROW.fullmatch(said)):
            remedy = REMEDIES.get(error.errno, OTHER_REMEDY)
            text = f"{match[1]}: {match[2].lower()}; {remedy}"
        elif error.errno is not None and said == os.strerror(error.errno):
            names = [str(name) for name in (error.filename, error.filename2) if name is not None]
            remedy = REMEDIES.get(error.errno, OTHER_REMEDY)
            where = " -> ".join(names) or "a file or connection of this process"
            text = f"{where}: {said[0].lower()}{said[1:]}; {remedy}"
    return printable(NUMBER.sub("", text))


def printable(text: str) -> str:
    """Return text without characters that a terminal would act on; line ends are kept."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
