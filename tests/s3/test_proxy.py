#!/usr/bin/env python3
"""Every rule of the proxy, against a trivial server.

    test_proxy.py [PROXY]           the program, which may also be named in the environment; compiled here if it is not given
    test_proxy.py --speed [PROXY]   how fast it passes bytes on
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
failures = checks = 0


def check(good, message):
    global failures, checks
    checks += 1
    if not good:
        failures += 1
        print("FAILED:", message)


class Server:
    """Answers every request with what it got, or with as many bytes as the path says; remembers requests and their bodies."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests, self.ends = [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, s):
        try:
            while self.one(s):
                pass
            self.ends.append("FIN")
        except OSError:
            self.ends.append("RST")
        s.close()

    def one(self, s):
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                self.requests.append(data) if data else None
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int((re.search(rb"content-length: (\d+)", head.lower()) or [0, 0])[1])
        if b"100-continue" in head:
            s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(body) < length:
            more = s.recv(1 << 20)
            if not more:
                break
            body += more
        self.requests.append(head + b"\r\n\r\n" + body)
        if len(body) < length:
            return False
        self.answer(s, head.split()[0], head.split()[1], body)
        return True

    def answer(self, s, method, path, body):
        if path.startswith(b"/chunked"):
            s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            return
        size = re.match(rb"/bytes/(\d+)", path)
        body = bytes(int(size[1])) if size else body
        head = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (412 if b"/refuse" in path else 200, len(body))
        s.sendall(head if method == b"HEAD" else head + body)


