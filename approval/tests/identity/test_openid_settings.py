import pytest
from pydantic import SecretStr

from approval_api.identity.openid_settings import OpenIdSettings
from approval_api.identity.roles import Role


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issuer": "http://provider.example"}, "APPROVAL_OIDC_ISSUER: 'http://provider.example' .* https"),
        ({"issuer": None}, "go together; not set: APPROVAL_OIDC_ISSUER$"),
        (
            {"client_secret": None, "roles": ""},
            "^APPROVAL_OIDC_ISSUER, .*; not set: APPROVAL_OIDC_CLIENT_SECRET, APPROVAL_OIDC_ROLES$",
        ),
        ({"roles": "ops"}, r"APPROVAL_OIDC_ROLES: expected group=role\+role, not 'ops'; "),
        ({"roles": "a=king, b=viewer, c"}, r"not 'a=king', 'c'; roles are viewer, "),
        ({"roles": ","}, "APPROVAL_OIDC_ROLES names no group"),
    ],
)
def test_incomplete_or_wrong_settings_are_refused(change, reason):
    given = {
        "issuer": "https://provider.example",
        "client_id": "x",
        "client_secret": SecretStr("y"),
        "roles": "a=viewer",
    }
    assert OpenIdSettings.parse(**given).role_map == {"a": {Role.VIEWER}}
    with pytest.raises(ValueError, match=reason):
        OpenIdSettings.parse(**given | change)
    assert OpenIdSettings.parse(None, None, None, None) is None
