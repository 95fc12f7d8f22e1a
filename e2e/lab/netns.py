"""Sockets that live in another network namespace than this process (guest only, needs root there)."""

import ctypes
import os
import socket
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


@contextmanager
def inside(name):
    """The calling thread is in that namespace; nothing in the block may await."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        away = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(away)
        finally:
            os.close(away)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def tcp_socket(name):
    """A TCP socket of that namespace: it stays there wherever this process goes."""
    with inside(name):
        link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    link.setblocking(False)
    return link
