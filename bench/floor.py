"""The floor: the same bodies forked from a warm Python, with nothing recorded, planned or committed.

`python bench/floor.py COUNT AT_ONCE FOLDER` forks COUNT children, AT_ONCE at a time; each prints its line into a file of its own and
returns its value by a pipe. Prints JSON: the seconds from the first fork to the last end, the hops from the end of one body to the
begin of the next (one at a time only), and the page faults of a child.
"""

import gc
import json
import os
import resource
import sys
import time


def body(number):
    began = time.monotonic_ns()
    print(f"line of {number}")
    return [began, time.monotonic_ns()]


def child(number, folder, write_end):
    log = os.open(f"{folder}/{number}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    value = body(number)
    sys.stdout.flush()
    os.write(write_end, (json.dumps(value) + "\n").encode())
    os._exit(0)


def fork_all(count, at_once, folder):
    read_end, write_end = os.pipe()
    started = time.monotonic()
    running = 0
    received = b""
    for number in range(count):
        if running >= at_once:
            os.wait()
            running -= 1
        if os.fork() == 0:
            child(number, folder, write_end)
        running += 1
        if number % 100 == 99:
            received += os.read(read_end, 1 << 20)
    while running > 0:
        os.wait()
        running -= 1
    seconds = time.monotonic() - started
    os.close(write_end)
    while chunk := os.read(read_end, 1 << 20):
        received += chunk
    return seconds, sorted(json.loads(line) for line in received.splitlines())


def main():
    count, at_once, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.makedirs(folder, exist_ok=True)
    gc.collect()
    gc.freeze()
    seconds, bodies = fork_all(count, at_once, folder)
    assert len(bodies) == count
    hops = [(after[0] - before[1]) / 1e6 for before, after in zip(bodies, bodies[1:])] if at_once == 1 else []
    faults = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt / count
    print(json.dumps({"seconds": seconds, "hops_ms": hops, "faults_per_child": faults}))


main()
