"""The work of the chaos proof. Every task writes down by itself when it starts, acts and ends; shape.json says what must come of it."""

import hashlib
import json
import os
import signal
import time
from datetime import datetime, timedelta

from airflow.sdk import dag, get_current_context, task

SOON = timedelta(seconds=0.1)


def note(phase, **more):
    """One line of the ledger in one write: who, when, and what else is known."""
    ti = get_current_context()["ti"]
    line = {
        "phase": phase, "execution": os.environ["LEOFLOW_EXECUTION_ID"], "dag": ti.dag_id, "run": ti.run_id, "task": ti.task_id,
        "map": ti.map_index, "try": ti.try_number, "pid": os.getpid(), "parent": os.getppid(), "mono": time.monotonic(), "wall": time.time(), **more}
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(ledger, (json.dumps(line) + "\n").encode())
    os.close(ledger)


def digest(value):
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def say_line(number):
    """A numbered line whose hash nobody else would write."""
    proof = hashlib.sha256(f"{os.environ['LEOFLOW_EXECUTION_ID']}:{number}".encode()).hexdigest()[:12]
    print(f"L {number} {proof}")


def say(count):
    """Numbered lines from 1."""
    for number in range(1, count + 1):
        say_line(number)


def pause():
    """0 to 50 ms, by the task's name and run."""
    ti = get_current_context()["ti"]
    time.sleep(int(digest([ti.run_id, ti.task_id, ti.map_index])[:4], 16) % 51 / 1000)


def finish(value, lines):
    """The last statement: what the task is about to return, and how much it printed."""
    note("FINISH", sha=digest(value), lines=lines)
    return value


def name():
    """A value that says whose it is."""
    ti = get_current_context()["ti"]
    return {"of": f"{ti.run_id}/{ti.task_id}/{ti.map_index}", "pad": "ü" * 40, "numbers": [1, 2.5, None, True, 2**53 + 1]}


def work(got=()):
    """An ordinary task."""
    note("START", got=[digest(value) for value in got])
    say(5)
    pause()
    return finish(name(), 5)


def fail(why):
    """Ends as the user's own failure."""
    note("RAISE", lines=5, leaves=True)
    raise RuntimeError(why)


