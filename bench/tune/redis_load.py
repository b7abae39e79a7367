#!/usr/bin/env python3
"""Puts a redis server to work: the same commands each time, answers read to the last. Usage: redis_load.py SOCKET COMMANDS"""
import socket
import sys
import threading
import time

END = b"$7\r\nthe end\r\n"


def connect(path: str) -> socket.socket:
    for _ in range(400):
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            return client
        except OSError:
            client.close()
            time.sleep(0.02)
    sys.exit("redis_load: the server did not answer")


def main() -> None:
    with open(sys.argv[2], "rb") as file, connect(sys.argv[1]) as client:
        client.settimeout(120)
        threading.Thread(target=client.sendall, args=(file.read(),), daemon=True).start()
        tail = b""
        while not tail.endswith(END):
            piece = client.recv(1 << 20)
            if not piece:
                sys.exit("redis_load: the server closed the connection")
            tail = (tail + piece)[-32:]


if __name__ == "__main__":
    main()
