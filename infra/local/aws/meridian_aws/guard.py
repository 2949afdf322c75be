"""Runs a command so that none of its processes outlives the emulator, however either of them ends.

``python guard.py command…``, standard input a pipe whose other end the emulator holds. A line with a number of seconds
ends the command: SIGTERM to its whole session, SIGKILL after that time. End of file means that the emulator is gone
(SIGKILL included) and kills at once. A process group is not enough: PySpark's worker daemon makes its own.
Imports nothing of ours, to start in some 20 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time


def _signal_session(session: int, number: int) -> None:
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:  # no /proc outside Linux: the group has to do
        pids = []
    for pid in pids:
        try:
            if os.getsid(pid) == session:
                os.kill(pid, number)
        except OSError:
            continue
    try:
        os.killpg(session, number)
    except OSError:
        pass


def main(command: list[str]) -> int:
    # A Ctrl-C in a terminal reaches every process of its group; only the emulator decides when its jobs end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    passed = os.environ.get("MERIDIAN_PASS_FD")
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[int(passed)] if passed else ())
    if passed:
        os.close(int(passed))  # else the emulator would never read the end of a dead child's replies

    def end(grace_seconds: float) -> None:
        if grace_seconds > 0:
            _signal_session(child.pid, signal.SIGTERM)
            until = time.monotonic() + grace_seconds
            while child.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
        _signal_session(child.pid, signal.SIGKILL)

    def watch_emulator() -> None:
        for line in sys.stdin:
            end(float(line))
        end(0)

    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end, args=(0,), daemon=True).start())
    threading.Thread(target=watch_emulator, daemon=True).start()
    code = child.wait()
    _signal_session(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # os._exit: the watcher still blocks on standard input, and interpreter shutdown would wait for its lock.
    os._exit(main(sys.argv[1:]))
