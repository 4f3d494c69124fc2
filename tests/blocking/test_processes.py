"""Blocking operators in forked children, at the end of the interpreter, and under Ctrl-C."""

import signal
import socket
import subprocess
import sys
from functools import cache

import pytest

from entrepot.services import Http
from tests.reliability.helpers import CONTENT, run_script
from tests.strict import STRICT, warnings_of

WITHOUT_AND_WITH_A_LOOP = pytest.mark.parametrize("storage", ["fs", "http"], indirect=True)
FORK_WARNS = ("-W", "ignore::DeprecationWarning") if sys.version_info >= (3, 12) else ()

START = f"""
import atexit, gc, logging, os, signal, sys, threading, time, warnings
from entrepot import Error, Operator
logging.getLogger("asyncio").setLevel(logging.ERROR)  # not: this machine is slow today
SIZE = {len(CONTENT)}
expected = bytes(range(256)) * (SIZE // 256)

def attempt():
    try:
        print(len(op.read("object")), flush=True)
    except Error as error:
        print(error.kind, error.operation, error.path, flush=True)
"""

FORKING = """
def wait_for(child):
    latest = time.monotonic() + 10
    while time.monotonic() < latest:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"

def behave(how):
    global op
    if how == "drops":
        del op
        gc.collect()
        os._exit(0)
    if how == "closes":
        op.close()
        os._exit(0)
    if how == "reads":
        os._exit(op.read("object") != expected)
    if how == "reads and exits":
        sys.exit(op.read("object") != expected)
    sys.exit(0)

def fork(how):
    child = os.fork()
    if child == 0:
        behave(how)
        os._exit(9)
    outcomes.append((how, wait_for(child)))

op = Operator(argument).blocking()
outcomes = []
with op.reader("object") as reader:
    assert reader.read(10) == expected[:10]
    for how in "drops", "closes", "reads", "reads and exits", "exits":
        assert op.read("object") == expected
        fork(how)
        assert op.read("object") == expected
    assert reader.read() == expected[10:]
print(outcomes)
"""


@WITHOUT_AND_WITH_A_LOOP
def test_the_parent_reads_on_whatever_a_forked_child_does(storage):
    storage.put("object", CONTENT)
    ended = run_script(START + FORKING, storage.config, *FORK_WARNS)
    outcomes = [("drops", 0), ("closes", 0), ("reads", 0), ("reads and exits", 0), ("exits", 0)]
    assert (ended.stderr, ended.stdout.strip(), ended.returncode) == ("", str(outcomes), 0)


ENDINGS = {
    "nothing is closed": """
op = Operator(argument).blocking()
attempt()
""",
    "a loop is in the middle": """
op = Operator(argument).blocking()
chunks = iter(op.reader("object", chunk=1000, concurrent=4))
next(chunks)
entries = iter(op.lister("/")) if op.info.capability.list else None
entries and next(entries)
attempt()
""",
    "threads are in the middle": """
op = Operator(argument).blocking()
def work():
    while True:
        op.read("object", range=(0, 1000))
threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
[one.start() for one in threads]
time.sleep(0.05)
attempt()
""",
    "a thread goes on until its end": """
op = Operator(argument).blocking()
op.read("object", range=(0, 1))
def work():
    time.sleep(0.1)
    attempt()
threading.Thread(target=work).start()
""",
    "a handler reads": """
op = Operator(argument).blocking()
atexit.register(attempt)
op.read("object", range=(0, 1))
""",
    "sys.exit in a block": """
op = Operator(argument).blocking()
with op, op.reader("object") as reader:
    assert reader.read(1)
    attempt()
    sys.exit(0)
""",
}


@WITHOUT_AND_WITH_A_LOOP
def test_nothing_is_said_at_the_end_of_the_interpreter(storage):
    storage.put("object", CONTENT)
    heard = {}
    for name, ending in ENDINGS.items():
        ended = run_script(START + ending, storage.config)
        heard[name] = (ended.returncode, ended.stdout.strip(), ended.stderr)
    assert heard == {name: (0, str(len(CONTENT)), "") for name in ENDINGS}


TOO_LATE = {
    "a handler from before the operator": """
atexit.register(attempt)
op = Operator(argument).blocking()
op.read("object")
""",
    "a finalizer": """
op = Operator(argument).blocking()
class Late:
    def __del__(self, attempt=attempt):
        attempt()
late = Late()
op.read("object")
""",
    "a handler, and no call before": """
atexit.register(attempt)
op = Operator(argument).blocking()
""",
}


@WITHOUT_AND_WITH_A_LOOP
def test_a_call_behind_the_end_works_or_is_refused(storage):
    storage.put("object", CONTENT)
    for name, ending in TOO_LATE.items():
        outcome = "Unsupported None None" if name == "a finalizer" else str(len(CONTENT))
        ended = run_script(START + ending, storage.config)
        assert (name, ended.returncode, ended.stdout.strip(), ended.stderr) == (name, 0, outcome, "")


FIRST_CALL_AT_EXIT = """
import atexit, dataclasses, sys
from entrepot import Error, Operator

if hasattr(argument, "endpoint"):
    argument = dataclasses.replace(argument, endpoint=argument.endpoint.replace("127.0.0.1", "localhost"))
op = Operator(argument).blocking()

def attempt():
    try:
        op.write("large", bytes(2 << 20))
        print(len(op.read("large")))
    except Error as error:
        print(error.kind, error.operation, error.path)

atexit.register(attempt)
"""


