"""Networks and their peers beside a busy process on each processor: how much slower is each?

    python benchmarks/beside.py [NAME …] [--threads 2] [--rounds 5]

Inference of one image of 224×224 and a training step of 16 are measured alone, then beside the
busy processes, all contenders in turn both times. A slowdown of two means half of the speed, which
is fair with two processes on each processor. Ends with 1 where striate's fastest time slows down
more than that of the fastest peer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from company import busy_processes
from contest import Setting
from imagenet import inference_rows, training_rows
from report import OURS, Row

NAMES = ("resnet18", "mobilenet_v2")
NOISE = 1.05

Measure = Callable[[], list[Row]]


def compared(title: str, measure: Measure) -> bool:
    """Print one comparison; return whether striate is not slowed down more than the peers are."""
    found: dict[str, dict[str, float]] = {}
    for where, company in (("alone", nullcontext()), ("beside", busy_processes())):
        with company:
            (row,) = measure()
            found[where] = row.values
    slowdowns = {who: found["beside"][who] / time for who, time in found["alone"].items()}
    print(title)
    for who, slowdown in slowdowns.items():
        alone, beside = found["alone"][who], found["beside"][who]
        print(f"  {who:24} {alone:9.2f} ms alone {beside:9.2f} ms beside: {slowdown:5.2f} times")
    peers = {who: time for who, time in found["alone"].items() if who != OURS}
    return slowdowns[OURS] <= NOISE * slowdowns[min(peers, key=peers.__getitem__)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    setting = Setting(options.threads, options.rounds, compile=False, peak=1.0, bandwidth=1.0)
    good = True
    for name in options.names:
        for title, measure in (
            (f"{name}, inference, batch 1", partial(inference_rows, name, 1, setting)),
            (f"{name}, training, batch 16", partial(training_rows, name, setting)),
        ):
            good &= compared(title, measure)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
