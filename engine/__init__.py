"""The science and the processes of lth-tui; it knows no screen."""

__version__ = "0.1.0"