@cache
def starts_threads_at_exit() -> bool:
    """Whether this Python starts a thread in an `atexit` handler: 3.11 does, 3.12.1 does not, 3.13.0 does again."""
    program = """
import atexit, threading
def attempt():
    thread = threading.Thread(target=print, args=["yes"])
    thread.start()
    thread.join()
atexit.register(attempt)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    return ended.stdout.strip() == "yes"


@pytest.mark.parametrize("storage", ["fs", "s3"], indirect=True)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_handler_may_look_up_a_host_and_send_much(storage, is_first):
    ended = run_script(FIRST_CALL_AT_EXIT + ("" if is_first else 'op.exists("large")\n'), storage.config)
    outcomes = {str(2 << 20)}
    if is_first and storage.scheme != "fs" and not starts_threads_at_exit():
        outcomes = {"Unsupported None None"}
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip() in outcomes


LATE_THREAD = """
op = Operator(argument).blocking()
def work():
    time.sleep(0.1)
    attempt()
threading.Thread(target=work).start()
"""


@WITHOUT_AND_WITH_A_LOOP
def test_a_first_call_behind_the_main_thread_works_where_python_lets_a_thread_begin_there(storage):
    storage.put("object", CONTENT)
    ended = run_script(START + LATE_THREAD, storage.config)
    outcomes = {str(len(CONTENT))}
    if storage.scheme != "fs" and sys.version_info >= (3, 12):
        outcomes.add("Unsupported None None")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip() in outcomes


# A shell starts its background jobs with SIGINT ignored, and the tests may be such a job.
HEARS_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
"""

INTERRUPTED = f"""
{HEARS_CTRL_C}
import sys
from entrepot import Operator
from entrepot.raw import AroundAccessor, Layer
from entrepot.services import Http

class Noting(Layer):
    def wrap(self, accessor, context):
        class Noted(AroundAccessor):
            async def around(self, operation, path, call, *args):
                try:
                    return await call(*args)
                except BaseException as error:
                    print(operation.value, type(error).__name__, flush=True)
                    raise
        return Noted(accessor)

op = Operator(Http(sys.argv[1]), layers=(Noting(),)).blocking()
try:
    op.read("object")
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(op.read("object"))
"""


def test_ctrl_c_cancels_the_call_and_the_operator_can_be_used_again():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        child = subprocess.Popen(
            [*STRICT, "-c", INTERRUPTED, url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with child:
            try:
                with server.accept()[0] as connection:
                    assert connection.recv(4096).startswith(b"GET /object")
                    child.send_signal(signal.SIGINT)
                    assert connection.recv(4096) == b""  # it hangs up
                with server.accept()[0] as connection:
                    assert connection.recv(4096).startswith(b"GET /object")
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    out, err = child.communicate(timeout=20)
            finally:
                child.kill()
    assert (child.returncode, out.split("\n"), warnings_of(err)) == (
        0,
        ["reader.read CancelledError", "interrupted", "b'ok'", ""],
        "",
    )


def test_a_second_ctrl_c_does_not_wait_for_the_clean_up():
    source = """
import signal, sys, time
from entrepot import Operator
from entrepot.raw import AroundAccessor, Layer
from entrepot.services import Http
import asyncio, threading

class Stubborn(Layer):
    def wrap(self, accessor, context):
        class Clings(AroundAccessor):
            async def around(self, operation, path, call, *args):
                try:
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                    await asyncio.sleep(30)
        return Clings(accessor)

op = Operator(argument, layers=(Stubborn(),)).blocking()
begin = time.monotonic()
try:
    op.stat("object")
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - begin < 20)
"""
    ended = run_script(HEARS_CTRL_C + source, Http("http://127.0.0.1:1"))
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "interrupted True", "")


INHERITED = """
def fork(work):
    child = os.fork()
    if child == 0:
        warnings.simplefilter("ignore", ResourceWarning)  # of a file that it leaves open, as with `open` of Python
        try:
            print(work(), flush=True)
        except Error as error:
            print(error.kind, "before a fork" in str(error), flush=True)
        sys.exit(0)
    assert wait_for(child) == 0

op = Operator(argument).blocking()
op.write("object", expected)
"""
READING = """
for size in 100, 200_000:
    with op.open("object", "rb") as file:
        assert file.read(size) == expected[:size]
        fork(lambda: file.read(300_000) == expected[size : size + 300_000])
        fork(lambda: file.close())
        assert file.read(250_000) == expected[size : size + 250_000]
        assert file.seek(10) == 10 and file.read(10) == expected[10:20]
"""
WRITING = """
def drop():
    global file
    del file
    gc.collect()

for work in "write", "close", "abort", "drop", "nothing":
    for size in 100, 9_000_000:
        data = (expected * 20)[:size]
        file = op.open("new", "wb", buffering=0)
        file.write(data)
        call = {"write": lambda: file.write(b"of the child"), "drop": drop, "nothing": str}.get(work)
        fork(call or getattr(file, work))
        assert not op.exists("new"), work
        file.write(b"of the parent")
        file.close()
        assert op.read("new") == data + b"of the parent", work
        op.delete("new")
"""


@pytest.mark.parametrize("storage", ["fs", "s3"], indirect=True)
@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (READING, ["True", "None"] * 2),
        (WRITING, [*["InvalidInput True"] * 4, *["None"] * 4, "", ""]),
    ],
    ids=["reading", "writing"],
)
def test_a_file_that_a_child_inherits_gives_right_bytes_or_an_error_and_the_parent_goes_on(storage, script, printed):
    helpers = START + FORKING.partition("def behave")[0]
    ended = run_script(helpers + INHERITED + script, storage.config, *FORK_WARNS)
    assert (ended.stderr, ended.returncode, ended.stdout.splitlines()) == ("", 0, printed)
