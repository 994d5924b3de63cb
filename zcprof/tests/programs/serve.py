"""Serves /www/body over HTTP, in as many ways as a program can: serve.py MODE PORT."""

import hashlib
import mmap
import os
import signal
import socket
import ssl
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


def hashed(s, f, begin=0, end=SIZE):
    f.seek(begin)
    hashlib.sha256(f.read(end - begin)).digest()
    by_sendfile(s, f, begin, end)


def by_mmap(s, f, begin=0, end=SIZE):
    with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m, memoryview(m) as view:
        with view[begin:end] as part:
            s.sendall(part)


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


def spliced(s, f, begin=0, end=SIZE):
    """The file's own pages, by way of a pipe."""
    out, into = os.pipe()
    while begin < end:
        n = os.splice(f.fileno(), into, min(65536, end - begin), offset_src=begin)
        begin += n
        while n:
            n -= os.splice(out, s.fileno(), n)
    os.close(out)
    os.close(into)


def staged(s, f, begin=0, end=SIZE):
    """Copies the file into memory that is a file, and has that handed over."""
    fd = os.memfd_create("staged")
    f.seek(begin)
    with os.fdopen(fd, "w+b") as m:
        m.write(f.read(end - begin))
        m.flush()
        by_sendfile(s, m, 0, end - begin)


def mapped(fill, unmaps=False):
    """Has the file's bytes in memory that is a file, and has that handed over."""

    def answer(s, f, begin=0, end=SIZE):
        fd = os.memfd_create("mapped")
        with os.fdopen(fd, "w+b") as m:
            m.truncate(end - begin)
            memory = mmap.mmap(fd, end - begin)
            fill(f, memory, begin, end)
            if unmaps:
                memory.close()
            by_sendfile(s, m, 0, end - begin)
            memory.close()

    return answer


def by_read(f, memory, begin, end):
    f.seek(begin)
    with memoryview(memory) as into:
        done = 0
        while done < len(into):
            done += f.readinto(into[done:])


def by_loads(f, memory, begin, end):
    """Page by page, by the program itself: the kernel copies nothing."""
    with mmap.mmap(f.fileno(), SIZE, prot=mmap.PROT_READ) as of:
        memory[:] = of[begin:end]


def by_cat(s, f):
    """A process that lives for one answer."""
    subprocess.run(["cat", PATH], stdout=s.fileno(), check=True)


def in_child(way):
    def answer(s, f, *part):
        pid = os.fork()
        if pid == 0:
            way(s, f, *part)
            os._exit(0)
        os.waitpid(pid, 0)

    return answer


