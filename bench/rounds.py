"""Rounds: every point in turn, again and again, until each has enough undisturbed ones. And merging of results."""


def interleaved(points, rounds, attempts, measure):
    """Passes over the points, at most `attempts`; a pass leaves out those that have `rounds` undisturbed ones.

    measure(point) -> (result, why it was disturbed or None). Returns {point: [results]} and {point: [reasons]}.
    """
    kept = {point: [] for point in points}
    disturbed = {point: [] for point in points}
    for _ in range(attempts):
        for point in points:
            if len(kept[point]) == rounds:
                continue
            result, reason = measure(point)
            if reason:
                disturbed[point].append(reason)
            else:
                kept[point].append(result)
    return kept, disturbed


def merged(old, new, key, order):
    """Results of an earlier sitting and of this one. A new result replaces the old one of its key, unless it has no
    undisturbed round. `order`: every key that exists, in the order of the page; what is not in it is dropped."""
    found = {result[key]: result for result in old}
    for result in new:
        if result["keel"] or result[key] not in found:
            found[result[key]] = result
    return [found[name] for name in order if name in found]
