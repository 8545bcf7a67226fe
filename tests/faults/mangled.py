"""Files as accidents and ill will make them: valid ones with bytes or values changed, and anything at all."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

_WORDS = ("state", "seed", "round", "arm", "seeds", "rounds", "schedule", "model", "name", "data", "process", "event")
_DEEP = 900  # as many levels as orjson reads and Python's own repr, say, does not follow

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["\x1b]0;owned\x07", "\x1b[2J", "[red]", "[/]", "\u202eevil", "\ud800", "\0", "x" * 5000, "../../etc", "=1+1"]
    ),
)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, -0.0, 1e308, float("nan"), float("inf")]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_WORDS), texts), inner, max_size=4),
    ),
    max_leaves=8,
)
deep = st.sampled_from(["[", '{"a":']).map(lambda sign: sign * _DEEP + "1" + ("]" if sign == "[" else "}") * _DEEP)


def written(value: Any) -> bytes:
    """JSON as Python writes it: halves of surrogate pairs escaped, NaN by name, whole numbers of any size."""
    return json.dumps(value).encode()


@st.composite
def changed(draw: st.DrawFn, tree: Any) -> Any:
    """A JSON value with one to three of its parts replaced, removed, or added to."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        node = tree
        while isinstance(node, dict | list) and node:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
                node = node[key]
                continue
            kind = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
            if kind == "replace":
                node[key] = draw(values)
            elif kind == "remove":
                del node[key]
            elif isinstance(node, dict):
                node[draw(texts)] = draw(values)
            else:
                node.append(draw(values))
            break
    return tree


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes of a valid file with some flipped, cut out, put in, doubled, or cut off."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        size = draw(st.integers(1, 40))
        kind = draw(st.sampled_from(["flip", "cut", "put", "double", "end"]))
        if kind == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[at : at + size]
        elif kind == "put":
            data[at:at] = draw(st.one_of(st.binary(max_size=20), texts.map(lambda t: t.encode("utf-8", "replace"))))
        elif kind == "double":
            data[at:at] = data[at : at + size]
        else:
            del data[at:]
    return bytes(data)


def files(whole: bytes, parsed: Any = None, write: Callable[[Any], bytes] = written) -> st.SearchStrategy[bytes]:
    """The content of a hostile file where a valid one is `whole`; `parsed` is what is in it, if that is JSON."""
    kinds = [mutated(whole), st.binary(max_size=200), values.map(written), deep.map(str.encode)]
    if parsed is not None:
        kinds += [changed(parsed).map(write)] * 3
    return st.one_of(kinds)
