"""Confident learning, on numbers that can be worked out by hand."""

import numpy as np

from judging.audits.confident import label_quality


def test_a_label_is_an_issue_where_the_probabilities_are_confident_of_another_class():
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.45, 0.55]])
    # Thresholds: of class 0 (0.9 + 0.8 + 0.1) / 3 = 0.6, of class 1 (0.7 + 0.55) / 2 = 0.625.
    found = label_quality(labels, probabilities)
    assert found.issue.tolist() == [False, False, True, False, False]
    assert found.suggested.tolist() == [0, 0, 1, 1, -1]
    assert found.quality.tolist() == [0.9, 0.8, 0.1, 0.7, 0.55]


def test_a_class_that_is_probable_but_below_its_threshold_is_no_issue():
    labels = np.array([1, 1, 1, 0])
    probabilities = np.array([[0.05, 0.95], [0.05, 0.95], [0.05, 0.95], [0.2, 0.8]])
    # Of class 1 the threshold is 0.95: 0.8 is less sure than labels of that class are.
    assert not label_quality(labels, probabilities).issue.any()


def test_a_class_without_labels_takes_nothing():
    found = label_quality(np.array([0, 0]), np.array([[0.1, 0.0, 0.9], [0.1, 0.9, 0.0]]))
    assert not found.issue.any()


def test_planted_errors_are_found_by_the_score():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)
    probabilities = np.full((3000, 3), 0.15)
    probabilities[np.arange(3000), truth] = 0.7
    probabilities += rng.uniform(0, 0.2, probabilities.shape)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    wrong = rng.random(3000) < 0.1
    labels = np.where(wrong, (truth + rng.integers(1, 3, 3000)) % 3, truth)
    found = label_quality(labels, probabilities)
    assert (found.issue & wrong).sum() / wrong.sum() > 0.4
    assert (found.issue & wrong).sum() / found.issue.sum() > 0.95
