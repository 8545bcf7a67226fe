"""The command that lists the keys of the app."""

from typing import Annotated

import typer

from lth_tui import output

_Usual = Annotated[bool, typer.Option("--default", help="The keys as they come, without your keys.toml.")]
_Markdown = Annotated[bool, typer.Option("--markdown", hidden=True, help="The README's table.")]


def keys(usual: _Usual = False, json: output.Json = False, markdown: _Markdown = False) -> None:
    """The keys of the app, and the names to move them by.

    Lines such as runs.stop = "S" or table.down = ["n", "down"] in LTH_KEYS (~/.config/lth/keys.toml) give other keys.
    """
    from engine.places import keys_file
    from lth_tui import keymap, tables

    if markdown:
        return output.out(keymap.markdown())
    read = keymap.Read({}, []) if usual else keymap.read(keys_file())
    rows = keymap.rows(read.keys)
    if json:
        output.out(rows)
    else:
        made, where = tables.table("where", "key", "does", "name", right=()), ""
        for row in rows:
            place = "" if row["where"] == where else row["where"]
            where = row["where"]
            key = tables.text(" ".join(row["keys"]), "bold" if row["name"] in read.moved else "")
            made.add_row(tables.text(place), key, tables.text(row["does"]), tables.text(row["name"], tables.QUIET))
        tables.out().print(made)
    for words in read.troubles:
        output.say(words, "yellow")
    return None