class Client:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=20)

    def send(self, method, path, body=b"", extra=b""):
        self.s.sendall(b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n" % (method, path, len(body), extra))
        self.s.sendall(body)

    def ask(self, *request):
        """What comes until a whole reply is there or the connection ends, and how it ended: "", FIN or RST."""
        was_reset = False
        try:
            self.send(*request)
        except OSError:
            # Told once: after that the end looks like a clean one.
            was_reset = True
        data, end = self.receive(request[0] == b"HEAD")
        return data, "RST" if was_reset and end == "FIN" else end

    def receive(self, head_only=False):
        data = b""
        try:
            while not self.whole(data, head_only):
                more = self.s.recv(1 << 16)
                if not more:
                    return data, "FIN"
                data += more
        except ConnectionResetError:
            return data, "RST"
        except socket.timeout:
            return data, "SILENCE"
        return data, ""

    @staticmethod
    def whole(data, head_only):
        while data.startswith(b"HTTP/1.1 1"):
            data = data.partition(b"\r\n\r\n")[2]
        head, end, body = data.partition(b"\r\n\r\n")
        if not end or head_only:
            return bool(end)
        if b"chunked" in head:
            return body.endswith(b"0\r\n\r\n")
        return len(body) >= int(re.search(rb"content-length: (\d+)", head.lower())[1])


class Proxy:
    def __init__(self, program, folder, server_port):
        self.rules_file, self.log_file = folder + "/rules", folder + "/log"
        self.process = subprocess.Popen([program, "-l", self.log_file, "-r", self.rules_file, "0", "127.0.0.1", str(server_port)],
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def rules(self, *lines):
        """A new file each time, as whoever writes it should."""
        with open(self.rules_file + ".new", "w") as f:
            f.write("".join(line + "\n" for line in lines))
        os.rename(self.rules_file + ".new", self.rules_file)
        with open(self.log_file, "w"):
            pass

    def log(self):
        with open(self.log_file) as f:
            return [line.split() for line in f]


def status(data):
    return int(data.split()[1]) if data.startswith(b"HTTP/1.1") else 0


def body(data):
    return data.partition(b"\r\n\r\n")[2]


def settle(condition):
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.01)
    return False


def timed(function, *arguments):
    start = time.monotonic()
    result = function(*arguments)
    return time.monotonic() - start, result


def plain(proxy, server):
    proxy.rules()
    c = Client(proxy.port)
    noise = os.urandom(3_000_000)
    for request in ((b"PUT", b"/a", noise), (b"GET", b"/bytes/2000000"), (b"HEAD", b"/bytes/77"), (b"GET", b"/chunked"),
                    (b"DELETE", b"/refuse"), (b"PUT", b"/b", b""), (b"PUT", b"/c", b"x" * 70000, b"Expect: 100-continue\r\n")):
        data, end = c.ask(*request)
        check(end == "" and status(data) in (100, 200, 412), "%s %s: %s %s" % (request[0], request[1], data[:40], end))
        if request[1] == b"/a":
            check(body(data) == noise, "the body comes back")
    log = [line[:5] + line[6:] for line in proxy.log()]
    check(log == [["PUT", "/a", "200", "3000000", "3000000", "-"], ["GET", "/bytes/2000000", "200", "0", "2000000", "-"],
                  ["HEAD", "/bytes/77", "200", "0", "0", "-"], ["GET", "/chunked", "200", "0", "-1", "-"],
                  ["DELETE", "/refuse", "412", "0", "0", "-"], ["PUT", "/b", "200", "0", "0", "-"],
                  ["PUT", "/c", "200", "70000", "70000", "-"]], "the log is %s" % log)
    data, end = Client(proxy.port).ask(b"GET", b"/" + b"k" * 2000)
    check(status(data) == 200, "a long path")


def latency_and_rate(proxy, server):
    proxy.rules("delay 150")
    c = Client(proxy.port)
    took, _ = timed(lambda: [c.ask(b"PUT", b"/x", b"y" * 200_000) for _ in range(3)])
    check(0.45 <= took < 0.9, "three requests, 150 ms each: %.2f s" % took)
    proxy.rules("match PUT * delay 300")
    took, _ = timed(c.ask, b"GET", b"/bytes/10")
    check(took < 0.2, "only PUT waits: %.2f s" % took)
    proxy.rules("rate up 1000000")
    took, _ = timed(c.ask, b"PUT", b"/refuse", b"y" * 500_000)
    check(0.4 <= took < 0.9, "half a second up: %.2f s" % took)
    took, _ = timed(c.ask, b"GET", b"/bytes/5000000")
    check(took < 0.3, "down is free: %.2f s" % took)
    proxy.rules("rate down 2000000")
    clients = [Client(proxy.port) for _ in range(2)]
    threads = [threading.Thread(target=k.ask, args=(b"GET", b"/bytes/500000")) for k in clients]
    took, _ = timed(lambda: [t.start() for t in threads] and [t.join() for t in threads])
    check(0.4 <= took < 0.9, "two share a line: %.2f s" % took)


def faults_up(proxy, server):
    for kind, end in (("reset", "RST"), ("close", "FIN")):
        for at, seen in (("0", 0), ("20", 20), ("body+1000", None), ("end-1", None)):
            server.requests.clear()
            proxy.rules("%s up %s" % (kind, at))
            data, ended = Client(proxy.port).ask(b"PUT", b"/cut", b"z" * 100_000)
            # A client that is still sending when the end comes gets a reset in any case.
            check(data == b"" and ended in (end, "RST"), "%s up %s: %s %s" % (kind, at, data[:20], ended))
            if kind == "close" and seen != 0:
                check(settle(lambda: server.requests), "%s up %s: nothing arrives" % (kind, at))
                got = server.requests[0]
                if seen is not None:
                    check(len(got) == seen, "%s up %s: %d bytes" % (kind, at, len(got)))
                else:
                    wanted = 1000 if at.startswith("body") else 99_999
                    check(len(body(got)) == wanted, "%s up %s: %d bytes of body" % (kind, at, len(body(got))))
    server.requests.clear()
    proxy.rules("match PUT /flip times 1 flip up body+5")
    Client(proxy.port).ask(b"PUT", b"/flip", b"aaaaaaaaaa")
    check(body(server.requests[-1]) == b"aaaaa`aaaa", "flipped up: %s" % server.requests[-1])
    data, _ = Client(proxy.port).ask(b"PUT", b"/flip", b"aaaaaaaaaa")
    check(body(data) == b"aaaaaaaaaa", "once only")
    proxy.rules("double up body+2")
    Client(proxy.port).ask(b"PUT", b"/double", b"abcdef")
    check(body(server.requests[-1])[:6] == b"abccde", "a byte twice: %s" % server.requests[-1])
    proxy.rules("stall up body+3 0")
    c = Client(proxy.port)
    c.s.settimeout(0.3)
    c.ask(b"PUT", b"/stall", b"q" * 9_000_000)
    c.s.close()
    check([line[2:3] + line[6:] for line in proxy.log()] == [["0", "stall"]], "the log knows a request that hangs: %s" % proxy.log())
    proxy.rules("stall up body+3 0.5")
    took, (data, end) = timed(Client(proxy.port).ask, b"PUT", b"/stall", b"q" * 300_000)
    check(0.5 <= took < 1.2 and len(body(data)) == 300_000, "stalled up for %.2f s" % took)


def faults_down(proxy, server):
    c = Client(proxy.port)
    proxy.rules()
    whole, _ = c.ask(b"GET", b"/bytes/100000")
    head = len(whole) - 100_000
    for kind, end in (("reset", "RST"), ("close", "FIN")):
        for at, seen in (("0", 0), ("17", 17), ("body+0", head), ("body+50000", head + 50_000), ("end-1", head + 99_999)):
            proxy.rules("%s down %s" % (kind, at))
            data, ended = Client(proxy.port).ask(b"GET", b"/bytes/100000")
            check(len(data) == seen and ended == end, "%s down %s: %d bytes, %s" % (kind, at, len(data), ended))
    server.requests.clear()
    proxy.rules("match PUT * times 1 reset down 0")
    data, ended = Client(proxy.port).ask(b"PUT", b"/lost", b"work", b"Expect: 100-continue\r\n")
    check(ended == "RST" and data in (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "a lost answer: %s %s" % (data, ended))
    check(len(server.requests) == 1 and body(server.requests[0]) == b"work", "the work was done")
    check(proxy.log()[0][2] == "200", "the log knows the answer")
    proxy.rules("flip down body+3")
    data, _ = Client(proxy.port).ask(b"PUT", b"/x", b"aaaaaa")
    check(body(data) == b"aaa`aa", "flipped down: %s" % data)
    proxy.rules("double down body+1")
    data, _ = Client(proxy.port).ask(b"PUT", b"/x", b"abcdef")
    check(body(data)[:6] == b"abbcde", "a byte twice: %s" % data)
    proxy.rules("stall down body+10 0.4")
    took, (data, _) = timed(Client(proxy.port).ask, b"GET", b"/bytes/1000000")
    check(0.4 <= took < 1.2 and len(body(data)) == 1_000_000, "stalled down for %.2f s" % took)
    proxy.rules("stall down 0 0")
    c = Client(proxy.port)
    c.s.settimeout(0.4)
    data, end = c.ask(b"GET", b"/bytes/10")
    check((data, end) == (b"", "SILENCE"), "silence: %s %s" % (data, end))
    server.ends.clear()
    c.s.close()
    check(settle(lambda: server.ends), "the server learns that a silenced client is gone")


def canned(proxy, server):
    proxy.rules("match * * times 3 reply 503 SlowDown Retry-After:7")
    server.requests.clear()
    c = Client(proxy.port)
    for request in ((b"PUT", b"/x", b"b" * 300_000), (b"GET", b"/y"), (b"HEAD", b"/z")):
        data, end = c.ask(*request)
        check(status(data) == 503 and end == "" and b"Retry-After: 7" in data.replace(b":7", b": 7"), "503 to %s: %s" % (request[:2], data))
        check((b"<Code>SlowDown</Code>" in data) == (request[0] != b"HEAD"), "its body")
    check(not server.requests, "the server was not asked")
    data, _ = c.ask(b"PUT", b"/x", b"now")
    check(status(data) == 200, "then it is, on the same connection")
    proxy.rules("reply 400 ExpiredToken")
    data, end = Client(proxy.port).ask(b"PUT", b"/x", b"", b"Expect: 100-continue\r\n")
    check(status(data) == 400 and b"Connection: close" in data, "who waits for 100 is answered: %s" % data)
    proxy.rules("reply-after 500 InternalError")
    server.requests.clear()
    data, end = Client(proxy.port).ask(b"PUT", b"/x", b"work")
    check(status(data) == 500 and server.requests, "500 although the work was done")
    proxy.rules("reply-after 200 InternalError")
    data, end = Client(proxy.port).ask(b"PUT", b"/x", b"work")
    check(status(data) == 200 and b"InternalError" in data, "an error in a 200")
    proxy.rules("reply 403 RequestTimeTooSkewed Date:+3600")
    data, _ = Client(proxy.port).ask(b"GET", b"/x")
    ahead = time.gmtime(time.time() + 3600)
    check(time.strftime("%a, %d %b %Y %H:", ahead).encode() in data, "a date that is ahead: %s" % data)
    proxy.rules("reply 502 -")
    data, _ = Client(proxy.port).ask(b"GET", b"/x")
    check(status(data) == 502 and b"<Code>" not in data, "an answer that is not S3's")


def selection(proxy, server):
    proxy.rules("# comment", "", "match PUT /p/ skip 1 times 2 reply 500 InternalError", "match GET * delay 1")
    c = Client(proxy.port)
    seen = [status(c.ask(method, path)[0]) for method, path in ((b"PUT", b"/m/1"), (b"PUT", b"/p/1"), (b"GET", b"/p/1"),
                                                                (b"PUT", b"/p/2"), (b"PUT", b"/p/3"), (b"PUT", b"/p/4"))]
    check(seen == [200, 200, 200, 500, 500, 200], "selected %s" % seen)
    check([line[6] for line in proxy.log()] == ["-", "-", "-", "reply", "reply", "-"], "the log says who was hit")
    proxy.rules("times 1 refuse")
    try:
        data, end = Client(proxy.port).ask(b"GET", b"/x")
    except ConnectionResetError:  # so soon that the client is still connecting
        data, end = b"", "RST"
    check((data, end) == (b"", "RST"), "a refused connection: %s %s" % (data, end))
    check(status(Client(proxy.port).ask(b"GET", b"/x")[0]) == 200, "the next one is not")


def repeated(proxy, server):
    proxy.rules("match PUT * times 1 repeat")
    server.requests.clear()
    c = Client(proxy.port)
    sent = os.urandom(2_500_000)
    data, end = c.ask(b"PUT", b"/twice", sent)
    check(status(data) == 200 and body(data) == sent, "one answer to a request that was made twice: %s" % data[:50])
    check([body(r) == sent for r in server.requests] == [True, True], "the server got it twice")
    check(status(c.ask(b"GET", b"/bytes/5")[0]) == 200, "the connection goes on")
    proxy.rules("match PUT * repeat")
    data, end = c.ask(b"PUT", b"/x", b"more", b"Expect: 100-continue\r\n")
    check(b"more" in data, "twice with 100 Continue: %s" % data)


def no_http(proxy, server):
    proxy.rules("match RAW * reset up 6")
    c = Client(proxy.port)
    c.s.sendall(b"\x16\x03\x01 some TLS")
    data, end = c.receive()
    check(end == "RST", "TLS is cut: %s %s" % (data, end))
    proxy.rules()
    c = Client(proxy.port)
    c.s.sendall(b"\x16\x03\x01 GET /bytes/3 HTTP/1.1\r\n\r\n")
    data, end = c.receive()
    check(status(data) == 200, "or passed: %s %s" % (data, end))


def wrong_rules(program, folder):
    with open(folder + "/wrong", "w") as f:
        f.write("reset sideways 5\n")
    p = subprocess.Popen([program, "-r", folder + "/wrong", "0", "127.0.0.1", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    port = int(p.stdout.readline())
    socket.create_connection(("127.0.0.1", port)).close()
    check(p.wait(5) == 2 and b"sideways" in p.stderr.read(), "a rule that is none ends the proxy")


def speed(program):
    """Bytes a second both ways, through the proxy and without it: one connection, then four."""
    total, piece = 4 << 30, bytes(1 << 20)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(s):
        buffer = bytearray(1 << 20)
        head = s.recv(65536)
        if head.startswith(b"GET"):
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
            for _ in range(total >> 20):
                s.sendall(piece)
        else:
            got = len(head.partition(b"\r\n\r\n")[2])
            while got < total:
                got += s.recv_into(buffer)
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    def get(port):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        buffer, got = bytearray(1 << 20), 0
        while got < total:
            got += s.recv_into(buffer)

    def put(port):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(total >> 20):
            s.sendall(piece)
        s.recv(100)

    threading.Thread(target=accept, daemon=True).start()
    p = subprocess.Popen([program, "0", "127.0.0.1", str(listener.getsockname()[1])], stdout=subprocess.PIPE)
    ports = {"proxy": int(p.stdout.readline()), "direct": listener.getsockname()[1]}
    for name, work in (("PUT", put), ("GET", get)):
        for how, port in ports.items():
            took, _ = timed(work, port)
            with open("/proc/%d/stat" % p.pid) as f:
                fields = f.read().rpartition(")")[2].split()
            cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            print("%s %s: %.0f MiB/s (the proxy has used %.2f s of CPU)" % (name, how, (total >> 20) / took, cpu))
    p.kill()
    p.wait()


def main():
    arguments = [a for a in sys.argv[1:] if a != "--speed"]
    if not arguments and os.environ.get("PROXY"):
        arguments = [os.environ["PROXY"]]
    with tempfile.TemporaryDirectory() as folder:
        program = arguments[0] if arguments else folder + "/proxy"
        if not arguments:
            sources = [os.path.join(HERE, name) for name in ("proxy.c", "proxy_rules.c", "proxy_head.c")]
            subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-pthread", "-o", program, *sources], check=True)
        if "--speed" in sys.argv:
            speed(program)
            return
        server = Server()
        proxy = Proxy(program, folder, server.port)
        try:
            for test in (plain, latency_and_rate, faults_up, faults_down, canned, selection, repeated, no_http):
                test(proxy, server)
            wrong_rules(program, folder)
            check(proxy.process.poll() is None, "the proxy is alive")
        finally:
            proxy.process.kill()
            proxy.process.wait()
    print("%d checks, %d failed" % (checks, failures))
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
