"""Whatever spelling an answer has for what was sent, it repeats it; and to see that takes no time."""

import base64
import html
import json
import string
import time
from urllib.parse import quote

import pytest

from approval_api.deliveries.sending.repeated import repeats

PATH, QUERY, SECRET = (
    "/services/T0AB/s3cr3tXyZ98765",
    "key=1&sig=a%2Fb=",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
)
SENT = (SECRET, PATH, QUERY)


def each(form, text=PATH):
    return "".join(form % ord(character) for character in text)


@pytest.mark.parametrize(
    "spelled",
    [
        PATH,
        PATH.upper(),
        QUERY,
        "key=1&sig=a/b=",
        "Key=1&#38;Sig=A&#x2f;B&#x3D;",
        "key%3D1%26sig%3Da%252Fb%3D",
        json.dumps(PATH).replace("/", "\\/"),
        json.dumps(json.dumps(PATH + '"')),
        '{"sig":"key=1\\u0026sig=a%2fb\\u003D"}',
        quote(PATH, safe=""),
        quote(quote(PATH, safe=""), safe=""),
        quote(quote(quote(PATH, safe=""), safe=""), safe=""),
        html.escape(PATH).replace("/", "&sol;"),
        PATH.replace("/", "&amp;sol;"),
        PATH.replace("/", "&#47"),
        PATH.replace("/", "&#0000047;"),
        PATH.replace("/", "\\57"),
        PATH.replace("/", "\\u{2f}"),
        PATH.replace("/", "\\u{00002F}"),
        PATH.replace("/", "\\U0000002f"),
        PATH.replace("/", "\\x2f"),
        each("%%%02x"),
        each("%%25%02x"),
        each("&#%d;"),
        each("\\u%04x"),
        each("\\%03o"),
        base64.b64encode(PATH.encode()).decode(),
        base64.b64encode(b"u" + PATH.encode() + b"?").decode(),
        base64.b64encode(b"us" + PATH.encode() + b":p").decode(),
        base64.urlsafe_b64encode(b"user:" + SECRET.encode()).decode().rstrip("="),
        base64.encodebytes(b"Authorization: Bearer " + SECRET.encode() * 3).decode(),
        PATH.encode().hex(),
        each("%02X:"),
        PATH.encode("utf-16-le").decode(),
        "no hook s3cr3tXyZ987",
        "the key begins by MfKQ9r8GKYqr",
        "xMfKQ9r8GKY\nqrTwjUPD8ILPZx",
    ],
)
def test_what_was_sent_is_seen_in_any_spelling(spelled):
    assert repeats(f"<p>There is no {spelled}.</p>", SENT)


@pytest.mark.parametrize(
    "said",
    [
        "",
        '{"name":["This field is required."]}',
        '{"slug":["Enter a valid slug of letters, numbers, underscores or hyphens."]}',
        "services are down; ask whoever runs them",
        "invalid_payload",
        "404 page not found",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_an_answer_of_its_own_words_repeats_nothing(said):
    assert not repeats(said, SENT)


@pytest.mark.parametrize(
    "said", ["%252fa%252fb", "%25252fa%25252fb", "&amp;sol;a&amp;sol;b", r"\\u002fa\\57b"]
)
def test_what_is_short_is_seen_in_two_spellings_over_each_other(said):
    assert repeats(f"no {said} here", ["/a/b"])


@pytest.mark.parametrize("sent", ["", "\\u{ffffff}", "&#0;"])
def test_what_has_no_spelling_left_is_in_no_text(sent):
    assert not repeats("a fault", [sent])


@pytest.mark.parametrize("character", string.punctuation)
def test_every_character_is_seen_in_every_spelling(character):
    sent = f"a{character}b"
    code = ord(character)
    spellings = (
        character,
        f"\\{character}",
        quote(character, safe=""),
        html.escape(character),
        f"\\x{code:02x}",
    )
    for spelled in (
        *spellings,
        f"\\u{code:04x}",
        f"\\u{{{code:x}}}",
        f"\\{code:03o}",
        f"&#{code};",
        f"&#x{code:x};",
    ):
        assert repeats(f"<i>a{spelled}b</i>", [sent]), spelled


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("/" + "%5C" * 160 + "x", "/" + "\\" * 999),
        ("/" + "%5C-" * 120 + "x", "/" + r"\\-" * 250),
        ("/" + "%27" * 160 + "x", "&#x27;" * 160),
        ("-" * 500 + "x", "-" * 1000),
        ("a" * 500 + "b", "a" * 1000),
        ("&" * 500, "&" * 1000),
        ("%25" * 160, "%25" * 333),
        ("\\u{" * 160, "\\u{0" * 250),
    ],
)
def test_a_text_that_nearly_repeats_what_was_sent_is_compared_at_once(sent, said):
    begun = time.process_time()
    repeats(said, [sent] * 5)
    assert time.process_time() - begun < 0.3
