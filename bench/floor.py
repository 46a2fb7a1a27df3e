"""The floor: the same bodies forked from a warm Python, with nothing recorded, planned or committed.

`python bench/floor.py COUNT AT_ONCE FOLDER` forks COUNT children, AT_ONCE at a time; each prints its line into a file of its own and
returns its value by a pipe. Prints the seconds from the first fork to the last end.
"""

import gc
import json
import os
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


def main():
    count, at_once, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.makedirs(folder, exist_ok=True)
    read_end, write_end = os.pipe()
    gc.collect()
    gc.freeze()
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
    assert received.count(b"\n") == count
    print(seconds)


main()
