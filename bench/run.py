"""make bench: Keel and its peers in turn, in one run, on one machine; ratios with their spread into docs/BENCHMARKS.md.

    $KEEL_PYTHON bench/run.py --only 'SFT tiny'      # one task; the others on the page keep their earlier figures

A round is products that calibrate, the peers, Keel, products again (session.py); a disturbed one is tried again
(machine.py says what disturbs). docs/results/benchmarks.json holds every round.
"""

import page
from rounds import merged
from session import Session, missed, parser
from tasks import TASKS


def main():
    session = Session(parser(__doc__.splitlines()[0]).parse_args())
    names = [task.name for task in TASKS]
    chosen = session.chosen(names)
    for task in (task for task in TASKS if task.name in chosen):
        print(task.name, flush=True)
        results = session.measure([task])
        if session.a.prepare:
            continue
        print("\n".join(page.task_rows(results[0])), flush=True)
        if missed(results[0]):
            results[0]["shares"] = session.profile(task)
        # After every task, so that what was measured is kept.
        session.write("benchmarks.json", merged(session.read("benchmarks.json"), results, "task", names))
        page.write(session)


if __name__ == "__main__":
    main()
