"""Find every way to talk to a peer without knowing who it is: the rule has no exception in the product.

It reads source text and knows the spellings of ``ssl``, httpx, requests, aiohttp, curl, wget, Node.js and Python's own
environment variable. It does not follow values: a flag computed elsewhere is found where it is spelled.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

_SWITCHES: Final = {"check_hostname", "verify", "verify_mode", "ssl", "verify_ssl", "ssl_verify", "assert_hostname"}
_WEAK_NAMES: Final = {
    "CERT_NONE": "certificates are not checked",
    "CERT_OPTIONAL": "a peer without certificate passes",
    "_create_unverified_context": "an unverified context",
    "_create_stdlib_context": "an unverified context",
    "_create_default_https_context": "replaces the verified context",
    "PROTOCOL_TLS": "a context that checks nothing by itself",
    "PROTOCOL_SSLv23": "a context that checks nothing by itself",
    "PROTOCOL_TLSv1": "an old protocol",
    "PROTOCOL_TLSv1_1": "an old protocol",
    "InsecureRequestWarning": "silences the warning of an unverified request",
    "disable_warnings": "silences the warning of an unverified request",
}
_WEAK_CIPHERS: Final = re.compile(
    r"(?:^|:)\s*(?:ALL|COMPLEMENTOFALL|[ae]?NULL|ADH|AECDH|EXPORT|LOW|RC4|DES|3DES|MD5)\b"
)
_WEAK_TEXT: Final = re.compile(
    r"--insecure\b|\bcurl\b[^\n]*\s-[a-zA-Z]*k[a-zA-Z]*\b|--no-check-certificate|NODE_TLS_REJECT_UNAUTHORIZED"
    r"|PYTHONHTTPSVERIFY|GIT_SSL_NO_VERIFY|--trusted-host|StrictHostKeyChecking[= ]no"
)


def skipped_verification(source: str) -> list[str]:
    """Give ``line: what`` for every spelling of a skipped check; docstrings may name what they forbid."""
    tree = ast.parse(source)
    statements = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    documentation = {id(value) for value in statements if isinstance(value, ast.Constant)}
    return [
        f"{getattr(node, 'lineno', 1)}: {finding}"
        for node in ast.walk(tree)
        if id(node) not in documentation
        for finding in _findings(node)
    ]


def _findings(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call():
            yield from _in_call(node)
        case ast.Assign(targets=targets, value=value):
            yield from (f"{title} = {ast.unparse(value)}" for title in _titles(targets) if _is_off(title, value))
        case ast.Dict(keys=keys, values=values):
            pairs = [(getattr(key, "value", None), value) for key, value in zip(keys, values, strict=True)]
            yield from (f"{title!r}: off" for title, value in pairs if _is_off(title, value))
        case ast.Name(id=title) | ast.Attribute(attr=title) | ast.alias(name=title) if title in _WEAK_NAMES:
            yield f"{title}: {_WEAK_NAMES[title]}"
        case ast.Constant(value=str(text)) if _WEAK_TEXT.search(text):
            yield f"{_WEAK_TEXT.findall(text)[0].strip()!r}"
        case _:
            return


def _in_call(node: ast.Call) -> Iterator[str]:
    for keyword in node.keywords:
        if _is_off(keyword.arg, keyword.value):
            yield f"{keyword.arg}={ast.unparse(keyword.value)}"
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    texts = [item.value for item in node.args if isinstance(item, ast.Constant)]
    if called == "set_ciphers" and any(_WEAK_CIPHERS.search(str(text)) for text in texts):
        yield "set_ciphers with a weak suite"
    if called == "setattr" and texts and _is_off(texts[0], node.args[-1]):
        yield "setattr of a check"
    if called == "SSLContext" and not node.args and not node.keywords:
        yield "SSLContext() checks nothing by itself"


def _titles(targets: list[ast.expr]) -> Iterator[str]:
    for target in targets:
        if isinstance(target, ast.Attribute):
            yield target.attr
        elif isinstance(target, ast.Name):
            yield target.id
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            yield str(target.slice.value)


def _is_off(title: object, value: ast.expr) -> bool:
    """Tell whether ``title`` is a check's switch and ``value`` turns it off."""
    return title in _SWITCHES and isinstance(value, ast.Constant) and value.value in (False, 0)
