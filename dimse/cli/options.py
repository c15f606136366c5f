"""The options of queries and retrievals that a client asks for, and what it says of those that the peer does not grant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dimse.cli.parsing import Arguments
from dimse.data.uids import UID
from dimse.services.options import QueryOption

ARGUMENTS = {
    "relational": QueryOption.RELATIONAL,
    "combined_datetime": QueryOption.COMBINED_DATE_TIME,
    "fuzzy": QueryOption.FUZZY,
    "timezone": QueryOption.TIMEZONE,
}


def asked(args: Arguments, models: Iterable[UID]) -> dict[str, bytes]:
    """The application information to propose for these SOP classes; none if no option is asked for."""
    wanted = [option for name, option in ARGUMENTS.items() if getattr(args, name, False)]
    return dict.fromkeys(models, QueryOption.encode(*wanted)) if wanted else {}


def answers(proposed: Mapping[str, bytes], granted: Mapping[str, bytes]) -> Iterator[tuple[UID, str, str]]:
    """Each SOP class with what the peer grants of what was proposed and what it does not, in words."""
    for uid, information in proposed.items():
        wanted, got = QueryOption.decode(information), QueryOption.decode(granted.get(uid, b""))
        yield UID(uid), _words(wanted & got), _words(wanted - got)


def _words(options: Iterable[QueryOption]) -> str:
    return ", ".join(option.words for option in sorted(options))
