#!/usr/bin/env python3
"""Free TCP ports of the loopback.

    ports.py [N]            prints N (default 1) ports

They are chosen at random below the range from which the kernel takes the ports of outgoing connections: a daemon that
is restarted finds its port still free, and nobody who connects to a stopped one connects to himself.
"""
import random
import socket
import sys


def first_ephemeral():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            return int(f.read().split()[0])
    except OSError:
        return 32768


def free_ports(n):
    top = first_ephemeral()
    # A machine may give nearly everything to outgoing connections; then there is nothing better than those.
    low, high = (10240, top - 1) if top > 12000 else (32768, 60000)
    held = []
    while len(held) < n:
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", random.SystemRandom().randint(low, high)))
            held.append(s)  # kept until all are found, so that none comes twice
        except OSError:
            s.close()
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


if __name__ == "__main__":
    print(*free_ports(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
