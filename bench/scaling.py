"""make bench: the scaling curves into docs/BENCHMARKS.md, their figures and drawings into docs/results.

    $KEEL_PYTHON bench/scaling.py --only 'length|batch'      # these curves; the others keep their earlier figures

The points of a curve are measured in interleaved rounds; points that stand in docs/results/scaling.json and are not
measured now (--points) stay.
"""

import page
from curves import CURVES, drawing
from rounds import merged
from session import Session, parser


def profile(session, curve, points):
    """Breakdowns of the points that show a bend."""
    for point in points:
        if point["x"] in curve.profiled:
            point["shares"] = session.profile(curve.points[point["x"]])


def measure(session, curve):
    chosen = [x for x in curve.points if not session.a.points or curve.label(x).split()[0] in session.a.points.split()]
    results = session.measure([curve.points[x] for x in chosen])
    points = [result | {"x": x} for x, result in zip(chosen, results)]
    if not session.a.no_profile:
        profile(session, curve, points)
    return points


def main():
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--points", default="", help="values of x, as the page's tables write them: '64 1,024'")
    session = Session(arguments.parse_args())
    names = [curve.name for curve in CURVES]
    for curve in (curve for curve in CURVES if curve.name in session.chosen(names)):
        print(curve.title, flush=True)
        points = measure(session, curve)
        if session.a.prepare:
            continue
        stored = session.read("scaling.json")
        old = next((result["points"] for result in stored if result["curve"] == curve.name), [])
        points = merged(old, points, "x", list(curve.points))
        new = {"curve": curve.name, "points": points, "keel": any(point["keel"] for point in points)}
        session.write("scaling.json", merged(stored, [new], "curve", names))
        if new["keel"]:
            path = session.a.docs / "results" / f"scaling-{curve.name}.svg"
            path.write_text(drawing(curve, [point for point in points if point["keel"]]), encoding="utf-8")
        page.write(session)


if __name__ == "__main__":
    main()
