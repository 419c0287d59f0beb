"""Which links may lead to a login, and which are left alone because following them may do something."""

import re
from urllib.parse import unquote

_IS_LOGIN = re.compile(r"log-?[io]n|sign-?in|session/new|anmeld|connexion", re.IGNORECASE)
"""What is visited first."""
_MAY_BE_LOGIN = re.compile(r"admin|auth(?!ors?\b)|account|dashboard|manage|console", re.IGNORECASE)
_LEADS_OUT = re.compile(r"log-?out|sign-?out|abmeld", re.IGNORECASE)
_ACTS = re.compile(
    r"(?<![a-z])(?:re-?boot|re-?start|re-?set|re-?load|shut-?down|power-?(?:off|cycle|down)|halt|stop|kill"
    r"|delete|del|remove|destroy|drop|erase|wipe|purge|flush|clear|format|restore|rollback|revoke"
    r"|upgrade|update|apply|save|enable|disable|toggle|activate|deactivate|exec(?:ute)?|run|trigger"
    r"|un-?subscribe|neustart|l(?:ö|oe)schen)(?![a-z])",
    re.IGNORECASE,
)
"""Words of links that may do something to the server: small devices reboot at a GET of `/admin/reboot`."""


def certainty_of_login(target: str, shown: str) -> int:
    """Return how surely a link leads to a login: 2, 1, or 0 where it is not to be followed.

    `shown` is all that is known of the link: where it leads, and its text.

    >>> [certainty_of_login(path, path) for path in ("/login", "/admin/", "/news", "/admin/reboot")]
    [2, 1, 0, 0]
    """
    sure = _IS_LOGIN.search(shown) is not None
    if not (sure or _MAY_BE_LOGIN.search(shown)) or _LEADS_OUT.search(shown) or _may_act(target, shown):
        return 0
    return 2 if sure else 1


def _may_act(target: str, shown: str) -> bool:
    path = target.partition("?")[0]
    # What a login leads to next, `/login?next=/cart/clear`, is not visited.
    return _ACTS.search(unquote(path if _IS_LOGIN.search(path) else shown)) is not None
