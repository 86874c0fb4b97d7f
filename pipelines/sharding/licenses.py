"""The licenses of a run: what its user may say, and what people are told."""

import logging
from collections.abc import Mapping, Sequence

from flipsketch.corpus.passport import ROW_LICENSES, plan_licenses
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.restrictions import (
    PartLicense,
    describe_licenses,
    list_conflicts,
    list_restrictions,
)
from flipsketch.corpus.row_licenses import strictest_first
from flipsketch.corpus.shard import ShardFacts
from flipsketch.corpus.terms_table import count_licenses
from flipsketch.storage.text import MAX_CONTENT, TEXT, is_text, one_line

log = logging.getLogger(__name__)


def check_license(license: str | None) -> None:
    """Raise ValueError if what the user gives as a license is no text."""
    if license is not None and not (license.strip() and is_text(license)):
        raise ValueError(
            f"license must be {TEXT}, got {license!r:.80}; name the license, or leave it out"
        )


def list_licenses(plan: Plan, shards: list[ShardFacts]) -> list[PartLicense]:
    """Return each license of each part of a run's clips; of one without any, those of the plan."""
    return list(count_licenses(plan, shards) or plan_licenses(plan).items())


def foresee_licenses(plan: Plan, rows: Mapping[str, int] | None) -> list[PartLicense]:
    """Return the licenses of clips that are still to be made, those that restrict most first.

    Args:
        rows: of the input, by the license that they name; None where that is not known.
    """
    licenses = plan_licenses(plan)
    what, own = next(iter(licenses.items()))
    found = [(what, own)]
    # In a run from before rows had licenses such a column is one of its manifest's own.
    if rows and ROW_LICENSES in plan.settings:
        found = [(what, name) for name in dict.fromkeys(name or own for name in rows)]
    return strictest_first([*found, *list(licenses.items())[1:]])


def log_licenses(plan: Plan, licenses: Sequence[PartLicense]) -> None:
    """Say which licenses there are, and which of them do not allow everything, or not what
    that of the corpus does."""
    licenses = strictest_first(licenses)
    named = one_line(plan.licence, MAX_CONTENT)
    log.info("license of the corpus: %s; %s", named, describe_licenses(licenses))
    for restriction in list_restrictions(licenses) + list_conflicts(plan.licence, licenses):
        log.warning(restriction)