def first_time(what):
    """True once per run and task, whatever becomes of the process."""
    ti = get_current_context()["ti"]
    try:
        os.close(os.open(f"{os.environ['LEDGER']}.{what}.{digest([ti.dag_id, ti.run_id, ti.task_id])[:16]}", os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=200, max_active_runs=100)
def weave():
    """Chain, fan-out, join, mapped tasks, retries, trigger rules and a narrow pool."""

    @task
    def step(before=None):
        return work([] if before is None else [before])

    chain = step.override(task_id="c0")()
    for number in (1, 2):
        chain = step.override(task_id=f"c{number}")(chain)
    fans = [step.override(task_id=f"f{number}")(chain) for number in range(6)]

    @task
    def join(values):
        return work(values)

    joined = join(fans)

    @task
    def items():
        note("START", got=[])
        say(5)
        return finish([f"{get_current_context()['ti'].run_id}/items/{index}" for index in range(5)], 5)

    @task
    def each(item):
        return work([item])

    @task
    def total(values):
        return work(list(values))

    summed = total(each.expand(item=items()))

    @task(retries=2, retry_delay=SOON)
    def flaky():
        note("START", got=[])
        say(5)
        pause()
        if get_current_context()["ti"].try_number < 2:
            fail("its first try always fails")
        return finish(name(), 5)

    recovered = step.override(task_id="after_flaky")(flaky())

    @task(retries=1, retry_delay=SOON)
    def doomed():
        note("START", got=[])
        say(5)
        fail("every try of it fails")

    lost_cause = doomed()
    never = step.override(task_id="never")()
    rescue = step.override(task_id="rescue", trigger_rule="one_failed")()
    lost_cause >> [never, rescue]
    pooled = [step.override(task_id=f"p{number}", pool="narrow")() for number in range(4)]

    last = step.override(task_id="last", trigger_rule="all_done")()
    [joined, summed, recovered, never, rescue, *pooled] >> last


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=200, max_active_runs=100)
def long():
    """Tasks that are in their middle most of the time, and say so."""

    @task
    def effects(number):
        note("START", got=[])
        for beat in range(8 + 2 * number):
            say_line(beat + 1)
            note("EFFECT", beat=beat)
            time.sleep(0.1)
        return finish(name(), 8 + 2 * number)

    @task
    def gather(values):
        return work(values)

    gather([effects.override(task_id=f"e{number}")(number) for number in range(5)])


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=200, max_active_runs=100)
def patient():
    """A task that outlives every grace, and acts all the time."""

    @task
    def effects():
        note("START", got=[])
        say(5)
        for beat in range(120):
            note("EFFECT", beat=beat)
            time.sleep(0.1)
        return finish(name(), 5)

    effects()


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=200, max_active_runs=100)
def ends():
    """Every way in which a task's process can end other than by returning."""

    def ending(how):
        note("START", got=[])
        say(5)
        if first_time("ends"):
            note("RAISE", lines=5)
            how()
        return finish(name(), 5)

    @task(retries=1, retry_delay=SOON)
    def exit_255():
        return ending(lambda: os._exit(255))

    @task(retries=1, retry_delay=SOON)
    def exit_0():
        return ending(lambda: os._exit(0))

    @task(retries=1, retry_delay=SOON)
    def sys_exit():
        def leave():
            raise SystemExit(3)
        return ending(leave)

    @task(retries=1, retry_delay=SOON)
    def segfault():
        return ending(lambda: os.kill(os.getpid(), signal.SIGSEGV))

    @task
    def sigkill():
        return ending(lambda: os.kill(os.getpid(), signal.SIGKILL))

    @task(retries=1, retry_delay=SOON)
    def memory():
        def ask():
            raise MemoryError
        return ending(ask)

    @task(retries=1, retry_delay=SOON, execution_timeout=timedelta(seconds=0.3))
    def too_long():
        return ending(lambda: time.sleep(30))

    @task
    def after(values):
        return work(values)

    after([exit_255(), exit_0(), sys_exit(), segfault(), sigkill(), memory(), too_long()])


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=200, max_active_runs=100)
def hungry():
    """A task that takes more memory than there is, once."""

    @task(retries=1, retry_delay=SOON)
    def eats():
        note("START", got=[])
        say(5)
        if first_time("eats"):
            note("RAISE", lines=5)
            larder = [bytearray(b"x" * (32 << 20)) for _ in range(64)]
            raise RuntimeError(f"{len(larder)} pieces of 32 MB found room")
        return finish(name(), 5)

    @task
    def after(value):
        return work([value])

    after(eats())


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=200, max_active_runs=100)
def poison():
    """Tasks that fail at once, log what no log wants, and leave processes behind."""

    @task(retries=3, retry_delay=timedelta(seconds=0))
    def at_once():
        note("START", got=[])
        note("RAISE", lines=0, leaves=True)
        raise ValueError("\0 poison \ud800")

    @task
    def loud():
        note("START", got=[])
        os.write(1, b"\xff\xfe\0 no text at all\n" * 50)
        print("x" * 1_000_000)
        say(5)
        return finish(name(), 5)

    @task
    def leaves_a_child():
        note("START", got=[])
        if os.fork() == 0:
            os.setsid()
            for beat in range(100):
                note("EFFECT", beat=beat)
                time.sleep(0.1)
            os._exit(0)
        return finish(name(), 0)

    @task(trigger_rule="all_done")
    def after():
        return work()

    [at_once(), loud(), leaves_a_child()] >> after()


weave()
long()
patient()
ends()
hungry()
poison()
