"""Labels that another judge's probabilities speak against: confident learning.

Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70, 2021: a label is an
issue where the probabilities put the example, confidently, into another class than its label. Confidently means: the
probability of the class reaches the mean probability that examples labelled so have of it. The theory wants
probabilities of a model that did not learn from these labels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """For each label: whether it is an issue, the class that it is confidently in, and its probability (quality)."""

    issue: npt.NDArray[np.bool_]
    suggested: npt.NDArray[np.int64]
    """-1 where no class is reached."""
    quality: npt.NDArray[np.float64]


def label_quality(labels: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating]) -> LabelQuality:
    """labels: (n,) classes from 0; probabilities: (n, classes), rows with the sum 1."""
    n, classes = probabilities.shape
    quality = probabilities[np.arange(n), labels].astype(float)
    # A class that nobody is labelled with has no threshold and takes nothing.
    threshold = np.array(
        [quality[labels == each].mean() if (labels == each).any() else np.inf for each in range(classes)]
    )
    # Equal to the mean counts: the sum of equal numbers may come out a little above them.
    reached = probabilities >= threshold - 1e-9
    suggested = np.where(reached.any(axis=1), np.argmax(np.where(reached, probabilities, -1), axis=1), -1)
    return LabelQuality((suggested >= 0) & (suggested != labels), suggested, quality)
