"""What makes a weight unimportant: one function a criterion, from a trained network's weights to scores.

The entries of lowest score are pruned first.
"""

from engine.pruning.mask import Mask, Weights


def magnitude(trained: Weights, mask: Mask) -> Weights:
    """Absolute trained weight (Han et al. 2015; Frankle and Carbin 2019)."""
    return {name: trained[name].abs() for name in mask}
