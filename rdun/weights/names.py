"""Names of the authors' tensors within a layer, and ours within a stage."""

COAST = {
    "lambda_step": "step",
    **{f"{end}_conv.{part}": f"{end}.{part}" for end in ("head", "tail") for part in ("weight", "bias")},
    **{
        f"ResidualBlocks.{block}.{theirs}.{part}": f"{ours}.{block}.{part}"
        for block in range(3)
        for theirs, ours in (("conv1", "inner"), ("conv2", "outer"))
        for part in ("weight", "bias")
    },
}
ISTA_NET = {
    "lambda_step": "step",
    "soft_thr": "threshold",
    "conv1_forward": "forward_first.weight",
    "conv2_forward": "forward_second.weight",
    "conv1_backward": "backward_first.weight",
    "conv2_backward": "backward_second.weight",
}
ISTA_NET_PLUS = {
    "lambda_step": "step",
    "soft_thr": "threshold",
    "conv_D": "lift.weight",
    "conv1_forward": "analysis.first.weight",
    "conv2_forward": "analysis.second.weight",
    "conv1_backward": "synthesis.first.weight",
    "conv2_backward": "synthesis.second.weight",
    "conv_G": "lower.weight",
}
SCALARS = ("lambda_step", "soft_thr")
"""Tensors of shape (1,) that are scalars in ours."""
