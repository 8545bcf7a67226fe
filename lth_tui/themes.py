"""The colours of the app: five themes, each with the sixteen colours that its charts are drawn in."""

from typing import NamedTuple

from rich.terminal_theme import TerminalTheme
from textual.theme import Theme

DARK, LIGHT, CONTRAST, ANSI, NONE = "dark", "light", "high-contrast", "ansi", "none"


class Colours(NamedTuple):
    """A theme, what it is in words, and the palette that a colour's plain name, such as `green`, is taken from."""

    words: str
    theme: Theme
    palette: TerminalTheme


def _rgb(*colours: str) -> list[tuple[int, int, int]]:
    return [(int(one[:2], 16), int(one[2:4], 16), int(one[4:], 16)) for one in " ".join(colours).split()]


def _palette(background: str, foreground: str, normal: str, bright: str) -> TerminalTheme:
    """Black, red, green, yellow, blue, magenta, cyan, white: as they are, and bright."""
    return TerminalTheme(*_rgb(background, foreground), _rgb(normal), _rgb(bright))


_DARK = _palette(
    "0f1318",
    "d3dae3",
    "1c232c ea7a80 86c98e e6b673 6cb6eb c792ea 78cfd0 d3dae3",
    "6e7c8c ff9696 a6e2a0 f5d28c 96cdfa dcaffa 9be6e6 ffffff",
)
_LIGHT = _palette(
    "fbfbf8",
    "22272e",
    "e4e6e1 b3202a 1c6b2c 8a5200 0b5c9e 7a3296 006870 22272e",
    "66707a c4434a 347f3c 95620f 2f78b7 9350ad 1b7f86 000000",
)
_CONTRAST = _palette(
    "000000",
    "ffffff",
    "1e1e1e ff9a9a 7dff8a ffd75f 7fd4ff f0a6ff 7dfff4 ffffff",
    "c8c8c8 ffb8b8 b0ffb8 ffe99c b0e4ff f6c8ff b4fff9 ffffff",
)

THEMES = {
    DARK: Colours(
        "light on dark",
        Theme(
            name=DARK,
            primary="#6cb6eb",
            secondary="#8fa3b8",
            accent="#e6b673",
            success="#86c98e",
            warning="#e5a84b",
            error="#ea7a80",
            foreground="#d3dae3",
            background="#0f1318",
            surface="#151a21",
            panel="#1c232c",
            variables={
                "border": "#4d7fa8",
                "border-blurred": "#2b3542",
                "footer-background": "#151a21",
                "scrollbar-background": "#151a21",
            },
        ),
        _DARK,
    ),
    LIGHT: Colours(
        "dark on light",
        Theme(
            name=LIGHT,
            primary="#0b5c9e",
            secondary="#4d5b69",
            accent="#8a5200",
            success="#1c6b2c",
            warning="#8a4b00",
            error="#b3202a",
            foreground="#22272e",
            background="#fbfbf8",
            surface="#f1f2ee",
            panel="#e4e6e1",
            dark=False,
            variables={
                "border": "#5d8fb8",
                "border-blurred": "#c5cac4",
                "footer-background": "#f1f2ee",
                "scrollbar-background": "#f1f2ee",
                "foreground-muted": "#555e68",
            },
        ),
        _LIGHT,
    ),
    CONTRAST: Colours(
        "white on black, every tone far from it",
        Theme(
            name=CONTRAST,
            primary="#7fd4ff",
            secondary="#ffffff",
            accent="#ffd75f",
            success="#7dff8a",
            warning="#ffb347",
            error="#ff9a9a",
            foreground="#ffffff",
            background="#000000",
            surface="#000000",
            panel="#1e1e1e",
            variables={
                "border": "#ffffff",
                "border-blurred": "#9a9a9a",
                "footer-background": "#000000",
                "scrollbar-background": "#1e1e1e",
                "foreground-muted": "#d0d0d0",
            },
        ),
        _CONTRAST,
    ),
    ANSI: Colours(
        "the sixteen colours of your terminal",
        Theme(
            name=ANSI,
            primary="ansi_cyan",
            secondary="ansi_default",
            accent="ansi_yellow",
            success="ansi_green",
            warning="ansi_yellow",
            error="ansi_red",
            foreground="ansi_default",
            background="ansi_default",
            surface="ansi_default",
            panel="ansi_default",
            boost="ansi_default",
            ansi=True,
            variables={
                "ansi-background": "ansi_black",
                "ansi-foreground": "ansi_white",
                "border": "ansi_cyan",
                "border-blurred": "ansi_bright_black",
                "foreground-muted": "ansi_bright_black",
                "text-muted": "ansi_bright_black",
                "footer-key-foreground": "ansi_yellow",
                "scrollbar": "ansi_bright_black",
                "scrollbar-background": "ansi_default",
            },
        ),
        _DARK,
    ),
    NONE: Colours(
        "signs and words alone, as with NO_COLOR",
        Theme(
            name=NONE,
            primary="ansi_default",
            foreground="ansi_default",
            background="ansi_default",
            surface="ansi_default",
            panel="ansi_default",
            boost="ansi_default",
            ansi=True,
            variables={
                "ansi-background": "ansi_default",
                "ansi-foreground": "ansi_default",
                "border": "ansi_default",
                "border-blurred": "ansi_default",
                "foreground-muted": "ansi_default",
                "text-muted": "ansi_default",
                "footer-key-foreground": "ansi_default",
                "scrollbar-background": "ansi_default",
            },
        ),
        _DARK,
    ),
}


def first(chosen: object, no_color: bool, color_system: str | None) -> str:
    """The theme to start with: none under NO_COLOR, else the chosen one, else what the terminal can show."""
    if no_color:
        return NONE
    if isinstance(chosen, str) and chosen in THEMES:
        return chosen
    return ANSI if color_system == "standard" else DARK
