"""The built-in corpus: from which part of Python's standard library does a paragraph of documentation come?

Read with `ast` from the sources of the running Python, importing none of them, so it needs no network and no download.
On Python 3.11 TF-IDF + logistic regression answers 82 % of the test paragraphs.
"""

import ast
import re
import sys
import sysconfig
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

from engine.data import cache
from engine.data.corpus import Corpus
from engine.errors import BadInput, Stopped

RULES = 2  # raise it whenever anything below changes which texts come out, so that no cache outlives it
FEWEST_WORDS = 5
FEWEST_TEXTS = 500

# The question. Modules that belong to no section (text processing, platform oddities) are left out, as is lib2to3: a
# frozen tool with a grammar for documentation. A module may be missing: 3.12 to 3.14 dropped some, Debian others.
SECTIONS: dict[str, str] = {
    "network": """
        asynchat asyncore base64 cgi cgitb email ftplib html http imaplib ipaddress mailbox mailcap mimetypes netrc
        nntplib nturl2path poplib quopri smtpd smtplib socket socketserver ssl telnetlib urllib uu uuid webbrowser
        wsgiref xdrlib xmlrpc""",
    "concurrency": """
        _threading_local asyncio concurrent contextvars multiprocessing queue sched selectors signal subprocess
        threading""",
    "numbers": """
        _pydatetime _pydecimal _pylong _strptime bisect calendar colorsys datetime decimal fractions hashlib heapq hmac
        numbers random secrets statistics zoneinfo""",
    "files": """
        _compression _pyio aifc bz2 chunk codecs compression configparser csv dbm encodings filecmp fileinput fnmatch
        genericpath glob gzip imghdr io json linecache lzma ntpath os pathlib pickle pickletools plistlib posixpath
        shelve shutil sndhdr sqlite3 stat sunau tarfile tempfile tomllib wave xml zipapp zipfile zipimport""",
    "gui": "curses idlelib tkinter turtle turtledemo",
    "language": """
        __future__ _ast_unparse _collections_abc _py_abc _py_warnings _pyrepl _sitebuiltins abc annotationlib argparse
        ast bdb cProfile cmd code codeop collections compileall contextlib copy copyreg ctypes dataclasses dis distutils
        doctest ensurepip enum functools getopt graphlib imp importlib inspect keyword logging modulefinder opcode
        operator optparse pdb pkgutil platform pprint profile profiling pstats py_compile pyclbr pydoc reprlib
        rlcompleter runpy site string symtable sysconfig tabnanny timeit token tokenize trace traceback tracemalloc
        types typing unittest venv warnings weakref""",
}
_TESTS = {"test", "tests", "idle_test"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def read(name: str, _folder: Path | None = None, stop: Callable[[], bool] = lambda: False) -> Corpus:
    """The corpus of the running Python. Reading the library takes 5-10 s, once; then it comes from a cache.

    The texts stand in Python's own. Raises BadInput where this Python came without its sources, and Stopped.
    """
    path = cache.place(name, "texts", *fingerprint())
    if kept := cache.read(path):
        head, _ = kept
        train, test = ([(text, label) for text, label in head[part]] for part in ("train", "test"))  # JSON has no pairs
        return Corpus(head["name"], tuple(head["class_names"]), train, test, head["note"])
    corpus = assemble(name, extract(library(), stop), f"Python {sys.version.split()[0]}")
    cache.write(path, vars(corpus))
    return corpus


def fingerprint(_folder: Path | None = None) -> tuple[object, ...]:
    """What the texts hang on: the build of Python, where its library stands, and the rules of this module."""
    return sys.version, str(library()), RULES, tuple(SECTIONS.items())


def library() -> Path:
    """The folder of the running Python's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def extract(root: Path, stop: Callable[[], bool] = lambda: False) -> dict[str, str]:
    """Every usable paragraph of the library at `root`, with its section.

    Of paragraphs with the same words one is kept; where they stand in several sections, none, for none is the answer.
    Files that do not parse or cannot be read are passed over. Raises Stopped soon after `stop()` has become true.
    """
    found: dict[str, tuple[str, str]] = {}  # the words alone -> the paragraph as written, its section
    contested: set[str] = set()
    for section, modules in SECTIONS.items():
        for file in _sources(root, modules.split()):
            if stop():
                raise Stopped
            for docstring in _docstrings(file):
                for paragraph in paragraphs(docstring):
                    words = _words(paragraph)
                    if found.setdefault(words, (paragraph, section))[1] != section:
                        contested.add(words)
    return {text: section for words, (text, section) in found.items() if words not in contested}


def paragraphs(docstring: str) -> list[str]:
    """The paragraphs of five words or more, each on one line; from a `>>>` to the next blank line nothing is taken."""
    taken = []
    for block in re.split(r"\n\s*\n", docstring):
        prose = re.split(r"^\s*>>>", block, maxsplit=1, flags=re.MULTILINE)[0]
        if len(re.findall(r"[^\W\d_]+", prose)) >= FEWEST_WORDS:
            taken.append(" ".join(prose.split()))
    return taken


def assemble(name: str, found: dict[str, str], version: str, fewest: int = FEWEST_TEXTS) -> Corpus:
    """A corpus of paragraphs and their sections, a fifth of it, chosen by a hash of the words, for testing.

    A section with fewer than `fewest` texts is left out, and the note says so. Raises BadInput if that leaves
    fewer than two.
    """
    sizes = Counter(found.values())
    classes = tuple(section for section in SECTIONS if sizes[section] >= fewest)
    if len(classes) < 2:
        raise BadInput(
            f"dataset: {name} found {len(found)} paragraphs in {library()}, too few to ask anything; "
            "use a Python that came with the sources of its standard library."
        )
    left_out = [f"{section} left out: {sizes[section]} texts" for section in SECTIONS if section not in classes]
    parts: dict[bool, list[tuple[str, int]]] = {False: [], True: []}
    for text, section in found.items():
        if section in classes:
            parts[_for_testing(text)].append((text, classes.index(section)))
    return Corpus(name, classes, parts[False], parts[True], note="; ".join([version, *left_out]))


def _sources(root: Path, modules: list[str]) -> Iterator[Path]:
    """The modules' files, packages with all that is in them except tests, in an order that no file system decides."""
    for module in modules:
        if (file := root / f"{module}.py").is_file():
            yield file
        for inner in sorted((root / module).rglob("*.py")):
            if not _TESTS.intersection(inner.relative_to(root).parts):
                yield inner


def _docstrings(file: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own: invalid escapes and the like
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
            yield text.encode("utf-8", "replace").decode()  # a literal may hold half a surrogate pair


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _for_testing(text: str) -> bool:
    return int.from_bytes(blake2b(_words(text).encode(), digest_size=8).digest(), "big") % 5 == 0
