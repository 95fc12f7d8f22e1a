"""A small Kubernetes API client on asyncio: requests, and an informer per kind.

Connections are opened from a network namespace, so that a node's requests travel the node's own cable.
"""

import asyncio
import json
import ssl

import netns

MERGE_PATCH = "application/merge-patch+json"
CONNECT_SECONDS = 2
ANSWER_SECONDS = 5
WATCH_SECONDS = 240


class ApiError(Exception):
    """The server's refusal; `code` is the HTTP status."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class _Connection:
    """One HTTP/1.1 connection."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def send(self, method, path, headers, body):
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()),
                 f"Content-Length: {len(body)}", "", ""]
        self.writer.write("\r\n".join(lines).encode() + body)
        await self.writer.drain()
        status = await self.reader.readline()
        if not status:
            raise ConnectionResetError("the server closed the connection")
        answer = {}
        while (line := await self.reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            answer[name.strip().lower()] = value.strip()
        return int(status.split()[1]), answer

    async def chunks(self, headers):
        """The body piece by piece."""
        if "chunked" in headers.get("transfer-encoding", ""):
            while size := int((await self.reader.readline()).split(b";")[0] or b"0", 16):
                data = await self.reader.readexactly(size)
                await self.reader.readline()
                yield data
            await self.reader.readline()
        elif length := int(headers.get("content-length", 0)):
            yield await self.reader.readexactly(length)

    def close(self):
        self.writer.close()


class Api:
    """The API server as seen from one machine of the lab."""

    def __init__(self, address, port, context, authorization, namespace, patience=1):
        self.patience = patience  # factor of the deadlines
        self.address = address
        self.port = port
        self.context = context
        self.namespace = namespace
        self.headers = {"Host": f"{address}:{port}", "Accept": "application/json", **authorization}
        self.idle = []

    @classmethod
    def from_kubeconfig(cls, config, namespace, patience=1):
        """config: what `kubectl config view --raw -o json` prints."""
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        address, _, port = cluster["server"].removeprefix("https://").partition(":")
        context = ssl.create_default_context(cadata=_inline(cluster, "certificate-authority").decode())
        context.check_hostname = False  # the certificate is for the address the kubeconfig names
        authorization = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        if certificate := _inline(user, "client-certificate"):
            _load_client(context, certificate, _inline(user, "client-key"))
        return cls(address, int(port), context, authorization, namespace, patience)

    def from_machine(self, namespace):
        """The same server, reached from another machine."""
        headers = {name: value for name, value in self.headers.items() if name == "Authorization"}
        return Api(self.address, self.port, self.context, headers, namespace, self.patience)

    async def _connect(self):
        link = netns.tcp_socket(self.namespace)
        async with asyncio.timeout(CONNECT_SECONDS * self.patience):
            try:
                await asyncio.get_running_loop().sock_connect(link, (self.address, self.port))
            except BaseException:
                link.close()
                raise
            # From here on the socket is the transport's, which closes it also when the handshake fails.
            return _Connection(*await asyncio.open_connection(sock=link, ssl=self.context,
                                                              server_hostname=self.address, limit=1 << 22))

    async def request(self, method, path, body=None, content_type="application/json"):
        """One request; returns the decoded answer, raises ApiError or OSError/TimeoutError."""
        async with asyncio.timeout(ANSWER_SECONDS * self.patience):
            while True:
                reused = bool(self.idle)
                connection = self.idle.pop() if reused else await self._connect()
                try:
                    return await self._exchange(connection, method, path, body, content_type)
                except (ConnectionError, asyncio.IncompleteReadError):
                    connection.close()
                    if not reused:
                        raise
                except ApiError:
                    raise
                except BaseException:
                    connection.close()
                    raise

    async def _exchange(self, connection, method, path, body, content_type):
        headers, data = dict(self.headers), b""
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body).encode()
        code, answer = await connection.send(method, path, headers, data)
        text = b"".join([chunk async for chunk in connection.chunks(answer)])
        if answer.get("connection", "").lower() == "close":
            connection.close()
        else:
            self.idle.append(connection)
        if text.strip() and not answer.get("content-type", "").startswith("application/json"):
            value = {"message": text.decode(errors="replace")[:200]}
        else:
            value = json.loads(text) if text.strip() else {}
        if code >= 400:
            raise ApiError(code, value.get("message", text.decode(errors="replace")[:200]))
        return value

    async def watch(self, path, version):
        """Yields (type, object) until the server ends the watch."""
        connection = await self._connect()
        try:
            mark = "&" if "?" in path else "?"
            query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}"
            code, headers = await connection.send("GET", f"{path}{mark}{query}", self.headers, b"")
            rest = b""
            async for chunk in connection.chunks(headers):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    event = json.loads(line)
                    if code >= 400 or event.get("type") == "ERROR":
                        status = event.get("object", event)
                        raise ApiError(status.get("code", code), status.get("message", ""))
                    yield event["type"], event["object"]
            if code >= 400:
                raise ApiError(code, rest.decode(errors="replace")[:200])
        finally:
            connection.close()

    def drop_idle(self):
        """Closes connections that wait for reuse."""
        while self.idle:
            self.idle.pop().close()


def _inline(holder, name):
    """A PEM from its base64 field or from the file it names."""
    import base64
    if data := holder.get(f"{name}-data"):
        return base64.b64decode(data)
    if path := holder.get(name):
        with open(path, "rb") as source:
            return source.read()
    return b""


def _load_client(context, certificate, key):
    import tempfile
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(certificate + b"\n" + key)
        pem.flush()
        context.load_cert_chain(pem.name)


def key_of(item):
    """namespace/name of an object, or its name."""
    meta = item["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else meta["name"]


class Informer:
    """A live copy of all objects of one kind: `items` by key. Calls `notify()` after every change."""

    def __init__(self, api, path, notify):
        self.api = api
        self.path = path
        self.notify = notify
        self.items = {}
        self.synced = asyncio.Event()

    async def run(self):
        """Lists and watches for ever; a failure is retried."""
        while True:
            try:
                await self._list_and_watch()
            except (ApiError, OSError, TimeoutError, asyncio.IncompleteReadError, json.JSONDecodeError,
                    ValueError):
                pass
            await asyncio.sleep(0.3)

    async def _list_and_watch(self):
        answer = await self.api.request("GET", self.path)
        kind = answer.get("kind", "").removesuffix("List")
        self.items = {key_of(item): {"kind": kind, "apiVersion": answer.get("apiVersion"), **item}
                      for item in answer.get("items") or []}
        self.synced.set()
        self.notify()
        version = answer["metadata"]["resourceVersion"]
        while True:
            async for kind, item in self.api.watch(self.path, version):
                version = item["metadata"]["resourceVersion"]
                if kind == "DELETED":
                    self.items.pop(key_of(item), None)
                elif kind in ("ADDED", "MODIFIED"):
                    self.put(item)
                self.notify()

    def put(self, item):
        """Takes an object that the server has just sent, unless a newer one is known."""
        known = self.items.get(key_of(item))
        if known is None or _version(known) <= _version(item):
            self.items[key_of(item)] = item


def _version(item):
    return int(item["metadata"].get("resourceVersion", 0))
