"""Names that look the same and are not: letters of several scripts, and one letter typed in two ways."""

import unicodedata
from collections.abc import Iterable

# Letters that most fonts draw as a Latin one. Not all that there are: those that keyboards bring into names.
TWINS = str.maketrans(
    "аеорсухівԁһјӏԛѕԝѵьАВЕКМНОРСТУХІЅЈԌΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανιρυκτԍɑɡıℓօսո",
    "aeopcyxibdhjlqswvbABEKMHOPCTYXISJGABEZHIKMNOPTYXoavipuktgagiloun",
)


def skeleton(name: str) -> str:
    """Return what a name looks like: equal for names that a reader cannot tell apart."""
    plain = unicodedata.normalize("NFKC", name).translate(TWINS).casefold()
    return plain.replace("1", "l").replace("0", "o").replace("i", "l").replace("rn", "m")


def scripts(name: str) -> set[str]:
    """Return the scripts of a name's letters by their Unicode names: LATIN, CYRILLIC, THAI."""
    return {unicodedata.name(letter, "UNKNOWN").split()[0] for letter in name if letter.isalpha()}


def strangers(name: str) -> list[str]:
    """Return the letters of a name that come from another script than its first letter, by their full names."""
    kinds = scripts(name)
    if len(kinds) < 2 or not kinds & {"CYRILLIC", "GREEK", "ARMENIAN"}:
        return []
    home = next(iter(scripts(next(letter for letter in name if letter.isalpha()))))
    return [unicodedata.name(letter, "") for letter in name if letter.isalpha() and scripts(letter) != {home}]


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each two names that a reader cannot tell apart, in order of appearance."""
    seen: dict[str, str] = {}
    found = []
    for name in dict.fromkeys(names):
        other = seen.setdefault(skeleton(name), name)
        # The same letters in upper and lower case are told apart well enough.
        if other.casefold() != name.casefold():
            found.append((other, name))
    return found
