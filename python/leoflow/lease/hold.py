"""Takes a lease and becomes the command that runs under it.

`hold.py run FOLDER NAME SECONDS|none WORKTREE -- COMMAND…` takes the lock of FOLDER/NAME.lease and replaces itself by COMMAND, which inherits the
descriptor: the lease lives as long as COMMAND, or whatever it left running with that descriptor. Nobody has to be alive to give it back.
Exit codes before COMMAND runs: 75 the lease is held by another, 126 and 127 COMMAND cannot be started.

`hold.py list FOLDER` prints every lease ever taken there as JSON.
"""

import errno
import fcntl
import hashlib
import json
import os
import signal
import sys
import time

HELD = 75
# Who looks at a lease (`list`) holds it for a moment: not waiting means not waiting longer than that.
MOMENT_SECONDS = 0.2
REMIND_SECONDS = 60.0
LONGEST = 200


class Late(Exception):
    """The time to wait is over, or it is time to say who is waited for."""


def take(fd, seconds):
    """True when the lock was taken within so many seconds."""

    def ring(_signum, _frame):
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
        fcntl.flock(fd, fcntl.LOCK_EX)
        return True
    except Late:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def holder(fd):
    try:
        return json.loads(os.pread(fd, 65536, 0))
    except ValueError:
        return {}


def say(text):
    print(f"leoflow: {text}", file=sys.stderr, flush=True)


def who(found):
    if not found:
        return "somebody"
    where = f" in {found['worktree']}" if found.get("worktree") else ""
    return f"process {found.get('pid')}{where} since {found.get('since')}: {' '.join(found.get('command', []))[:100]}"


def wait(fd, name, limit):
    """Takes the lock; says who holds it meanwhile. False when the limit is over."""
    if take(fd, MOMENT_SECONDS):
        return True
    if limit == 0:
        say(f"the lease {name} is held by {who(holder(fd))}")
        say("  → run it again without --no-wait to wait for it")
        return False
    say(f"waiting for the lease {name}, held by {who(holder(fd))}")
    end = None if limit is None else time.monotonic() + limit
    while True:
        left = REMIND_SECONDS if end is None else min(REMIND_SECONDS, end - time.monotonic())
        if left <= 0:
            say(f"the lease {name} was not free within {limit:g} s; it is held by {who(holder(fd))}")
            return False
        if take(fd, left):
            return True
        if end is None or time.monotonic() < end:
            say(f"still waiting for the lease {name}, held by {who(holder(fd))}")


def file_of(name):
    """A name as a file name: what is neither letter, digit nor one of ._- as %XX; a long one ends in its digest, since file systems take 255 bytes."""
    plain = "".join(chr(one) if chr(one).isalnum() and one < 128 or chr(one) in "._-" else f"%{one:02X}" for one in name.encode())
    return (plain if len(plain) <= LONGEST else f"{plain[:100]}~{hashlib.sha256(name.encode()).hexdigest()}") + ".lease"


def run(folder, name, limit, worktree, command):
    os.makedirs(folder, mode=0o700, exist_ok=True)
    fd = os.open(os.path.join(folder, file_of(name)), os.O_RDWR | os.O_CREAT, 0o600)
    # As low descriptors are what programs close or use themselves.
    fd = fcntl.fcntl(fd, fcntl.F_DUPFD, 100)
    if not wait(fd, name, limit):
        return HELD
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = json.dumps({"name": name, "pid": os.getpid(), "since": since, "worktree": worktree or None, "command": command})
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)
    os.set_inheritable(fd, True)
    # Python ignores these two; the command starts as any other does.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        say(f"{command[0]} cannot be started: {error.strerror}")
        return 127 if error.errno == errno.ENOENT else 126


def listed(folder):
    from urllib.parse import unquote

    names = sorted(one for one in os.listdir(folder) if one.endswith(".lease")) if os.path.isdir(folder) else []
    for one in names:
        fd = os.open(os.path.join(folder, one), os.O_RDONLY)
        found = holder(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held = False
        except OSError:
            held = True
        os.close(fd)
        known = {key: found.get(key) if held else None for key in ("pid", "since", "worktree")}
        yield {"name": found.get("name") or unquote(one[: -len(".lease")]), "is_held": held, **known, "command": found.get("command", []) if held else []}


def main(args):
    if args[0] == "list":
        print(json.dumps(list(listed(args[1]))))
        return 0
    _, folder, name, limit, worktree, _, *command = args
    return run(folder, name, None if limit == "none" else float(limit), worktree, command)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        # Nobody was run yet: end as an interrupted program does.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