def in_killed(way):
    """A child sends, waits, and is killed."""

    def answer(s, f, *part):
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            way(s, f, *part)
            os.write(into, b"x")
            signal.pause()
        os.read(out, 1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(out)
        os.close(into)

    return answer


def in_thread(way):
    def answer(s, f, *part):
        t = threading.Thread(target=way, args=(s, f, *part))
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
            in_child(way)(s, f, begin, end)

    return answer


def killed(way):
    """A child sends half and is killed, and its parent sends the rest."""

    def answer(s, f):
        in_killed(way)(s, f, 0, SIZE // 2)
        by_sendfile(s, f, SIZE // 2, SIZE)

    return answer


HELPER = "/run/helper"
WAYS = {
    "copy": by_copy,
    "hashed": hashed,
    "mmap": by_mmap,
    "pipe": by_pipe,
    "sendfile": by_sendfile,
    "splice": spliced,
    "staged": staged,
}


def by_stranger(way):
    """Passes the socket to a stranger, who sends."""

    def answer(s, f, begin, end):
        with socket.socket(socket.AF_UNIX) as to:
            to.connect(HELPER)
            socket.send_fds(to, [f"{way} {begin} {end}".encode()], [s.fileno()])
            to.recv(1)

    return answer


def passed(way):
    """Sends half, and has a stranger send the rest."""

    def answer(s, f):
        by_sendfile(s, f, 0, SIZE // 2)
        by_stranger(way)(s, f, SIZE // 2, SIZE)

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
            words, fds, _, _ = socket.recv_fds(of, 64, 1)
            way, begin, end = words.decode().split()
            with of, socket.socket(fileno=fds[0]) as s:
                WAYS[way](s, f, int(begin), int(end))
                of.send(b"x")


def by_another(way):
    """Another program is started, and given the socket."""

    def answer(s, f, begin, end):
        words = [sys.executable, __file__, "part", str(s.fileno()), way, str(begin), str(end)]
        subprocess.run(words, pass_fds=[s.fileno()], check=True)

    return answer


ACTORS = {
    "self": lambda way: WAYS[way],
    "thread": lambda way: in_thread(WAYS[way]),
    "child": lambda way: in_child(WAYS[way]),
    "grandchild": lambda way: in_child(in_child(WAYS[way])),
    "killed": lambda way: in_killed(WAYS[way]),
    "another": by_another,
    "stranger": by_stranger,
}


def planned(plan):
    """Each answer in parts, one after the other: ACTOR:WAY:SHARE+ACTOR:WAY:SHARE."""
    parts = [part.split(":") for part in plan.split("+")]
    whole = sum(int(share) for *_, share in parts)

    def answer(s, f):
        done = 0
        for actor, way, share in parts:
            edges = [SIZE * part // whole for part in (done, done + int(share))]
            ACTORS[actor](way)(s, f, *edges)
            done += int(share)

    return answer


def datagrams(peer):
    """The file's pages by UDP to a peer, who need not listen, and then over the connection."""

    def answer(s, f):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
            to.connect((peer, 9))
            begin = 0
            while begin < SIZE:
                try:
                    begin += os.sendfile(to.fileno(), f.fileno(), begin, min(1200, SIZE - begin))
                except ConnectionRefusedError:
                    pass  # What the peer said of an earlier one.
        by_sendfile(s, f)

    return answer


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
    "mapped-read": mapped(by_read),
    "unmapped-read": mapped(by_read, unmaps=True),
    "mapped-loads": mapped(by_loads),
    "cat": by_cat,
    "child-copy": in_child(by_copy),
    "child-sendfile": in_child(by_sendfile),
    "thread-copy": in_thread(by_copy),
    "thread-sendfile": in_thread(by_sendfile),
}


def serve(listener, answer):
    while True:
        s, _ = listener.accept()
        with s, open(PATH, "rb", buffering=0) as f:
            s.recv(65536)
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            answer(s, f)


def serve_records(listener):
    """One record of TLS with each sendfile(2), which the kernel encrypts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_ENABLE_KTLS
    context.load_cert_chain("/srv/cert.pem", "/srv/key.pem")
    while True:
        s, _ = listener.accept()
        with context.wrap_socket(s, server_side=True) as t, open(PATH, "rb", buffering=0) as f:
            t.recv(65536)
            t.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            begin = 0
            while begin < SIZE:
                begin += os.sendfile(t.fileno(), f.fileno(), begin, min(16384, SIZE - begin))


def main(mode, *words):
    if mode.startswith("exec-"):
        # Another program takes the process's place, under way.
        os.execv("/usr/bin/python3", ["python3", __file__, mode.removeprefix("exec-"), *words])
    if mode == "helper":
        helper()
    if mode == "part":
        fd, way, begin, end = words
        with socket.socket(fileno=int(fd)) as s, open(PATH, "rb", buffering=0) as f:
            WAYS[way](s, f, int(begin), int(end))
        return
    if mode == "plans":
        # PORT=PLAN for each port; each is served by a thread.
        plans = [word.split("=") for word in words]
        served = [(socket.create_server(("", int(port))), planned(plan)) for port, plan in plans]
        threads = [threading.Thread(target=serve, args=both) for both in served]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    if mode == "tls-records":
        serve_records(socket.create_server(("", int(words[0]))))
    port, *peer = words
    answer = datagrams(*peer) if mode == "datagrams" else MODES[mode]
    serve(socket.create_server(("", int(port))), answer)


main(*sys.argv[1:])
