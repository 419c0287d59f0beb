"""How every service reads its settings: `PREFIX_*` variables, secrets also as `PREFIX_*_FILE`."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ValidationError

from dryrun_contract.faults import faults_of


class SettingsError(ValueError):
    """A setting is missing or unreadable; the text names the variable and what to do."""


def _host_and_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("expected HOST:PORT")
    return text


type ListenAddress = Annotated[str, AfterValidator(_host_and_port)]
"""`HOST:PORT` that a service listens on."""


def read_environment(prefix: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Collect the variables that start with `prefix`, with the prefix cut off and in lower case.

    `PREFIX_TOKEN_FILE=/run/secrets/token` sets `token` to that file's content without its final line
    break, as Docker secrets are mounted. An empty path counts as unset, and so does an empty value
    beside a path.

    Raises SettingsError when a file cannot be read, or when a variable is given in both forms.
    """
    found = {
        name.removeprefix(prefix).lower(): value
        for name, value in environ.items()
        if name.startswith(prefix) and not name.endswith("_FILE")
    }
    for name, path in environ.items():
        if not name.startswith(prefix) or not name.endswith("_FILE"):
            continue
        if not path:
            continue
        key = name.removeprefix(prefix).removesuffix("_FILE").lower()
        if found.get(key):
            raise SettingsError(f"{name} and {name.removesuffix('_FILE')} are both set; keep one of them")
        try:
            found[key] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingsError(f"{name}: cannot read {path!r}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{name}: cannot read {path!r}: {error}") from error
    return found


def read_settings[Settings: BaseModel](
    model: type[Settings], prefix: str, environ: Mapping[str, str]
) -> Settings:
    """Read the environment as `model`. Raises SettingsError as `checked_settings` does."""
    return checked_settings(model, prefix, read_environment(prefix, environ), environ)


def checked_settings[Settings: BaseModel](
    model: type[Settings], prefix: str, found: Mapping[str, str], environ: Mapping[str, str]
) -> Settings:
    """Return what `read_environment` found in `environ` as `model`.

    Raises SettingsError that names every variable that is wrong, several in a line of its own each.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        known = list(model.model_fields)
        # A fault of several settings together names them itself.
        lines = [
            f"{prefix}{place.upper()}: {reason}" if place else reason
            for place, reason in faults_of(each for each in faults if each["type"] != "extra_forbidden")
        ] + [
            _unknown(prefix, str(each["loc"][0]), known, environ)
            for each in faults
            if each["type"] == "extra_forbidden"
        ]
        if len(lines) > 1:
            lines = [f"{len(lines)} settings are missing or wrong:", *lines]
        raise SettingsError("\n  ".join(lines)) from None


def read_entries[Entry](read: Callable[[str], Entry], entries: Iterable[str]) -> list[Entry]:
    """Return what `read` makes of each entry of a setting that lists several.

    Raises ValueError with the reasons of all that are wrong, each of which names its entry.
    """
    found = []
    reasons = []
    for entry in entries:
        try:
            found.append(read(entry))
        except ValueError as error:
            reasons.append(str(error))
    if reasons:
        raise ValueError("; ".join(reasons))
    return found


def _unknown(prefix: str, name: str, known: list[str], environ: Mapping[str, str]) -> str:
    """Return the fault of a variable that no setting has, with the name that may be meant."""
    form = "" if f"{prefix}{name.upper()}" in environ else "_FILE"
    close = get_close_matches(name, known, n=1)
    meant = f"; did you mean {prefix}{close[0].upper()}{form}?" if close else ""
    return f"{prefix}{name.upper()}{form}: there is no such setting{meant}"
