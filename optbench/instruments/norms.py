"""Norms of gradients, weights and steps."""

from __future__ import annotations

from ..interfaces import Loss
from .instrument import Instrument, View, named, norms


class GradientNorm(Instrument):
    """Length of the gradient of the minibatch loss, of all parameters and of each tensor of them.

        gradient_norm = ‖g‖₂,   gradient_norm.NAME = ‖g_NAME‖₂

    Units: loss over units of the parameters. Taken before modifiers (clipping, noise) see it.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 8.2.5.
    """

    columns = ("gradient_norm",)

    def measure(self, view: View) -> dict[str, Loss]:
        return named("gradient_norm", norms(view.problem, view.grad))


class WeightNorm(Instrument):
    """Length of the parameters, of all and of each tensor.

        weight_norm = ‖w‖₂,   weight_norm.NAME = ‖w_NAME‖₂

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 7.1.
    """

    columns = ("weight_norm",)

    def measure(self, view: View) -> dict[str, Loss]:
        return named("weight_norm", norms(view.problem, view.params))


class UpdateRatio(Instrument):
    """How far a step goes, beside how long the parameters are, of all and of each tensor.

        update_ratio = ‖w_after − w_before‖₂ / ‖w_before‖₂

    About 10⁻³ is usual for a network that learns well. Nothing is told behind the last step, or where w_before is zero.

    Source: Karpathy, "CS231n: Neural networks part 3", ratio of weights and updates, https://cs231n.github.io/neural-networks-3.
    """

    columns = ("update_ratio",)

    def measure(self, view: View) -> dict[str, Loss]:
        if view.after is None:
            return {}
        steps, lengths = norms(view.problem, view.after - view.params), norms(view.problem, view.params)
        ratios = {name: steps[name] / lengths[name] for name in steps}
        return named(
            "update_ratio", {name: r.where(r.isfinite(), r.new_tensor(float("nan"))) for name, r in ratios.items()}
        )
