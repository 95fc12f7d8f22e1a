"""httpGet and tcpSocket probes, sent from the node as a kubelet does."""

import asyncio

import netns


async def probe(node, address, spec, port):
    """Whether a probe succeeds: connected, and for httpGet a status of 200-399, in time."""
    action = spec.get("httpGet") or spec.get("tcpSocket")
    if action is None:
        return True
    host = action.get("host") or address
    link = netns.tcp_socket(node)
    try:
        async with asyncio.timeout(spec.get("timeoutSeconds", 1)):
            loop = asyncio.get_running_loop()
            await loop.sock_connect(link, (host, port))
            if "httpGet" not in spec:
                return True
            request = f"GET {action.get('path', '/')} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
            await loop.sock_sendall(link, request.encode())
            answer = b""
            while b"\r\n" not in answer:
                data = await loop.sock_recv(link, 1024)
                if not data:
                    return False
                answer += data
            return answer.split(b" ", 2)[1][:1] in (b"2", b"3")
    except (OSError, TimeoutError, IndexError):
        return False
    finally:
        link.close()
