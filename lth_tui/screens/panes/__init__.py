"""What the screen of a run shows, a pane a file: functions over a `follow.Look`, testable without an app."""
