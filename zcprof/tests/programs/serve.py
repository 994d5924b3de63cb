"""Serves /www/body over HTTP, in as many ways as a program can: serve.py MODE PORT."""

import hashlib
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading

PATH = "/www/body"
SIZE = os.stat(PATH).st_size


def by_sendfile(s, f, begin=0, end=SIZE):
    while begin < end:
        begin += os.sendfile(s.fileno(), f.fileno(), begin, end - begin)


def by_copy(s, f, begin=0, end=SIZE):
    f.seek(begin)
    while begin < end:
        block = f.read(min(65536, end - begin))
        s.sendall(block)
        begin += len(block)


def half(s, f):
    by_sendfile(s, f, 0, SIZE // 2)
    by_copy(s, f, SIZE // 2, SIZE)


def hashed(s, f):
    hashlib.sha256(f.read()).digest()
    by_sendfile(s, f)


def by_mmap(s, f):
    with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        s.sendall(m)


def by_pipe(s, f, begin=0, end=SIZE):
    """Reads, writes into a pipe, and has the pipe's pages handed over."""
    out, into = os.pipe()
    f.seek(begin)
    left = end - begin
    while left:
        block = f.read(min(32768, left))
        os.write(into, block)
        moved = 0
        while moved < len(block):
            moved += os.splice(out, s.fileno(), len(block) - moved)
        left -= len(block)
    os.close(out)
    os.close(into)


def spliced(s, f):
    """The file's own pages, by way of a pipe."""
    out, into = os.pipe()
    left = SIZE
    while left:
        n = os.splice(f.fileno(), into, min(65536, left))
        left -= n
        while n:
            n -= os.splice(out, s.fileno(), n)
    os.close(out)
    os.close(into)


def staged(s, f):
    """Copies the file into memory that is a file, and has that handed over."""
    fd = os.memfd_create("staged")
    with os.fdopen(fd, "w+b") as m:
        m.write(f.read())
        m.flush()
        by_sendfile(s, m)


def by_cat(s, f):
    """A process that lives for one answer."""
    subprocess.run(["cat", PATH], stdout=s.fileno(), check=True)


def in_child(way):
    def answer(s, f):
        pid = os.fork()
        if pid == 0:
            way(s, f)
            os._exit(0)
        os.waitpid(pid, 0)

    return answer


def in_thread(way):
    def answer(s, f):
        t = threading.Thread(target=way, args=(s, f))
        t.start()
        t.join()

    return answer


def slices(count):
    """Bounds of pieces of the body."""
    edges = [SIZE * i // count for i in range(count + 1)]
    return list(zip(edges, edges[1:]))


def many(way):
    """125 children, each for its piece of the answer; four answers make 500 processes."""

    def answer(s, f):
        for begin, end in slices(125):
            in_child(lambda s, f: way(s, f, begin, end))(s, f)

    return answer


def killed(way):
    """A child sends half and waits; it is killed, and its parent sends the rest."""

    def answer(s, f):
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            way(s, f, 0, SIZE // 2)
            os.write(into, b"x")
            signal.pause()
        os.read(out, 1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(out)
        os.close(into)
        by_sendfile(s, f, SIZE // 2, SIZE)

    return answer


HELPER = "/run/helper"
WAYS = {"copy": by_copy, "sendfile": by_sendfile, "pipe": by_pipe}


def passed(way):
    """Sends half, and passes the socket to a stranger, who sends the rest."""

    def answer(s, f):
        by_sendfile(s, f, 0, SIZE // 2)
        with socket.socket(socket.AF_UNIX) as to:
            to.connect(HELPER)
            socket.send_fds(to, [way.encode()], [s.fileno()])
            to.recv(1)

    return answer


def helper():
    """The stranger."""
    if os.path.exists(HELPER):
        os.unlink(HELPER)
    with socket.socket(socket.AF_UNIX) as listener, open(PATH, "rb", buffering=0) as f:
        listener.bind(HELPER)
        listener.listen()
        while True:
            of, _ = listener.accept()
            way, fds, _, _ = socket.recv_fds(of, 16, 1)
            with of, socket.socket(fileno=fds[0]) as s:
                WAYS[way.decode()](s, f, SIZE // 2, SIZE)
                of.send(b"x")


MODES = {
    "passed-copy": passed("copy"),
    "passed-sendfile": passed("sendfile"),
    "passed-pipe": passed("pipe"),
    "many-copy": many(by_copy),
    "many-sendfile": many(by_sendfile),
    "killed-copy": killed(by_copy),
    "killed-sendfile": killed(by_sendfile),
    "sendfile": by_sendfile,
    "copy": by_copy,
    "half": half,
    "hashed": hashed,
    "mmap": by_mmap,
    "pipe": by_pipe,
    "splice": spliced,
    "staged": staged,
    "cat": by_cat,
    "child-copy": in_child(by_copy),
    "child-sendfile": in_child(by_sendfile),
    "thread-copy": in_thread(by_copy),
    "thread-sendfile": in_thread(by_sendfile),
}


def main(mode, port):
    if mode.startswith("exec-"):
        # Another program takes the process's place, under way.
        os.execv("/usr/bin/python3", ["python3", __file__, mode.removeprefix("exec-"), str(port)])
    if mode == "helper":
        helper()
    answer = MODES[mode]
    listener = socket.create_server(("", port))
    while True:
        s, _ = listener.accept()
        with s, open(PATH, "rb", buffering=0) as f:
            s.recv(65536)
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            answer(s, f)


main(sys.argv[1], int(sys.argv[2]))
