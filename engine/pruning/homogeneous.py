"""Which models SynFlow can judge. Free of torch, so that a run is refused when it is launched."""

from engine.errors import BadInput

SYNFLOW_MODELS = ("cnn", "cnn-2020", "rnn")


def check(criterion: str, model: str) -> None:
    """BadInput where the criterion is synflow and the model's gates or attention let no flow through."""
    if criterion == "synflow" and model not in SYNFLOW_MODELS:
        raise refusal(model)


def refusal(model: str) -> BadInput:
    """A gate or a softmax of doubled weights is not doubled, so no share of the output is a weight's own."""
    return BadInput(
        f"schedule.criterion: synflow given, but {model} has gates or attention, which no flow passes in proportion; "
        f"give snip, grasp or magnitude, or one of the models {', '.join(SYNFLOW_MODELS)}."
    )
