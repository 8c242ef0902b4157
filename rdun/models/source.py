"""The code that a network is made of, as a hash: what other code has trained is not what the present code would train."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import tokenize
from pathlib import Path

ROOM = __package__


def source_hash(module: str) -> str:
    """16 hex digits for a module of this package with all that it imports of it; comments and docstrings do not count."""
    total, found, left = hashlib.sha256(), dict[str, str](), [module]
    while left:
        if (name := left.pop()) not in found:
            text = _text(name)
            found[name] = _plain(text)
            left += _imported(text)
    for name in sorted(found):
        total.update(f"{name}\n{found[name]}\n".encode())
    return total.hexdigest()[:16]


def _text(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).read_text("utf-8")


def _imported(text: str) -> list[str]:
    """Modules of this package that a source imports; not the package itself, which imports all of them."""
    froms = (node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom))
    return [module for module in froms if module.startswith(f"{ROOM}.")]


def _plain(text: str) -> str:
    """A source without comments, docstrings and empty lines."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[number - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())
